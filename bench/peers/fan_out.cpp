// One publisher in the leader and several idle subscribers in the follower, the same for all peers.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bench/fork_child.hpp"
#include "bench/peers/link.hpp"

namespace bench {

namespace {

// Both processes look at words now and then: whatever told them at once would cost the publisher.
void look_later() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

struct Shared {
  alignas(64) std::atomic<bool> connected;
  alignas(64) std::atomic<std::uint64_t> done;
};

Shared* shared() {
  void* at =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::runtime_error("cannot map shared memory");
  return new (at) Shared{};
}

class FanOut final : public Exchange {
 public:
  FanOut(const Peer& peer, const LinkPlan& plan) : publisher_(peer.link(plan)) {
    for (std::size_t i = 0; i < idle_subscribers(plan.work); ++i) {
      subscribers_.push_back(peer.link(plan));
    }
  }
  // That each subscriber is connected is proved by a message that reached it.
  void open(Side side) override {
    if (side == Side::leader) {
      publisher_->open_sender();
      // sync[bench.connected] acquire: meets the follower's store.
      while (!shared_->connected.load(std::memory_order_acquire)) {
        publisher_->send(0);
        look_later();
      }
      return;
    }
    for (const auto& subscriber : subscribers_) subscriber->open_receiver();
    for (const auto& subscriber : subscribers_) {
      while (!subscriber->took_any()) look_later();
    }
    // sync[bench.connected] release: every subscriber has taken a message.
    shared_->connected.store(true, std::memory_order_release);
  }
  void publish(std::uint64_t number) { publisher_->send(number); }
  void ping(std::uint64_t round) override {
    for (std::uint64_t i = 0; i < published_to_idle; ++i) publisher_->send(i);
    // sync[bench.done] release: the whole round has been published.
    shared_->done.store(round, std::memory_order_release);
  }
  // Only keeps the subscribers there for as long as they are needed.
  void pong(std::uint64_t round) override {
    // sync[bench.done] acquire: meets the store in ping().
    while (shared_->done.load(std::memory_order_acquire) < round) look_later();
  }

 private:
  std::unique_ptr<Link> publisher_;
  std::vector<std::unique_ptr<Link>> subscribers_;
  Shared* shared_ = shared();
};

}  // namespace

std::size_t idle_subscribers(Work work) {
  switch (work) {
    case Work::publish_to_1:
      return 1;
    case Work::publish_to_4:
      return 4;
    case Work::publish_to_16:
      return 16;
    case Work::publish_to_64:
      return 64;
    default:
      return 0;
  }
}

Steps publish_steps(const Peer& peer, const LinkPlan& plan) {
  FanOut exchange(peer, plan);
  const pid_t follower = fork_child();
  if (follower < 0) throw std::runtime_error("cannot fork the subscribers");
  if (follower == 0) {
    exchange.open(Side::follower);
    for (;;) ::pause();
  }
  const Steps steps = count_steps([&]() -> std::function<void()> {
    exchange.open(Side::leader);
    return [&] { exchange.publish(1); };
  });
  ::kill(follower, SIGKILL);
  ::waitpid(follower, nullptr, 0);
  return steps;
}

std::unique_ptr<Exchange> fan_out(const Peer& peer, const LinkPlan& plan) {
  return std::make_unique<FanOut>(peer, plan);
}

}  // namespace bench
