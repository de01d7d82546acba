// Goal: whoever announces that it sleeps is woken by the next message, and nobody else costs a
// wake. Method: the bell in one thread, then publishers against sleepers that really sleep; a lost
// wake-up hangs until the test's watchdog.
#include "signalbox/shm/doorbell.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace signalbox::shm {
namespace {

using TestBell = Bell<RealAtomics>;

TEST(Doorbell, SomebodySleepsUntilAnswered) {
  TestBell bell{};
  EXPECT_FALSE(somebody_sleeps(bell));
  announce(bell, sleepers_on_ticket);
  announce(bell, sleepers_on_descriptors);
  EXPECT_TRUE(somebody_sleeps(bell));
  EXPECT_EQ(answer(bell), std::uint32_t{sleepers_on_ticket} | sleepers_on_descriptors);
  EXPECT_FALSE(somebody_sleeps(bell));
  EXPECT_EQ(answer(bell), 0U);
}

TEST(Doorbell, TakingAnAnnouncementBackChangesTheTicketItWasMadeWith) {
  TestBell bell{};
  const std::uint32_t ticket = announce(bell, sleepers_on_ticket);
  EXPECT_EQ(bell.ticket.load(), ticket);
  answer(bell);
  EXPECT_NE(bell.ticket.load(), ticket);
  // An event loop has a descriptor and does not look at tickets.
  const std::uint32_t after = announce(bell, sleepers_on_descriptors);
  answer(bell);
  EXPECT_EQ(bell.ticket.load(), after);
}

TEST(Doorbell, AnAnnouncementStandsUntilItIsAnswered) {
  TestBell bell{};
  std::uint32_t ticket = announce(bell, sleepers_on_ticket);
  EXPECT_TRUE(announce_again(bell, ticket));
  answer(bell);
  announce(bell, sleepers_on_ticket);  // another sleeper's
  EXPECT_FALSE(announce_again(bell, ticket));
  EXPECT_EQ(ticket, bell.ticket.load());
  EXPECT_TRUE(announce_again(bell, ticket));
}

TEST(Doorbell, AnAnnouncementTakenByOneWhoDiedIsMadeAnew) {
  TestBell bell{};
  std::uint32_t ticket = announce(bell, sleepers_on_ticket);
  bell.sleepers.store(0);  // the first half of answer()
  EXPECT_FALSE(announce_again(bell, ticket));
  EXPECT_TRUE(somebody_sleeps(bell));
}

// The least a topic can be: a count of messages each of `publishers` made ready.
struct Counters {
  TestBell bell{};
  std::vector<std::atomic<std::uint64_t>> made;
  explicit Counters(std::size_t publishers) : made(publishers) {}

  void publish(std::size_t index) {
    made[index].fetch_add(1, std::memory_order_release);
    RealAtomics::full_fence();
    if (somebody_sleeps(bell) && (answer(bell) & sleepers_on_ticket) != 0) bell.ticket.notify_all();
  }
  std::uint64_t sum() const {
    std::uint64_t total = 0;
    for (const auto& count : made) total += count.load(std::memory_order_acquire);
    return total;
  }
  // Sleeps until more than `seen` were made; answers how many there are.
  std::uint64_t wait(std::uint64_t seen) {
    for (;;) {
      if (const std::uint64_t now = sum(); now > seen) return now;
      const std::uint32_t ticket = announce(bell, sleepers_on_ticket);
      RealAtomics::full_fence();
      if (const std::uint64_t now = sum(); now > seen) return now;
      bell.ticket.wait(ticket);
    }
  }
};

TEST(Doorbell, EverySleeperIsWokenByEveryPublisher) {
  constexpr std::uint64_t messages = 20'000;
  constexpr std::size_t publishers = 2;
  Counters counters(publishers);
  std::vector<std::jthread> threads;
  threads.reserve(publishers + 2);
  for (std::size_t i = 0; i < publishers; ++i) {
    threads.emplace_back([&counters, i] {
      for (std::uint64_t k = 0; k < messages; ++k) counters.publish(i);
    });
  }
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&counters] {
      for (std::uint64_t seen = 0; seen < publishers * messages;) seen = counters.wait(seen);
    });
  }
  threads.clear();
  EXPECT_EQ(counters.sum(), publishers * messages);
}

// One message at a time: the publisher goes on only when the sleeper has had it, so that each wait
// is a real one and the last wake cannot be covered by the next message.
TEST(Doorbell, PingPongNeverStops) {
  constexpr std::uint64_t rounds = 20'000;
  Counters ping(1);
  Counters pong(1);
  std::jthread other([&] {
    for (std::uint64_t i = 0; i < rounds; ++i) {
      ping.wait(i);
      pong.publish(0);
    }
  });
  for (std::uint64_t i = 0; i < rounds; ++i) {
    ping.publish(0);
    EXPECT_EQ(pong.wait(i), i + 1);
  }
}

}  // namespace
}  // namespace signalbox::shm
