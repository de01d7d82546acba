// The limit for an event loop: an eventfd for each direction, awaited through epoll.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>

#include "bench/exchange.hpp"
#include "bench/payload.hpp"

namespace bench {

namespace {

class RawEventLoop final : public Exchange {
 public:
  RawEventLoop() {
    void* at =
        ::mmap(nullptr, sizeof(Both), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::runtime_error("cannot map two messages");
    both_ = new (at) Both{};
    there_ = ::eventfd(0, EFD_CLOEXEC);
    back_ = ::eventfd(0, EFD_CLOEXEC);
  }
  void open(Side side) override {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, side == Side::leader ? back_ : there_, &event);
  }
  void ping(std::uint64_t round) override {
    send(both_->there, there_, round);
    await(both_->back, back_, round);
  }
  void pong(std::uint64_t round) override {
    await(both_->there, there_, round);
    send(both_->back, back_, round);
  }

 private:
  struct Both {
    alignas(64) Payload there;
    alignas(64) Payload back;
  };
  static void send(Payload& payload, int event, std::uint64_t round) {
    fill(payload, round);
    const std::uint64_t one = 1;
    if (::write(event, &one, sizeof(one)) != sizeof(one)) throw std::runtime_error("eventfd");
  }
  void await(const Payload& payload, int event, std::uint64_t round) const {
    epoll_event ready{};
    ::epoll_wait(epoll_, &ready, 1, -1);
    std::uint64_t count = 0;
    if (::read(event, &count, sizeof(count)) != sizeof(count)) throw std::runtime_error("eventfd");
    check(payload, round);
  }
  Both* both_ = nullptr;
  int there_ = -1;
  int back_ = -1;
  int epoll_ = -1;
};

}  // namespace

std::unique_ptr<Exchange> raw_event_loop() { return std::make_unique<RawEventLoop>(); }

}  // namespace bench
