// Goal: a System V queue keeps whole messages, hands them out by type, and waits no longer than it
// was told, though the kernel knows no deadline there.
// Method: real queues under scratch keys, removed at the end of each test; real processes.
#include "signalbox/os/sysv_queue.hpp"

#include <gtest/gtest.h>
#include <sys/msg.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>

#include "base/watchdog.hpp"
#include "os/scratch_key.hpp"
#include "os/signal_storm.hpp"
#include "os/test_process.hpp"
#include "os/test_streams.hpp"
#include "os/thread_state.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::Forked;

class SysvQueueTest : public ::testing::Test {
 protected:
  void send(long type, std::string_view text) {
    const auto sent = queue_.send(type, bytes_of(text), Deadline::immediate());
    ASSERT_TRUE(sent) << sent.error().text;
  }
  // "type:text" of the next message, or the error's name.
  std::string receive(MessageFilter filter) {
    return said(queue_.receive(buffer_, filter, Deadline::immediate()));
  }
  std::string said(const Result<QueueMessage>& got) {
    if (!got) return std::string(to_string(got.error().code));
    return std::to_string(got->type) + ":" +
           std::string(reinterpret_cast<const char*>(buffer_.data()), got->bytes);
  }
  SysvQueue& queue() { return queue_; }
  // Fills the queue's room to the last byte.
  void fill() {
    const auto facts = queue_.facts().value();
    std::vector<std::byte> block(1024);
    for (auto left = facts.bytes_max - facts.bytes; left > 0;) {
      const auto part = std::min<std::size_t>(left, block.size());
      ASSERT_EQ(queue_.try_send(9, std::span(block).first(part)), true);
      left -= part;
    }
  }

  test::ScratchKey scratch_;
  SysvQueue queue_ = SysvQueue::create(scratch_.key()).value();
  std::array<std::byte, 64> buffer_{};
};

TEST_F(SysvQueueTest, IsCreatedOnceAndOpenedByAll) {
  const auto again = SysvQueue::create(scratch_.key());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::already_exists);
  EXPECT_EQ(again.error().sys_errno, EEXIST);
  EXPECT_EQ(SysvQueue::open(scratch_.key()).value().id(), queue().id());
  EXPECT_EQ(SysvQueue::open_or_create(scratch_.key()).value().id(), queue().id());
  EXPECT_EQ(SysvQueue::attach(queue().id()).value().id(), queue().id());
  EXPECT_EQ(SysvQueue::open(SysvKey::private_key()).error().code, Errc::bad_argument);
  const test::ScratchKey other;
  EXPECT_EQ(SysvQueue::open(other.key()).error().code, Errc::not_found);
  EXPECT_EQ(SysvQueue::open(other.key()).error().sys_errno, ENOENT);
  EXPECT_NE(SysvQueue::open_or_create(other.key()).value().id(), queue().id());
}

TEST_F(SysvQueueTest, AnEmptyHandleSaysSo) {
  auto made = SysvQueue::create(SysvKey::private_key()).value();
  auto moved = std::move(made);
  std::array<std::byte, 8> room{};
  EXPECT_EQ(made.send(1, room, Deadline::never()).error().code, Errc::closed);
  EXPECT_EQ(made.try_receive(room, MessageFilter::any()).error().code, Errc::closed);
  EXPECT_EQ(made.facts().error().code, Errc::closed);
  EXPECT_TRUE(moved.remove());
  EXPECT_EQ(SysvQueue::attach(-5).error().code, Errc::not_found);
}

TEST_F(SysvQueueTest, FiltersChooseByType) {
  for (const long type : {3L, 1L, 2L, 1L, 5L}) send(type, "m" + std::to_string(type));
  EXPECT_EQ(receive(MessageFilter::exact(2)), "2:m2");
  EXPECT_EQ(receive(MessageFilter::up_to(2)), "1:m1");
  EXPECT_EQ(receive(MessageFilter::all_but(3)), "1:m1");
  EXPECT_EQ(receive(MessageFilter::up_to(2)), "timed_out");
  EXPECT_EQ(receive(MessageFilter::any()), "3:m3");
  EXPECT_EQ(receive(MessageFilter::all_but(5)), "timed_out");
  EXPECT_EQ(receive(MessageFilter::up_to(9)), "5:m5");
  EXPECT_EQ(receive(MessageFilter::any()), "timed_out");
}

TEST_F(SysvQueueTest, EqualTypesComeInTheOrderSent) {
  for (const char* const text : {"a", "b", "c"}) send(4, text);
  EXPECT_EQ(receive(MessageFilter::exact(4)), "4:a");
  EXPECT_EQ(receive(MessageFilter::up_to(4)), "4:b");
  EXPECT_EQ(receive(MessageFilter::any()), "4:c");
}

