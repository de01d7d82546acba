// POSIX semaphores in shared memory, and PlacedSemaphore.
#include <semaphore.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <new>
#include <optional>

#include "family.hpp"
#include "ours.hpp"
#include "signalbox/os/posix_semaphore.hpp"

namespace signalbox::differential {

namespace {

enum Verb : std::uint8_t { take, post };

// Mapped before the actors are forked, so that all of them see it at the same address.
std::byte* shared_page() {
  void* const memory =
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return static_cast<std::byte*>(memory);
}

class BareSemaphore : public Side {
 public:
  ~BareSemaphore() override { ::munmap(semaphore_, 4096); }
  std::int64_t make() override {
    ::sem_init(semaphore_, 1, 0);
    return 0;
  }
  void meet(std::int64_t /*address*/) override {}

  Answer perform(const Operation& operation) override {
    int result = 0;
    if (operation.verb == post) {
      result = ::sem_post(semaphore_);
    } else if (operation.wait == Wait::never) {
      result = ::sem_trywait(semaphore_);
    } else if (operation.wait == Wait::shortly) {
      timespec until{};
      ::clock_gettime(CLOCK_MONOTONIC, &until);
      until.tv_nsec += shortly_us * 1000;
      until.tv_sec += until.tv_nsec / 1'000'000'000;
      until.tv_nsec %= 1'000'000'000;
      result = ::sem_clockwait(semaphore_, CLOCK_MONOTONIC, &until);
    } else {
      do {
        result = ::sem_wait(semaphore_);
      } while (result < 0 && errno == EINTR && operation.wait == Wait::until_done);
    }
    Answer answer;
    answer.error = result < 0 ? errno : 0;
    return answer;
  }

  Facts look(const WhoIs& /*who_is*/) override {
    int value = 0;
    ::sem_getvalue(semaphore_, &value);
    Facts facts;
    facts.add(value);
    return facts;
  }
  void remove() override { ::sem_destroy(semaphore_); }

 private:
  sem_t* semaphore_ = reinterpret_cast<sem_t*>(shared_page());
};

class OurSemaphore : public Side {
 public:
  ~OurSemaphore() override { ::munmap(page_, 4096); }
  std::int64_t make() override {
    // Empty memory is all zero, and nobody uses what was in it any more.
    memory_ = new (page_) os::PlacedSemaphore::Memory{};
    semaphore_.emplace(must(os::PlacedSemaphore::create(*memory_, 0)));
    return 0;
  }
  void meet(std::int64_t /*address*/) override {
    memory_ = must(os::PlacedSemaphore::Memory::in({page_, 4096}));
    semaphore_.emplace(must(os::PlacedSemaphore::open(*memory_)));
  }

  Answer perform(const Operation& operation) override {
    if (operation.verb == post) return answer_of(semaphore_->post());
    if (operation.wait == Wait::never) return answer_or_would_block(semaphore_->try_wait());
    return answer_of(semaphore_->wait(deadline_of(operation), on_signal_of(operation)));
  }

  Facts look(const WhoIs& /*who_is*/) override {
    Facts facts;
    facts.add(must(semaphore_->value()));
    return facts;
  }
  void remove() override { must(semaphore_->destroy()); }

 private:
  std::byte* page_ = shared_page();
  os::PlacedSemaphore::Memory* memory_ = nullptr;
  std::optional<os::PlacedSemaphore> semaphore_;
};

Operation random_operation(std::mt19937_64& random) {
  Operation operation;
  operation.verb = number_below(random, 2) == 0 ? take : post;
  if (operation.verb == take) operation.wait = random_wait(random);
  return operation;
}

std::string text_of_operation(const Operation& operation) {
  if (operation.verb == post) return "sem_post s";
  if (operation.wait == Wait::never) return "sem_try s";
  return operation.wait == Wait::shortly ? "sem_timed s 1ms" : "sem_wait s";
}

}  // namespace

Family posix_semaphores() {
  return {.name = "posix_semaphores",
          .setting = "sem_create s $name 0",
          .meeting = "sem_open s $name",
          .facts = "value",
          .bare = [] { return std::make_unique<BareSemaphore>(); },
          .ours = [] { return std::make_unique<OurSemaphore>(); },
          .random_operation = random_operation,
          .text_of = text_of_operation};
}

}  // namespace signalbox::differential
