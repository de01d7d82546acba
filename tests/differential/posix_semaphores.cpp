// POSIX semaphores in shared memory beside PlacedSemaphore, and beside a semaphore of our own, as
// far as it is used as they are: units are posted and taken away for good.
#include <semaphore.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <optional>
#include <string>

#include "family.hpp"
#include "ours.hpp"
#include "signalbox/lock_facts.hpp"
#include "signalbox/os/posix_semaphore.hpp"
#include "signalbox/semaphore.hpp"
#include "topic/scratch_domain.hpp"

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

class WrappedSemaphore : public Side {
 public:
  ~WrappedSemaphore() override { ::munmap(page_, 4096); }
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

// Each sequence has a semaphore of its own, which goes when the last actor has met the next.
class OwnSemaphore : public Side {
 public:
  // What the killed had open goes as soon as somebody comes by.
  ~OwnSemaphore() override {
    // A sequence that differs is shrunk by others of this class, which have set it to theirs.
    ::setenv("SIGNALBOX_DIR", domain_.root().c_str(), 1);
    for (const LockFacts& left : must(list_locks())) open(left.name);
    semaphore_.reset();
  }
  std::int64_t make() override {
    open(name_of(++made_));
    return made_;
  }
  void meet(std::int64_t address) override { open(name_of(address)); }

  Answer perform(const Operation& operation) override {
    if (operation.verb == post) return answer_of(semaphore_->post());
    if (operation.wait == Wait::never) return answer_of(semaphore_->try_consume());
    return answer_of(semaphore_->consume(deadline_of(operation), on_signal_of(operation)));
  }

  Facts look(const WhoIs& /*who_is*/) override {
    Facts facts;
    facts.add(semaphore_->value());
    return facts;
  }
  void remove() override { semaphore_.reset(); }

 private:
  static std::string name_of(std::int64_t number) { return "s" + std::to_string(number); }
  void open(const std::string& name) {
    // A sequence has no more posts than steps; and futexes wake who came first.
    semaphore_.emplace(must(
        Semaphore::open(name, {.units_max = 4096, .units = 0, .first_come_first_served = true})));
  }

  ScratchDomain domain_;
  std::optional<Semaphore> semaphore_;
  std::int64_t made_ = 0;
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
          .ours = [] { return std::make_unique<WrappedSemaphore>(); },
          .random_operation = random_operation,
          .text_of = text_of_operation};
}

Family own_semaphores() {
  Family family = posix_semaphores();
  family.name = "own_semaphores";
  family.ours = [] { return std::make_unique<OwnSemaphore>(); };
  // Who goes on after a signal goes to the end of the kernel's line, and keeps its place in ours.
  family.random_operation = [](std::mt19937_64& random) {
    Operation operation = random_operation(random);
    if (operation.wait == Wait::until_done) operation.wait = Wait::until_done_or_signal;
    return operation;
  };
  return family;
}

}  // namespace signalbox::differential
