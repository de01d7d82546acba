// Goal: pipes keep what their header says: order, the end of the file, capacity, atomic pieces,
// deadlines, and that no write ever kills the application.
// Method: real pipes; what a bare descriptor would do is asked of the kernel beside it. Scenario
// rows 65, 66 and 68 (LTP pipe08, write05, pipe14, pipe12, pipe2_04) and their neighbours.
#include "signalbox/os/pipe.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <random>
#include <thread>
#include <vector>

#include "os/quiet_write.hpp"
#include "os/signal_storm.hpp"
#include "os/test_process.hpp"
#include "os/test_streams.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::read_text;
using test::read_to_end;
using test::soon;

bool is_sigpipe_pending() {
  sigset_t pending;
  ::sigpending(&pending);
  return ::sigismember(&pending, SIGPIPE) == 1;
}

TEST(Pipe, CarriesBytesInOrderAndTellsTheEnd) {
  auto pipe = must(Pipe::create());
  EXPECT_EQ(must(pipe.writer.try_write(bytes_of("one "))), 4U);
  EXPECT_EQ(must(pipe.writer.write(bytes_of("two"), soon())), 3U);
  EXPECT_EQ(must(pipe.reader.readable_bytes()), 7U);
  EXPECT_EQ(must(pipe.writer.readable_bytes()), 7U);
  pipe.writer.close();
  EXPECT_EQ(read_to_end(pipe.reader), "one two");
  std::byte room[1];
  EXPECT_EQ(must(pipe.reader.try_read(room)), 0U) << "the end of the file is a value";
}

TEST(Pipe, EmptyWouldBlockAndTimesOut) {
  auto pipe = must(Pipe::create());
  std::byte room[8];
  const Error empty = pipe.reader.try_read(room).error();
  EXPECT_EQ(empty.code, Errc::would_block);
  EXPECT_EQ(empty.sys_errno, EAGAIN);
  EXPECT_EQ(pipe.reader.read(room, Deadline::immediate()).error().code, Errc::timed_out);
  EXPECT_EQ(pipe.reader.read(room, Deadline::after(2ms)).error().code, Errc::timed_out);
  const std::jthread writer([&] { must(pipe.writer.try_write(bytes_of("x"))); });
  EXPECT_EQ(must(pipe.reader.read(room, soon())), 1U);
}

// Row 68: EAGAIN for a full pipe; as many bytes as it holds of a write that is too long.
TEST(Pipe, FullWouldBlockAndALongWriteIsCutAtTheCapacity) {
  auto pipe = must(Pipe::create());
  const std::size_t capacity = must(pipe.writer.capacity());
  const std::vector<std::byte> much(capacity + 1000);
  EXPECT_EQ(must(pipe.writer.try_write(much)), capacity);
  const Error full = pipe.writer.try_write(much).error();
  EXPECT_EQ(full.code, Errc::would_block);
  EXPECT_EQ(full.sys_errno, EAGAIN);
  EXPECT_EQ(pipe.writer.write(much, Deadline::after(1ms)).error().code, Errc::timed_out);
  std::span<const std::byte> rest = much;
  EXPECT_EQ(pipe.writer.write_all(rest, Deadline::after(1ms)).error().code, Errc::timed_out);
  EXPECT_EQ(rest.size(), much.size());
}

// Row 65, three ways: the application takes SIGPIPE by default, handles it, or ignores it.
TEST(Pipe, AWriteThatNobodyReadsIsAnErrorAndKillsNobody) {
  auto pipe = must(Pipe::create());
  pipe.reader.close();
  const auto refused = [&] {
    const Error error = pipe.writer.try_write(bytes_of("x")).error();
    EXPECT_EQ(error.sys_errno, EPIPE);
    EXPECT_FALSE(is_sigpipe_pending());
    return error.code;
  };
  ASSERT_EQ(::signal(SIGPIPE, SIG_DFL), SIG_DFL);
  EXPECT_EQ(refused(), Errc::closed);
  EXPECT_EQ(pipe.writer.write_atomic(bytes_of("x"), soon()).error().code, Errc::closed);
  static std::atomic<int> handled;
  ::signal(SIGPIPE, [](int) { ++handled; });
  EXPECT_EQ(refused(), Errc::closed);
  EXPECT_EQ(handled, 0);
  ::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(refused(), Errc::closed);
  ::signal(SIGPIPE, SIG_DFL);
}

