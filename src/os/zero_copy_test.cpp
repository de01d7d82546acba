// Goal: bytes move inside the kernel whole, in order and once, and it is told how far they came.
// Method: real pipes, files and sockets; what arrives is compared with random bytes.
#include "signalbox/os/zero_copy.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <random>
#include <thread>

#include "os/test_streams.hpp"
#include "signalbox/os/unix_socket.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::read_text;
using test::read_to_end;
using test::soon;

std::string random_text(std::size_t bytes) {
  const auto seed = std::random_device{}();
  ::testing::Test::RecordProperty("seed", std::to_string(seed));
  std::mt19937 random(seed);
  std::string text(bytes, ' ');
  for (char& letter : text) letter = static_cast<char>('a' + random() % 26);
  return text;
}

struct Files {
  test::OwnDirectory directory;
  Fd open(const char* name, int flags) const {
    return Fd(::open((directory / name).c_str(), flags | O_CLOEXEC, 0600));
  }
  Fd filled(const char* name, const std::string& text) const {
    std::ofstream(directory / name) << text;
    return open(name, O_RDONLY);
  }
  std::string text_of(const char* name) const {
    std::ifstream file(directory / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

TEST(ZeroCopy, AFileGoesToASocketWhole) {
  const Files files;
  const std::string text = random_text(3'000'000);
  const Fd file = files.filled("source", text);
  auto [server, client] = must(UnixStream::pair());
  std::uint64_t offset = 0;
  EXPECT_EQ(send_file_all(server.fd(), file, offset, Deadline::after(1ms)).error().code,
            Errc::timed_out);
  EXPECT_GT(offset, 0U) << "some of it went";
  std::jthread sender([&] {
    must(send_file_all(server.fd(), file, offset, soon()));
    server.close();
  });
  EXPECT_TRUE(read_to_end(client) == text);
  sender.join();
  EXPECT_EQ(offset, text.size());
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 0) << "the file stands where it stood";
}

TEST(ZeroCopy, ASocketGoesThroughAPipeIntoAFile) {
  const Files files;
  const std::string text = random_text(1'000'000);
  auto [sender, receiver] = must(UnixStream::pair());
  std::jthread writer([&] {
    std::span<const std::byte> rest = bytes_of(text);
    must(sender.write_all(rest, soon()));
    sender.close();
  });
  auto pipe = must(Pipe::create());
  const Fd file = files.open("copy", O_WRONLY | O_CREAT);
  std::size_t total = 0;
  for (;;) {
    const std::size_t in = must(splice_into(pipe.writer, receiver.fd(), 100'000, soon()));
    if (in == 0) break;
    for (std::size_t out = 0; out < in;)
      out += must(splice_out(pipe.reader, file, in - out, soon()));
    total += in;
  }
  EXPECT_EQ(total, text.size());
  EXPECT_TRUE(files.text_of("copy") == text);
}

TEST(ZeroCopy, FanOutGivesEverythingToThree) {
  const std::string text = random_text(500'000);
  auto source = must(Pipe::create());
  auto first = must(Pipe::create({.capacity = 4096}));
  auto between = must(Pipe::create());
  auto second = must(Pipe::create());
  auto third = must(Pipe::create({.capacity = 8192}));
  std::jthread writer([&] {
    std::span<const std::byte> rest = bytes_of(text);
    must(source.writer.write_all(rest, soon()));
    source.writer.close();
  });
  const auto run = [](const PipeReader& from, PipeWriter& copy, PipeWriter& rest) {
    FanOut fan(from, copy, rest.fd());
    for (;;) {
      const auto moved = fan.step(Deadline::after(1ms));  // ends in the middle, often
      if (!moved && moved.error().code == Errc::timed_out) continue;
      if (must(moved) == 0) break;
    }
    copy.close();
    rest.close();
  };
  std::jthread one([&] { run(source.reader, first.writer, between.writer); });
  std::jthread two([&] { run(between.reader, second.writer, third.writer); });
  std::string got[3];
  std::jthread reader_one([&] { got[0] = read_to_end(first.reader); });
  std::jthread reader_two([&] { got[1] = read_to_end(second.reader); });
  got[2] = read_to_end(third.reader);
  reader_one.join();
  reader_two.join();
  for (const std::string& all : got) EXPECT_TRUE(all == text);
}

TEST(ZeroCopy, TeeLeavesTheBytesWhereTheyAre) {
  auto from = must(Pipe::create());
  auto to = must(Pipe::create());
  EXPECT_EQ(tee(from.reader, to.writer, 10, Deadline::immediate()).error().code, Errc::timed_out);
  must(from.writer.try_write(bytes_of("twice")));
  EXPECT_EQ(must(tee(from.reader, to.writer, 3, soon())), 3U);
  EXPECT_EQ(read_text(to.reader), "twi");
  EXPECT_EQ(read_text(from.reader), "twice");
  from.writer.close();
  EXPECT_EQ(must(tee(from.reader, to.writer, 10, soon())), 0U);
}

TEST(ZeroCopy, PagesOfOursGoIntoAPipe) {
  auto pipe = must(Pipe::create());
  const std::string text = random_text(20'000);
  EXPECT_EQ(must(vmsplice(pipe.writer, bytes_of(text), soon())), text.size());
  EXPECT_TRUE(read_text(pipe.reader, text.size()) == text);
}

TEST(ZeroCopy, AFileIsCopiedToAFile) {
  const Files files;
  const std::string text = random_text(300'000);
  const Fd from = files.filled("source", text);
  const Fd to = files.open("copy", O_RDWR | O_CREAT);
  std::uint64_t from_offset = 1000;
  std::uint64_t to_offset = 0;
  const auto copied = copy_file_all(from, from_offset, to, to_offset);
  if (!copied && copied.error().code == Errc::not_supported) GTEST_SKIP() << copied.error().text;
  must(copied);
  EXPECT_EQ(to_offset, text.size() - 1000);
  EXPECT_TRUE(files.text_of("copy") == text.substr(1000));
}

TEST(ZeroCopy, WhoDoesNotReadKillsNobody) {
  ASSERT_EQ(::signal(SIGPIPE, SIG_DFL), SIG_DFL);
  const Files files;
  const Fd file = files.filled("source", "text");
  auto closed = must(Pipe::create());
  closed.reader.close();
  auto source = must(Pipe::create());
  must(source.writer.try_write(bytes_of("x")));
  std::uint64_t offset = 0;
  auto [one, other] = must(UnixStream::pair());
  other.close();
  EXPECT_EQ(splice_into(closed.writer, file, 4, soon()).error().code, Errc::closed);
  EXPECT_EQ(tee(source.reader, closed.writer, 4, soon()).error().sys_errno, EPIPE);
  EXPECT_EQ(vmsplice(closed.writer, bytes_of("x"), soon()).error().code, Errc::closed);
  EXPECT_EQ(splice_out(source.reader, one.fd(), 4, soon()).error().code, Errc::closed);
  EXPECT_EQ(send_file(one.fd(), file, offset, 4, soon()).error().code, Errc::closed);
  EXPECT_EQ(send_file_all(closed.writer.fd(), file, offset, soon()).error().code, Errc::closed);
  EXPECT_EQ(offset, 0U);
  sigset_t pending;
  ::sigpending(&pending);
  EXPECT_EQ(::sigismember(&pending, SIGPIPE), 0);
}

// What has a position is written without holding SIGPIPE back first.
TEST(ZeroCopy, APipeGoesIntoAFileAndWaitsWhereItIsEmpty) {
  const Files files;
  auto pipe = must(Pipe::create());
  const Fd file = files.open("target", O_WRONLY | O_CREAT);
  EXPECT_EQ(splice_out(pipe.reader, file, 4, Deadline::after(1ms)).error().code, Errc::timed_out);
  must(pipe.writer.try_write(bytes_of("abcdef")));
  EXPECT_EQ(splice_out(pipe.reader, file, 4, Deadline::immediate()), 4U);
  std::jthread late([&] {
    EXPECT_EQ(splice_out(pipe.reader, file, 99, soon()), 2U);
    EXPECT_EQ(splice_out(pipe.reader, file, 99, soon()), 2U) << "what came while it waited";
    EXPECT_EQ(splice_out(pipe.reader, file, 99, soon()), 0U) << "the end";
  });
  while (must(pipe.writer.readable_bytes()) != 0) std::this_thread::yield();
  must(pipe.writer.try_write(bytes_of("gh")));
  pipe.writer.close();
  late.join();
  EXPECT_EQ(files.text_of("target"), "abcdefgh");
}

TEST(ZeroCopy, WrongEndsAreRefused) {
  const Files files;
  const Fd file = files.filled("source", "text");
  const Fd appended = files.open("appended", O_WRONLY | O_CREAT | O_APPEND);
  auto pipe = must(Pipe::create());
  must(pipe.writer.try_write(bytes_of("x")));
  EXPECT_EQ(splice_out(pipe.reader, appended, 4, soon()).error().code, Errc::bad_argument);
  EXPECT_EQ(splice_out(pipe.reader, Fd(), 4, soon()).error().code, Errc::bad_argument);
  EXPECT_EQ(tee(pipe.reader, pipe.writer, 4, soon()).error().code, Errc::bad_argument);
}

}  // namespace
}  // namespace signalbox::os
