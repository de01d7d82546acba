// Goal: a POSIX queue hands out the most urgent first, refuses what does not fit with nothing
// queued, keeps deadlines on the monotonic clock, and gives one notice for each time it is asked.
// Method: real queues under names of this process, unlinked at the end; real processes and signals.
#include "signalbox/os/posix_queue.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "base/watchdog.hpp"
#include "os/signal_storm.hpp"
#include "os/test_process.hpp"
#include "os/test_streams.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::Forked;

class PosixQueueTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made =
        PosixQueue::create(name_, {.messages_max = 4, .message_bytes_max = 16, .mode = 0600});
    if (!made && made.error().code == Errc::not_supported) GTEST_SKIP() << made.error().text;
    ASSERT_TRUE(made) << made.error().text;
    queue_ = std::move(*made);
  }
  void TearDown() override { static_cast<void>(PosixQueue::unlink(name_)); }
  void send(std::string_view text, std::uint32_t priority) {
    const auto sent = queue_.send(bytes_of(text), priority, Deadline::immediate());
    ASSERT_TRUE(sent) << sent.error().text;
  }
  // "priority:text" of the next message, or the error's name.
  std::string receive() {
    const auto got = queue_.receive(buffer_, Deadline::immediate());
    if (!got) return std::string(to_string(got.error().code));
    return std::to_string(got->priority) + ":" +
           std::string(reinterpret_cast<const char*>(buffer_.data()), got->bytes);
  }
  void fill() {
    while (queue_.try_send(bytes_of("x"), 0).value()) {
    }
  }

  std::string name_ = "/signalbox-test-" + std::to_string(::getpid());
  PosixQueue queue_ = PosixQueue();
  std::array<std::byte, 16> buffer_{};
};

TEST_F(PosixQueueTest, TheMostUrgentComesFirstAndTheOldestOfThose) {
  send("low", 1);
  send("high", 9);
  send("low2", 1);
  send("high2", 9);
  EXPECT_EQ(receive(), "9:high");
  EXPECT_EQ(receive(), "9:high2");
  EXPECT_EQ(receive(), "1:low");
  EXPECT_EQ(receive(), "1:low2");
  EXPECT_EQ(receive(), "timed_out");
}

TEST_F(PosixQueueTest, WhatDoesNotFitIsRefusedAndNothingIsQueued) {
  const auto priority = queue_.send(bytes_of("x"), 32768, Deadline::never());
  ASSERT_FALSE(priority);
  EXPECT_EQ(priority.error().code, Errc::bad_argument);
  EXPECT_EQ(priority.error().sys_errno, EINVAL);
  const auto length = queue_.send(bytes_of("seventeen bytes!!"), 0, Deadline::never());
  ASSERT_FALSE(length);
  EXPECT_EQ(length.error().code, Errc::too_large);
  EXPECT_EQ(length.error().sys_errno, EMSGSIZE);
  EXPECT_NE(length.error().text.find("at most 16"), std::string::npos) << length.error().text;
  EXPECT_EQ(queue_.facts().value().messages, 0);
  send("", 32767);
  const auto room = queue_.receive(std::span(buffer_).first(15), Deadline::never());
  ASSERT_FALSE(room);
  EXPECT_EQ(room.error().code, Errc::too_large);
  EXPECT_EQ(room.error().sys_errno, EMSGSIZE);
  EXPECT_EQ(queue_.facts().value().messages, 1);
  EXPECT_EQ(receive(), "32767:");
}

TEST_F(PosixQueueTest, TryNeverWaitsAndDeadlinesPass) {
  const auto nothing = queue_.try_receive(buffer_);
  ASSERT_TRUE(nothing) << nothing.error().text;
  EXPECT_FALSE(*nothing);
  for (const Deadline deadline : {Deadline::immediate(), Deadline::after(20ms)}) {
    const auto got = queue_.receive(buffer_, deadline);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::timed_out);
    EXPECT_TRUE(deadline.passed()) << "it ended early";
  }
  fill();
  EXPECT_EQ(queue_.facts().value().messages, 4);
  EXPECT_EQ(queue_.try_send(bytes_of("x"), 0), false);
  EXPECT_EQ(queue_.send(bytes_of("x"), 0, Deadline::after(5ms)).error().code, Errc::timed_out);
  EXPECT_EQ(queue_.facts().value().messages, 4);
}