TEST(Pipe, BothWaysToWriteQuietlySayTheSame) {
  auto pipe = must(Pipe::create());
  const int fd = pipe.writer.fd().get();
  EXPECT_EQ(write_with_signal_held_back(fd, bytes_of("abc")), 3);
  const bool has_flag = write_without_signal(fd, bytes_of("de")) == 2;
  EXPECT_TRUE(has_flag || errno == EOPNOTSUPP);
  EXPECT_EQ(read_text(pipe.reader), has_flag ? "abcde" : "abc");
  pipe.reader.close();
  errno = 0;
  EXPECT_EQ(write_with_signal_held_back(fd, bytes_of("x")), -1);
  EXPECT_EQ(errno, EPIPE);
  if (has_flag) {
    EXPECT_EQ(write_without_signal(fd, bytes_of("x")), -1);
    EXPECT_EQ(errno, EPIPE);
  }
  EXPECT_FALSE(is_sigpipe_pending());
}

TEST(Pipe, AWriterThatSleepsLearnsThatTheReaderHasGone) {
  auto pipe = must(Pipe::create());
  const std::vector<std::byte> much(must(pipe.writer.capacity()));
  must(pipe.writer.try_write(much));
  const std::jthread leaver([&] { pipe.reader.close(); });
  EXPECT_EQ(pipe.writer.write(much, soon()).error().code, Errc::closed);
}

