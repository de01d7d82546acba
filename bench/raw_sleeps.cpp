// Sleepers that others use, for the same work as a blocking topic: sem_t, eventfd and a pipe.
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>

#include "bench/exchange.hpp"
#include "bench/payload.hpp"

namespace bench {

namespace {

struct Message {
  alignas(64) Payload payload;
  sem_t semaphore;
};
struct BothWays {
  Message there;
  alignas(4096) Message back;
};

BothWays* map_both() {
  void* at =
      ::mmap(nullptr, sizeof(BothWays), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::runtime_error("cannot map two messages");
  return new (at) BothWays{};
}

// The payload lies in shared memory, and something else says that it is there.
class PayloadAndSignal : public Exchange {
 public:
  void open(Side) override {}
  void ping(std::uint64_t round) final {
    fill(both_->there.payload, round);
    signal(Way::there);
    await(Way::back);
    check(both_->back.payload, round);
  }
  void pong(std::uint64_t round) final {
    await(Way::there);
    check(both_->there.payload, round);
    fill(both_->back.payload, round);
    signal(Way::back);
  }

 protected:
  enum class Way { there, back };
  virtual void signal(Way way) = 0;
  virtual void await(Way way) = 0;
  BothWays* both_ = map_both();
};

class RawSemaphore final : public PayloadAndSignal {
 public:
  RawSemaphore() {
    ::sem_init(&both_->there.semaphore, 1, 0);
    ::sem_init(&both_->back.semaphore, 1, 0);
  }

 private:
  sem_t* of(Way way) { return &(way == Way::there ? both_->there : both_->back).semaphore; }
  void signal(Way way) override { ::sem_post(of(way)); }
  void await(Way way) override { ::sem_wait(of(way)); }
};

class RawEventfd final : public PayloadAndSignal {
  void signal(Way way) override {
    const std::uint64_t one = 1;
    if (::write(of(way), &one, sizeof(one)) != sizeof(one)) throw std::runtime_error("eventfd");
  }
  void await(Way way) override {
    std::uint64_t count = 0;
    if (::read(of(way), &count, sizeof(count)) != sizeof(count)) {
      throw std::runtime_error("eventfd");
    }
  }
  int of(Way way) const { return way == Way::there ? there_ : back_; }
  int there_ = ::eventfd(0, EFD_CLOEXEC);
  int back_ = ::eventfd(0, EFD_CLOEXEC);
};

// The payload itself goes through the pipe.
class RawPipe final : public Exchange {
 public:
  RawPipe() {
    if (::pipe(there_) != 0 || ::pipe(back_) != 0) throw std::runtime_error("cannot make pipes");
  }
  void open(Side) override {}
  void ping(std::uint64_t round) override {
    send(there_[1], round);
    receive(back_[0], round);
  }
  void pong(std::uint64_t round) override {
    receive(there_[0], round);
    send(back_[1], round);
  }

 private:
  static void send(int fd, std::uint64_t round) {
    const Payload payload = payload_of(round);
    if (::write(fd, &payload, sizeof(payload)) != sizeof(payload)) throw std::runtime_error("pipe");
  }
  static void receive(int fd, std::uint64_t round) {
    Payload payload{};
    if (::read(fd, &payload, sizeof(payload)) != sizeof(payload)) throw std::runtime_error("pipe");
    check(payload, round);
  }
  int there_[2] = {-1, -1};
  int back_[2] = {-1, -1};
};

}  // namespace

std::unique_ptr<Exchange> raw_semaphore() { return std::make_unique<RawSemaphore>(); }
std::unique_ptr<Exchange> raw_eventfd() { return std::make_unique<RawEventfd>(); }
std::unique_ptr<Exchange> raw_pipe() { return std::make_unique<RawPipe>(); }

}  // namespace bench