TEST_F(PosixQueueTest, NamesAreCreatedOnceOpenedAndUnlinked) {
  EXPECT_EQ(PosixQueue::create(name_).error().code, Errc::already_exists);
  EXPECT_EQ(PosixQueue::create(name_).error().sys_errno, EEXIST);
  auto other = PosixQueue::open_or_create(name_, {.messages_max = 1}).value();
  EXPECT_EQ(other.facts().value().messages_max, 4);
  send("both", 3);
  EXPECT_EQ(other.receive(buffer_, watchdog())->priority, 3U);
  ASSERT_TRUE(PosixQueue::unlink(name_));
  EXPECT_EQ(PosixQueue::unlink(name_).error().code, Errc::not_found);
  EXPECT_EQ(PosixQueue::open(name_).error().sys_errno, ENOENT);
  ASSERT_TRUE(other.send(bytes_of("on"), 0, watchdog()));
  auto next = PosixQueue::create(name_).value();
  EXPECT_EQ(next.facts().value().messages, 0);
  EXPECT_EQ(receive(), "0:on") << "holders go on";
  for (const std::string& name : {std::string(), std::string("/"), std::string("plain"),
                                  std::string("/a/b"), "/" + std::string(300, 'x')}) {
    EXPECT_EQ(PosixQueue::create(name).error().code, Errc::bad_name) << name;
    EXPECT_EQ(PosixQueue::open(name).error().code, Errc::bad_name) << name;
    EXPECT_EQ(PosixQueue::unlink(name).error().code, Errc::bad_name) << name;
  }
}

TEST_F(PosixQueueTest, OneNumberAloneLeavesTheOtherAsUsual) {
  ASSERT_TRUE(PosixQueue::unlink(name_));
  const auto usual = PosixQueue::create(name_).value().facts().value();
  ASSERT_TRUE(PosixQueue::unlink(name_));
  const auto made = PosixQueue::create(name_, {.message_bytes_max = 100}).value().facts().value();
  EXPECT_EQ(made.message_bytes_max, 100);
  EXPECT_EQ(made.messages_max, usual.messages_max);
}

TEST_F(PosixQueueTest, LimitsAreNamed) {
  ASSERT_TRUE(PosixQueue::unlink(name_));
  const auto large = PosixQueue::create(name_, {.messages_max = 1L << 40});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Errc::bad_argument);
  EXPECT_EQ(large.error().sys_errno, EINVAL);
  EXPECT_NE(large.error().text.find("msg_max"), std::string::npos) << large.error().text;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_MSGQUEUE, &before), 0);
  const rlimit little{.rlim_cur = 1000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_MSGQUEUE, &little), 0);
  const auto refused = PosixQueue::create(name_);
  ASSERT_EQ(::setrlimit(RLIMIT_MSGQUEUE, &before), 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::limit_reached);
  EXPECT_EQ(refused.error().sys_errno, EMFILE);
  EXPECT_NE(refused.error().text.find("RLIMIT_MSGQUEUE allows, 1000"), std::string::npos)
      << refused.error().text;
  EXPECT_TRUE(PosixQueue::create(name_)) << "nothing is left behind";
}

TEST_F(PosixQueueTest, TheUmaskTakesNothingAndAddsNothing) {
  for (const unsigned mask : {0U, 022U, 0777U}) {
    ASSERT_TRUE(PosixQueue::unlink(name_));
    const mode_t before = ::umask(mask);
    auto made = PosixQueue::create(name_, {.mode = 0640});
    ::umask(before);
    ASSERT_TRUE(made) << made.error().text;
    struct stat facts{};
    const mqd_t bare = ::mq_open(name_.c_str(), O_RDONLY);
    ASSERT_EQ(::fstat(bare, &facts), 0);
    ::mq_close(bare);
    EXPECT_EQ(facts.st_mode & 0777U, 0640U) << "under umask " << mask;
  }
}

TEST_F(PosixQueueTest, AHandleForOneDirectionRefusesTheOther) {
  auto sender = PosixQueue::open(name_, QueueAccess::send).value();
  auto receiver = PosixQueue::open(name_, QueueAccess::receive).value();
  EXPECT_EQ(receiver.try_send(bytes_of("x"), 0).error().code, Errc::permission_denied);
  ASSERT_TRUE(sender.send(bytes_of("x"), 0, watchdog()));
  EXPECT_EQ(sender.try_receive(buffer_).error().code, Errc::permission_denied);
  EXPECT_TRUE(receiver.receive(buffer_, watchdog()));
  const PosixQueue moved = std::move(sender);
  EXPECT_FALSE(sender);
  EXPECT_EQ(sender.send(bytes_of("x"), 0, watchdog()).error().code, Errc::closed);
  EXPECT_EQ(sender.facts().error().code, Errc::closed);
}

TEST_F(PosixQueueTest, WhoWaitsIsServed) {
  Forked receiver([&] {
    const auto got = queue_.receive(buffer_, watchdog());
    return got && got->priority == 5 ? 0 : 1;
  });
  send("yes", 5);
  EXPECT_EQ(receiver.wait(), 0);
  fill();
  Forked sender([&] { return queue_.send(bytes_of("in"), 7, Deadline::never()) ? 0 : 1; });
  ASSERT_TRUE(queue_.receive(buffer_, watchdog()));
  EXPECT_EQ(sender.wait(), 0);
  EXPECT_EQ(receive(), "7:in");
}