TEST(Pipe, CapacityIsSetAskedAndLimited) {
  auto pipe = must(Pipe::create({.capacity = 200'000}));
  EXPECT_GE(must(pipe.writer.capacity()), 200'000U);
  const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  EXPECT_EQ(must(pipe.reader.set_capacity(1)), page);
  EXPECT_EQ(must(pipe.writer.capacity()), page);
  must(pipe.writer.set_capacity(2 * page));
  must(pipe.writer.try_write(std::vector<std::byte>(2 * page)));
  const Error busy = pipe.writer.set_capacity(page).error();
  EXPECT_EQ(busy.code, Errc::would_block);
  EXPECT_EQ(busy.sys_errno, EBUSY);
  EXPECT_EQ(pipe.writer.set_capacity(SIZE_MAX).error().code, Errc::bad_argument);
}

TEST(Pipe, MoreThanAUserMayHaveNamesTheLimit) {
  if (::geteuid() == 0) {
    test::Forked user([] {
      if (::setuid(65534) != 0) return 1;
      const auto refused = Pipe::create({.capacity = 1U << 30});
      if (refused) return 2;
      if (refused.error().code != Errc::limit_reached || refused.error().sys_errno != EPERM)
        return 3;
      return refused.error().text.find("/proc/sys/fs/pipe-max-size (here ") != std::string::npos
                 ? 0
                 : 4;
    });
    EXPECT_EQ(user.wait(), 0);
    return;
  }
  EXPECT_EQ(Pipe::create({.capacity = 1U << 30}).error().code, Errc::limit_reached);
}

TEST(Pipe, DescriptorsUsedUpNameTheLimitAndNothingLeaks) {
  const std::size_t before = test::open_descriptors();
  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  const rlimit tight{.rlim_cur = before, .rlim_max = old.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &tight);
  const auto refused = DuplexPipe::create();
  ::setrlimit(RLIMIT_NOFILE, &old);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::limit_reached);
  EXPECT_EQ(refused.error().sys_errno, EMFILE);
  EXPECT_NE(refused.error().text.find("ulimit -n"), std::string::npos);
  EXPECT_EQ(test::open_descriptors(), before);
}

// Four writers, each piece of its own letter: no piece is ever cut.
TEST(Pipe, AtomicPiecesStayWhole) {
  auto pipe = must(Pipe::create({.capacity = 4096}));
  constexpr std::size_t kPiece = 3000;
  constexpr int kPieces = 50;
  {
    std::vector<std::jthread> writers;
    for (char letter = 'a'; letter < 'e'; ++letter) {
      writers.emplace_back([&pipe, letter] {
        const std::string piece(kPiece, letter);
        for (int i = 0; i < kPieces; ++i) must(pipe.writer.write_atomic(bytes_of(piece), soon()));
      });
    }
    std::vector<std::byte> room(kPiece);
    for (int i = 0; i < 4 * kPieces; ++i) {
      std::span<std::byte> rest = room;
      must(pipe.reader.read_all(rest, soon()));
      const std::string piece = test::text_of(room);
      ASSERT_EQ(piece, std::string(kPiece, piece[0]));
    }
  }
  const std::vector<std::byte> more(pipe_atomic_bytes_max + 1);
  EXPECT_EQ(pipe.writer.try_write_atomic(more).error().code, Errc::too_large);
  EXPECT_EQ(must(pipe.reader.readable_bytes()), 0U);
}

TEST(Pipe, WriteAllAndReadAllGoOnUntilTheyAreDone) {
  auto pipe = must(Pipe::create());
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::string sent(3'000'000, ' ');
  for (char& letter : sent) letter = static_cast<char>('a' + random() % 26);
  std::jthread writer([&] {
    std::span<const std::byte> rest = bytes_of(sent);
    must(pipe.writer.write_all(rest, soon()));
    EXPECT_TRUE(rest.empty());
    pipe.writer.close();
  });
  std::vector<std::byte> room(sent.size() + 10);
  std::span<std::byte> rest = room;
  must(pipe.reader.read_all(rest, soon()));
  EXPECT_EQ(rest.size(), 10U) << "the file ended first";
  EXPECT_TRUE(test::text_of(std::span(room).first(sent.size())) == sent);
}

TEST(Pipe, ASignalEndsTheWaitOrTheRemainingTimeIsWaited) {
  auto pipe = must(Pipe::create());
  std::byte room[1];
  test::expect_given_up(
      0, [&](Deadline deadline) { return pipe.reader.read(room, deadline, OnSignal::give_up); });
  test::expect_deadline_kept(0,
                             [&](Deadline deadline) { return pipe.reader.read(room, deadline); });
}

TEST(Pipe, DuplexSidesTalkBothWays) {
  auto [ours, theirs] = must(DuplexPipe::create());
  must(ours.writer.try_write(bytes_of("question")));
  EXPECT_EQ(read_text(theirs.reader), "question");
  must(theirs.writer.try_write(bytes_of("answer")));
  EXPECT_EQ(read_text(ours.reader), "answer");
}

TEST(Pipe, EndsAreCloseOnExecAndAdoptedOnesBecomeSo) {
  auto pipe = must(Pipe::create());
  EXPECT_EQ(::fcntl(pipe.reader.fd().get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(pipe.writer.fd().get(), F_GETFD), FD_CLOEXEC);
  int bare[2];
  ASSERT_EQ(::pipe(bare), 0);
  auto reader = must(PipeReader::adopt(Fd(bare[0])));
  auto writer = must(PipeWriter::adopt(Fd(bare[1])));
  EXPECT_EQ(::fcntl(bare[0], F_GETFD), FD_CLOEXEC);
  EXPECT_NE(::fcntl(bare[0], F_GETFL) & O_NONBLOCK, 0);
  must(writer.try_write(bytes_of("x")));
  EXPECT_EQ(read_text(reader), "x");
  EXPECT_EQ(PipeReader::adopt(writer.release()).error().code, Errc::bad_argument);
  EXPECT_EQ(PipeWriter::adopt(reader.release()).error().code, Errc::bad_argument);
  EXPECT_EQ(PipeReader::adopt(Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC))).error().code,
            Errc::bad_argument);
  EXPECT_EQ(PipeReader::adopt(Fd()).error().code, Errc::bad_argument);
  EXPECT_FALSE(reader);
  std::byte room[1];
  EXPECT_EQ(reader.try_read(room).error().code, Errc::bad_argument) << "given away";
  EXPECT_EQ(reader.read(room, soon()).error().sys_errno, EBADF);
}

// Row 66, between processes: the writer is gone before anything was read.
TEST(Pipe, WhatADeadWriterWroteIsReadFirst) {
  auto pipe = must(Pipe::create());
  test::Forked writer([&] { return pipe.writer.try_write(bytes_of("last words")) ? 0 : 1; });
  EXPECT_EQ(writer.wait(), 0);
  pipe.writer.close();
  EXPECT_EQ(read_to_end(pipe.reader), "last words");
}

}  // namespace
}  // namespace signalbox::os
