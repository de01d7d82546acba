// Goal: sleeping on words and waking so many of those who sleep for a reason; every way it ends.
// Method: threads and children sleep for real; wakers wake until the kernel says somebody was
// there.
#include "signalbox/os/futex.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "os/signal_storm.hpp"
#include "os/test_process.hpp"
#include "signalbox/os/mapping.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using Word = std::atomic<std::uint32_t>;

// Wakes until so many were woken in all.
void wake_in_all(const Word& word, std::uint32_t sleepers, std::uint32_t reasons = every_reason,
                 FutexScope scope = FutexScope::machine) {
  for (std::uint32_t woken = 0; woken < sleepers; ::sched_yield()) {
    woken += futex_wake(&word, sleepers - woken, scope, reasons);
  }
}

TEST(Futex, AnotherProcessIsWokenByTheWordItSleepsOn) {
  const Mapping shared = must(Mapping::anonymous(4096, {.access = Access::read_write}));
  const Word& word = *shared.at<Word>(0);
  test::Forked sleeper(
      [&] { return must(futex_wait({&word, 0}, Deadline::never())) == FutexWake::woken ? 0 : 1; });
  wake_in_all(word, 1);
  EXPECT_EQ(sleeper.wait(), 0);
}

TEST(Futex, DoesNotSleepOnAnotherValueAndNotBeyondItsDeadline) {
  const Word word{5};
  EXPECT_EQ(must(futex_wait({&word, 4}, Deadline::never())), FutexWake::value_differed);
  EXPECT_EQ(must(futex_wait({&word, 5}, Deadline::immediate())), FutexWake::timed_out);
  const Deadline deadline = Deadline::after(3ms);
  EXPECT_EQ(must(futex_wait({&word, 5}, deadline)), FutexWake::timed_out);
  EXPECT_TRUE(deadline.passed());
}

TEST(Futex, WakesSoManyAndNoMore) {
  const Word word{0};
  std::atomic<int> awake{0};
  std::array<std::thread, 3> sleepers;
  for (auto& sleeper : sleepers) {
    sleeper = std::thread([&] {
      must(futex_wait({&word, 0, FutexScope::process}, Deadline::never()));
      awake.fetch_add(1);
    });
  }
  EXPECT_EQ(futex_wake(&word, 0, FutexScope::process), 0U);
  wake_in_all(word, 2, every_reason, FutexScope::process);
  while (awake.load() < 2) ::sched_yield();
  // The third one sleeps on until it is woken: no number woken was more than was asked for.
  wake_in_all(word, 1, every_reason, FutexScope::process);
  for (auto& sleeper : sleepers) sleeper.join();
  EXPECT_EQ(awake.load(), 3);
  EXPECT_EQ(futex_wake(&word, 9, FutexScope::process), 0U);
}

TEST(Futex, WakesWhoWaitsForThatReason) {
  const Word word{0};
  std::atomic<int> awake{0};
  std::thread reader([&] {
    must(futex_wait({&word, 0}, Deadline::never(), OnSignal::go_on, 1));
    awake.fetch_add(1);
  });
  std::thread writer([&] {
    must(futex_wait({&word, 0}, Deadline::never(), OnSignal::go_on, 2));
    awake.fetch_add(10);
  });
  wake_in_all(word, 1, 2);
  writer.join();
  EXPECT_EQ(awake.load(), 10);
  wake_in_all(word, 1, 5);
  reader.join();
  EXPECT_EQ(awake.load(), 11);
}

TEST(Futex, TellsWhichOfSeveralWasWoken) {
  if (!can_wait_on_several()) GTEST_SKIP() << "no futex_waitv here (Linux 5.16)";
  const std::array<Word, 3> words{};
  std::array<FutexWord, 3> sleep_on{};
  for (std::size_t i = 0; i < words.size(); ++i) sleep_on[i] = {&words[i], 0};
  FutexEnd end{};
  std::thread sleeper([&] { end = must(futex_wait_any(sleep_on, Deadline::never())); });
  wake_in_all(words[2], 1);
  sleeper.join();
  EXPECT_EQ(end.how, FutexWake::woken);
  EXPECT_EQ(end.which, 2U);
  sleep_on[1].expected = 7;
  EXPECT_EQ(must(futex_wait_any(sleep_on, Deadline::never())).how, FutexWake::value_differed);
  sleep_on[1].expected = 0;
  EXPECT_EQ(must(futex_wait_any(sleep_on, Deadline::after(2ms))).how, FutexWake::timed_out);
}

TEST(Futex, MistakesAreErrors) {
  const std::array<Word, 2> words{};
  const auto* const crooked = reinterpret_cast<const char*>(words.data()) + 1;
  const auto refused = futex_wait({crooked, 0}, Deadline::immediate());
  EXPECT_EQ(refused.error().sys_errno, EINVAL);
  EXPECT_EQ(refused.error().call, "futex");
  EXPECT_EQ(futex_wait_any({}, Deadline::never()).error().code, Errc::bad_argument);
  const std::array<FutexWord, futex_words_max + 1> many{};
  EXPECT_EQ(futex_wait_any(many, Deadline::never()).error().code, Errc::bad_argument);
  EXPECT_EQ(futex_wake(nullptr, 1), 0U);
}

TEST(Futex, ASignalEndsTheSleepWhereAskedAndElseTheRemainingTimeIsSlept) {
  const Word word{0};
  const test::SignalStorm storm(0);
  ASSERT_TRUE(storm.made());
  EXPECT_EQ(must(futex_wait({&word, 0}, Deadline::never(), OnSignal::give_up)),
            FutexWake::interrupted);
  const Deadline deadline = Deadline::after(30ms);
  EXPECT_EQ(must(futex_wait({&word, 0}, deadline)), FutexWake::timed_out);
  EXPECT_TRUE(deadline.passed());
  EXPECT_GE(test::SignalStorm::handled().load(), test::handlers_seen(2));
}

}  // namespace
}  // namespace signalbox::os