TEST_F(PosixQueueTest, ItsDescriptorTellsWhatIsPossible) {
  const mqd_t fd = ::mq_open(name_.c_str(), O_RDWR | O_CLOEXEC);
  const auto ready = [&] {
    pollfd on{.fd = fd, .events = POLLIN | POLLOUT, .revents = 0};
    ::poll(&on, 1, 0);
    return on.revents;
  };
  EXPECT_EQ(ready(), POLLOUT);
  send("x", 0);
  EXPECT_EQ(ready(), POLLIN | POLLOUT);
  fill();
  EXPECT_EQ(ready(), POLLIN);
  ::mq_close(fd);
}

class Notices {
 public:
  Notices() {
    ::sigemptyset(&set_);
    ::sigaddset(&set_, SIGUSR2);
    ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~Notices() {
    while (next()) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  std::optional<siginfo_t> next(timespec span = {0, 0}) {
    siginfo_t info{};
    if (::sigtimedwait(&set_, &info, &span) != SIGUSR2) return std::nullopt;
    return info;
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
};

TEST_F(PosixQueueTest, OneNoticeForEachTimeItIsAsked) {
  Notices notices;
  ASSERT_TRUE(queue_.notify_once(SIGUSR2, 77));
  Forked sender([&] { return queue_.send(bytes_of("x"), 0, watchdog()) ? 0 : 1; });
  const auto pid = sender.pid();
  EXPECT_EQ(sender.wait(), 0);
  const auto notice = notices.next({20, 0});
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->si_code, SI_MESGQ);
  EXPECT_EQ(notice->si_pid, pid);
  EXPECT_EQ(notice->si_uid, ::getuid());
  EXPECT_EQ(notice->si_value.sival_int, 77);
  EXPECT_EQ(receive(), "0:x");
  send("y", 0);
  EXPECT_FALSE(notices.next()) << "it was asked once";
  ASSERT_TRUE(queue_.notify_once(SIGUSR2, 78));
  send("z", 0);
  EXPECT_FALSE(notices.next()) << "the queue was not empty";
  receive();
  receive();
  send("w", 0);
  ASSERT_TRUE(notices.next({20, 0}));
}

TEST_F(PosixQueueTest, OneProcessAtATimeMayAskForTheNotice) {
  Notices notices;
  ASSERT_TRUE(queue_.notify_once(SIGUSR2, 1));
  const auto again = queue_.notify_once(SIGUSR2, 2);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::already_exists);
  EXPECT_EQ(again.error().sys_errno, EBUSY);
  Forked other([&] {
    const auto asked = queue_.notify_once(SIGUSR2, 3);
    return !asked && asked.error().sys_errno == EBUSY ? 0 : 1;
  });
  EXPECT_EQ(other.wait(), 0);
  ASSERT_TRUE(queue_.forget_notice());
  send("x", 0);
  EXPECT_FALSE(notices.next());
  EXPECT_EQ(queue_.notify_once(0, 1).error().code, Errc::bad_argument);
  EXPECT_EQ(queue_.notify_once(1000, 1).error().code, Errc::bad_argument);
}

class PosixQueueStorm : public PosixQueueTest, public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Handlers, PosixQueueStorm, ::testing::Values(0, SA_RESTART));

TEST_P(PosixQueueStorm, SignalsNeitherShortenNorLengthenAReceive) {
  const auto wait = [&](Deadline at, OnSignal on_signal) {
    return queue_.receive(buffer_, at, on_signal);
  };
  test::expect_deadline_kept(GetParam(), [&](Deadline at) { return wait(at, OnSignal::go_on); });
  test::expect_given_up(GetParam(), [&](Deadline at) { return wait(at, OnSignal::give_up); });
  test::expect_given_up(GetParam(),
                        [&](Deadline) { return wait(Deadline::never(), OnSignal::give_up); });
}

TEST_P(PosixQueueStorm, SignalsNeitherShortenNorLengthenASend) {
  fill();
  const auto wait = [&](Deadline at, OnSignal on_signal) {
    return queue_.send(bytes_of("x"), 0, at, on_signal);
  };
  test::expect_deadline_kept(GetParam(), [&](Deadline at) { return wait(at, OnSignal::go_on); });
  test::expect_given_up(GetParam(), [&](Deadline at) { return wait(at, OnSignal::give_up); });
  EXPECT_EQ(queue_.facts().value().messages, 4);
}

}  // namespace
}  // namespace signalbox::os