TEST_F(SysvQueueTest, ATypeBelowOneIsRefusedOnBothEnds) {
  for (const long type : {0L, -1L}) {
    const auto sent = queue().send(type, bytes_of("x"), Deadline::never());
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Errc::bad_argument);
    EXPECT_EQ(sent.error().sys_errno, EINVAL);
    EXPECT_EQ(queue().try_send(type, bytes_of("x")).error().code, Errc::bad_argument);
    for (const MessageFilter filter :
         {MessageFilter::exact(type), MessageFilter::up_to(type), MessageFilter::all_but(type)}) {
      EXPECT_EQ(queue().receive(buffer_, filter, Deadline::never()).error().code,
                Errc::bad_argument);
      EXPECT_EQ(queue().try_receive(buffer_, filter).error().code, Errc::bad_argument);
    }
  }
  EXPECT_EQ(queue().facts().value().messages, 0U);
}

TEST_F(SysvQueueTest, AMessageLongerThanTheBufferStaysOrIsCutOff) {
  send(1, "0123456789");
  send(1, "abcde");
  const std::span room(buffer_.data(), 5);
  const auto refused = queue().receive(room, MessageFilter::any(), watchdog());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::too_large);
  EXPECT_EQ(refused.error().sys_errno, E2BIG);
  EXPECT_EQ(queue().try_receive(room, MessageFilter::any()).error().code, Errc::too_large);
  EXPECT_EQ(queue().facts().value().messages, 2U);
  const auto cut = queue().receive(room, MessageFilter::any(), watchdog(), TooLong::cut_off);
  EXPECT_EQ(said(cut), "1:01234");
  EXPECT_TRUE(cut->was_cut_off);
  const auto whole = queue().receive(room, MessageFilter::any(), watchdog(), TooLong::cut_off);
  EXPECT_EQ(said(whole), "1:abcde");
  EXPECT_FALSE(whole->was_cut_off) << "it fits exactly";
}

TEST_F(SysvQueueTest, EmptyMessagesAndEmptyBuffersAreAllowed) {
  send(7, "");
  EXPECT_EQ(said(queue().receive({}, MessageFilter::any(), watchdog())), "7:");
}

// Up to 256 bytes go without a call into the library where the wait may be endless.
TEST_F(SysvQueueTest, MessagesOfEverySizeAroundTheShortWayComeWhole) {
  for (const std::size_t size : {1, 255, 256, 257, 300}) {
    std::string text(size, 'a');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 26);
    for (const std::size_t room : {size, size + 1, size - 1}) {
      ASSERT_TRUE(queue().send(3, bytes_of(text), Deadline::never()));
      std::vector<std::byte> buffer(room + 1, std::byte{'!'});
      const auto got = queue().receive(std::span(buffer).first(room), MessageFilter::up_to(3),
                                       Deadline::never(), TooLong::cut_off);
      ASSERT_TRUE(got) << got.error().text;
      EXPECT_EQ(got->type, 3);
      EXPECT_EQ(got->bytes, std::min(room, size));
      EXPECT_EQ(got->was_cut_off, room < size);
      EXPECT_EQ(std::memcmp(buffer.data(), text.data(), got->bytes), 0);
      EXPECT_EQ(buffer[got->bytes], std::byte{'!'}) << "nothing is written behind it";
    }
  }
}

TEST_F(SysvQueueTest, AnEndlessWaitIsRefusedForTheSameReasons) {
  const auto refused = [&](std::span<std::byte> room, MessageFilter filter) {
    return queue().receive(room, filter, Deadline::never()).error().code;
  };
  EXPECT_EQ(queue().send(0, bytes_of("x"), Deadline::never()).error().code, Errc::bad_argument);
  EXPECT_EQ(refused(buffer_, MessageFilter::exact(0)), Errc::bad_argument);
  send(2, "four");
  send(1, "one");
  EXPECT_EQ(refused(std::span(buffer_).first(3), MessageFilter::any()), Errc::too_large);
  EXPECT_EQ(said(queue().receive(buffer_, MessageFilter::all_but(2), Deadline::never())), "1:one");
  EXPECT_EQ(said(queue().receive(buffer_, MessageFilter::exact(2), Deadline::never())), "2:four");
  auto gone = SysvQueue::attach(queue().id()).value();
  ASSERT_TRUE(queue().remove());
  EXPECT_EQ(gone.send(1, bytes_of("x"), Deadline::never()).error().code, Errc::removed);
  EXPECT_EQ(refused(buffer_, MessageFilter::any()), Errc::removed);
  queue() = SysvQueue::create(scratch_.key()).value();
}

