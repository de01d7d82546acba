// Goal: nothing is allocated after open: not by loans, publishes, takes and waits, of small and of
// large messages, asleep or not. Only a call that fails allocates: the text of its Error.
// Method: this program's malloc family counts; everything else here is the real library. Sanitizers
// bring their own malloc, so under them there is nothing to count.
#include <gtest/gtest.h>
#include <malloc.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "base/must.hpp"
#include "signalbox/topic.hpp"
#include "signalbox/wait_set.hpp"
#include "topic/scratch_domain.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SBX_TEST_COUNTS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SBX_TEST_COUNTS 0
#else
#define SBX_TEST_COUNTS 1
#endif
#else
#define SBX_TEST_COUNTS 1
#endif

namespace {
std::atomic<std::uint64_t> allocations{0};
}  // namespace

#if SBX_TEST_COUNTS
extern "C" {
void* real_malloc(std::size_t bytes) __asm__("__libc_malloc");
void* real_calloc(std::size_t count, std::size_t bytes) __asm__("__libc_calloc");
void* real_realloc(void* old, std::size_t bytes) __asm__("__libc_realloc");
void* real_memalign(std::size_t alignment, std::size_t bytes) __asm__("__libc_memalign");

[[gnu::visibility("default")]] void* malloc(std::size_t bytes) {
  ++allocations;
  return real_malloc(bytes);
}
[[gnu::visibility("default")]] void* calloc(std::size_t count, std::size_t bytes) {
  ++allocations;
  return real_calloc(count, bytes);
}
[[gnu::visibility("default")]] void* realloc(void* old, std::size_t bytes) {
  ++allocations;
  return real_realloc(old, bytes);
}
[[gnu::visibility("default")]] void* memalign(std::size_t alignment, std::size_t bytes) {
  ++allocations;
  return real_memalign(alignment, bytes);
}
[[gnu::visibility("default")]] void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  ++allocations;
  return real_memalign(alignment, bytes);
}
[[gnu::visibility("default")]] int posix_memalign(void** place, std::size_t alignment,
                                                  std::size_t bytes) {
  ++allocations;
  *place = real_memalign(alignment, bytes);
  return *place == nullptr ? ENOMEM : 0;
}
}
#endif

namespace test {
struct Small {
  std::uint64_t words[6];
};
struct Large {
  std::uint64_t words[1000];
};
}  // namespace test
SBX_DESCRIBE(test::Small, words);
SBX_DESCRIBE(test::Large, words);

namespace signalbox {
namespace {

using test::Large;
using test::Small;

constexpr int kRounds = 100'000;

Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

class Allocation : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!SBX_TEST_COUNTS) GTEST_SKIP() << "the sanitizer's malloc cannot be counted";
    const std::uint64_t before = allocations;
    ::operator delete(::operator new(1));
    ASSERT_GT(allocations, before) << "nothing is counted";
  }
  // How many while this ran? The first time may be another's: it is not counted.
  template <class Step>
  static std::uint64_t counted(int rounds, Step step) {
    step();
    const std::uint64_t before = allocations;
    for (int i = 0; i < rounds; ++i) step();
    return allocations - before;
  }
  ScratchDomain domain_;
};

template <class T>
void loan_publish_and_take(Publisher<T>& out, Subscriber<T>& in, Subscriber<T>& latest) {
  auto loan = out.loan();
  ASSERT_TRUE(loan) << out.why().text;
  loan->words[0] = 1;
  ASSERT_TRUE(out.publish(std::move(loan)));
  ASSERT_EQ(in.wait(soon()).value(), Wake::ready);
  ASSERT_TRUE(in.take());
  ASSERT_FALSE(in.take());
  ASSERT_TRUE(latest.take_latest());
  ASSERT_EQ(latest.wait(Deadline::immediate()).value(), Wake::timed_out);
  ASSERT_TRUE(out.send(T{}));
  ASSERT_TRUE(in.take());
  ASSERT_EQ(out.subscriber_count(), 2U);
  ASSERT_EQ(in.publisher_count(), 1U);
}

TEST_F(Allocation, NoneForSmallMessages) {
  auto out = must(Publisher<Small>::open("t"));
  auto in = must(Subscriber<Small>::open("t", {.reliable = true}));
  auto latest = must(Subscriber<Small>::open("t"));
  EXPECT_EQ(counted(kRounds, [&] { loan_publish_and_take(out, in, latest); }), 0U);
}

TEST_F(Allocation, NoneForLargeMessages) {
  auto out = must(Publisher<Large>::open("t"));
  auto in = must(Subscriber<Large>::open("t", {.reliable = true}));
  auto latest = must(Subscriber<Large>::open("t"));
  EXPECT_EQ(counted(kRounds, [&] { loan_publish_and_take(out, in, latest); }), 0U);
}

TEST_F(Allocation, NoneForBatchesAndHeldSamples) {
  auto out = must(Publisher<Small>::open("s", {.depth = 64}));
  auto in = must(Subscriber<Small>::open("s"));
  auto frames = must(Publisher<Large>::open("l"));
  auto reader = must(Subscriber<Large>::open("l"));
  std::array<Small, 32> batch{};
  std::array<Sample<Large>, 4> held;
  std::size_t next = 0;
  EXPECT_EQ(counted(kRounds / 32,
                    [&] {
                      ASSERT_EQ(out.send_batch(batch), batch.size());
                      ASSERT_EQ(in.take_batch(batch), batch.size());
                      ASSERT_TRUE(frames.send(Large{})) << frames.why().text;
                      held[next++ % held.size()] = reader.take();
                    }),
            0U);
}

TEST_F(Allocation, NoneForDescriptorsAndWaitSets) {
  auto out = must(Publisher<Small>::open("s"));
  auto in = must(Subscriber<Small>::open("s"));
  auto beside = must(Subscriber<Small>::open("s"));
  static_cast<void>(must(beside.descriptor()));
  auto set = must(WaitSet::create(2));
  const Watch watch = must(set.watch(in.waitable(), 1));
  EXPECT_EQ(counted(kRounds / 10,
                    [&] {
                      ASSERT_TRUE(out.send(Small{}));
                      ASSERT_EQ(must(set.wait(soon())).size(), 1U);
                      ASSERT_TRUE(in.take());
                      ASSERT_TRUE(beside.take());
                      ASSERT_FALSE(beside.take());
                      ASSERT_TRUE(must(set.wait(Deadline::immediate())).empty());
                    }),
            0U);
}

// Each side sleeps until the other has answered.
TEST_F(Allocation, NoneForSleepersAndThoseWhoWakeThem) {
  const SubscriberOptions sleeper{
      .start = Start::next, .reliable = true, .spin_max = std::chrono::nanoseconds(0)};
  auto ask = must(Publisher<Small>::open("ask"));
  auto asked = must(Subscriber<Small>::open("ask", sleeper));
  auto answer = must(Publisher<Large>::open("answer"));
  auto answered = must(Subscriber<Large>::open("answer", sleeper));
  constexpr int kQuestions = kRounds / 10;
  std::jthread other([&] {
    for (int i = 0; i <= kQuestions; ++i) {
      ASSERT_EQ(asked.wait(soon()).value(), Wake::ready);
      ASSERT_TRUE(asked.take());
      ASSERT_TRUE(answer.send(Large{}));
    }
  });
  EXPECT_EQ(counted(kQuestions,
                    [&] {
                      ASSERT_TRUE(ask.send(Small{}));
                      ASSERT_EQ(answered.wait(soon()).value(), Wake::ready);
                      ASSERT_TRUE(answered.take());
                    }),
            0U);
}

}  // namespace
}  // namespace signalbox