TEST_F(SysvQueueTest, AMessageAboveTheLimitNamesIt) {
  const auto limits = sysv_queue_limits().value();
  const std::vector<std::byte> large(limits.message_bytes_max + 1U);
  const auto sent = queue().send(1, large, watchdog());
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Errc::too_large);
  EXPECT_EQ(sent.error().sys_errno, EINVAL);
  EXPECT_NE(sent.error().text.find("MSGMAX"), std::string::npos) << sent.error().text;
  EXPECT_NE(sent.error().text.find(std::to_string(limits.message_bytes_max)), std::string::npos);
  EXPECT_EQ(queue().facts().value().messages, 0U);
  const auto most = std::min(limits.message_bytes_max, limits.queue_bytes_max);
  std::vector<std::byte> got(most);
  ASSERT_TRUE(queue().send(1, std::span(large).first(most), watchdog()));
  EXPECT_EQ(queue().receive(got, MessageFilter::any(), watchdog())->bytes, most);
}

TEST_F(SysvQueueTest, TryNeverWaits) {
  const auto nothing = queue().try_receive(buffer_, MessageFilter::any());
  ASSERT_TRUE(nothing) << nothing.error().text;
  EXPECT_FALSE(*nothing);
  fill();
  EXPECT_EQ(queue().try_send(1, bytes_of("x")), false);
  EXPECT_EQ(queue().send(1, bytes_of("x"), Deadline::after(5ms)).error().code, Errc::timed_out);
  EXPECT_EQ(queue().send(1, bytes_of("x"), Deadline::immediate()).error().sys_errno, EAGAIN);
}

TEST_F(SysvQueueTest, DeadlinesPassNeitherEarlyNorWithAMessage) {
  const Deadline deadline = Deadline::after(20ms);
  const auto got = queue().receive(buffer_, MessageFilter::any(), deadline);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::timed_out);
  EXPECT_EQ(got.error().sys_errno, ENOMSG);
  EXPECT_TRUE(deadline.passed()) << "it ended early";
}

TEST_F(SysvQueueTest, WhoWaitsIsServedWithAndWithoutADeadline) {
  for (const Deadline deadline : {watchdog(), Deadline::never()}) {
    test::Milestone waiting;
    Forked receiver([&] {
      if (!waiting.reach()) return 9;
      return said(queue().receive(buffer_, MessageFilter::exact(2), deadline)) == "2:yes" ? 0 : 1;
    });
    ASSERT_TRUE(waiting.wait());
    send(1, "no");
    send(2, "yes");
    EXPECT_EQ(receiver.wait(), 0);
    EXPECT_EQ(receive(MessageFilter::any()), "1:no");
    fill();
    Forked sender(
        [&] { return waiting.reach() && queue().send(3, bytes_of("in"), deadline) ? 0 : 1; });
    ASSERT_TRUE(waiting.wait());
    std::vector<std::byte> room(1024);
    while (queue().receive(room, MessageFilter::exact(9), Deadline::immediate())) {
    }
    EXPECT_EQ(sender.wait(), 0);
    EXPECT_EQ(receive(MessageFilter::any()), "3:in");
  }
}

TEST_F(SysvQueueTest, PeekLeavesTheMessageThere) {
  send(5, "first");
  send(6, "second");
  const auto second = queue().peek(1, buffer_);
  if (!second && second.error().code == Errc::not_supported) GTEST_SKIP() << second.error().text;
  ASSERT_TRUE(second && *second) << (second ? "" : second.error().text);
  EXPECT_EQ(said(**second), "6:second");
  EXPECT_EQ(said(*queue().peek(0, buffer_).value()), "5:first");
  const auto third = queue().peek(2, buffer_);
  ASSERT_TRUE(third) << third.error().text;
  EXPECT_FALSE(*third);
  EXPECT_EQ(queue().peek(0, std::span(buffer_).first(2)).error().code, Errc::too_large);
  EXPECT_EQ(queue().facts().value().messages, 2U);
}

TEST_F(SysvQueueTest, RemovalWakesEverySleeper) {
  Forked sleeper([&] {
    const auto got = queue().receive(buffer_, MessageFilter::any(), Deadline::never());
    return !got && got.error().code == Errc::removed && got.error().sys_errno == EIDRM ? 0 : 1;
  });
  Forked poller([&] {
    const auto got = queue().receive(buffer_, MessageFilter::any(), watchdog());
    return !got && got.error().code == Errc::removed ? 0 : 1;
  });
  // Whether the sleeper sleeps already cannot be asked of this kernel object; its state can.
  const Deadline until = watchdog();
  while (test::thread_state(sleeper.pid()) != 'S') {
    ASSERT_FALSE(until.passed());
    std::this_thread::yield();
  }
  ASSERT_TRUE(queue().remove());
  EXPECT_EQ(sleeper.wait(), 0);
  EXPECT_EQ(poller.wait(), 0);
  EXPECT_EQ(queue().remove().error().code, Errc::removed);
  EXPECT_EQ(queue().facts().error().code, Errc::removed);
  EXPECT_EQ(queue().try_send(1, bytes_of("x")).error().code, Errc::removed);
  EXPECT_EQ(SysvQueue::attach(queue().id()).error().code, Errc::not_found);
}

TEST_F(SysvQueueTest, FactsTellWhoAndHowMuch) {
  send(1, "12345");
  const auto facts = queue().facts().value();
  EXPECT_EQ(facts.messages, 1U);
  EXPECT_EQ(facts.bytes, 5U);
  EXPECT_EQ(facts.last_sender, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(facts.last_receiver, 0U);
  EXPECT_GT(facts.last_send, 0);
  EXPECT_EQ(facts.access.mode, 0600U);
  EXPECT_EQ(facts.access.key, scratch_.key().value());
  ASSERT_TRUE(queue().set_capacity(100));
  ASSERT_TRUE(queue().set_mode(0640));
  EXPECT_EQ(queue().facts().value().bytes_max, 100U);
  EXPECT_EQ(queue().facts().value().access.mode, 0640U);
  const auto all = list_sysv_queues().value();
  EXPECT_NE(std::ranges::find(all, queue().id(), &SysvQueueFacts::id), all.end());
  EXPECT_GE(sysv_queue_limits().value().queues, 1U);
}

TEST_F(SysvQueueTest, NoByteIsLostOrChangedBetweenMany) {
  constexpr int kEach = 300;
  const unsigned seed = std::random_device{}();
  std::vector<std::unique_ptr<Forked>> all;
  all.reserve(6);
  for (long type = 1; type <= 3; ++type) {
    all.push_back(std::make_unique<Forked>([&, type] {
      std::mt19937 random(seed + static_cast<unsigned>(type));
      std::array<std::byte, 60> text{};
      for (int i = 0; i < kEach; ++i) {
        const auto length = 1 + random() % text.size();
        std::ranges::fill(text, static_cast<std::byte>(i));
        if (!queue().send(type, std::span(text).first(length), Deadline::never())) return 1;
      }
      return 0;
    }));
    all.push_back(std::make_unique<Forked>([&, type] {
      std::mt19937 random(seed + static_cast<unsigned>(type));
      for (int i = 0; i < kEach; ++i) {
        const auto length = 1 + random() % 60;
        const auto got = queue().receive(buffer_, MessageFilter::exact(type), watchdog());
        if (!got || got->bytes != length) return 1;
        const auto text = std::span(buffer_).first(length);
        if (std::ranges::count(text, static_cast<std::byte>(i)) != std::ssize(text)) return 2;
      }
      return 0;
    }));
  }
  for (auto& process : all) EXPECT_EQ(process->wait(), 0) << "seed " << seed;
  EXPECT_EQ(queue().facts().value().messages, 0U);
}

class SysvQueueStorm : public SysvQueueTest, public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Handlers, SysvQueueStorm, ::testing::Values(0, SA_RESTART));

TEST_P(SysvQueueStorm, SignalsNeitherShortenNorLengthenAReceive) {
  const auto wait = [&](Deadline at, OnSignal on_signal) {
    return queue().receive(buffer_, MessageFilter::any(), at, TooLong::refuse, on_signal);
  };
  test::expect_deadline_kept(GetParam(), [&](Deadline at) { return wait(at, OnSignal::go_on); });
  test::expect_given_up(GetParam(), [&](Deadline at) { return wait(at, OnSignal::give_up); });
  test::expect_given_up(GetParam(),
                        [&](Deadline) { return wait(Deadline::never(), OnSignal::give_up); });
}

TEST_P(SysvQueueStorm, SignalsNeitherShortenNorLengthenASend) {
  fill();
  const auto wait = [&](Deadline at, OnSignal on_signal) {
    return queue().send(1, bytes_of("x"), at, on_signal);
  };
  test::expect_deadline_kept(GetParam(), [&](Deadline at) { return wait(at, OnSignal::go_on); });
  test::expect_given_up(GetParam(), [&](Deadline at) { return wait(at, OnSignal::give_up); });
  test::expect_given_up(GetParam(),
                        [&](Deadline) { return wait(Deadline::never(), OnSignal::give_up); });
}

}  // namespace
}  // namespace signalbox::os
