// Goal: streams, seqpackets and datagrams carry what they promise, descriptors among it, say who is
// at the other end, and leak nothing, whatever the other end sends.
// Method: real sockets; what our own wrappers refuse to send is sent with the bare sendmsg(2).
// Scenario rows 72 and 73 (LTP bind04, bind05, sendmsg01, recvmsg01) and their neighbours.
#include "signalbox/os/unix_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <random>
#include <thread>

#include "os/signal_storm.hpp"
#include "os/test_process.hpp"
#include "os/test_streams.hpp"
#include "signalbox/os/pipe.hpp"
#include "signalbox/os/unix_datagram.hpp"
#include "signalbox/os/unix_listener.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::read_text;
using test::read_to_end;
using test::soon;
using test::text_of;

template <class Socket>
std::string receive_text(Socket& from) {
  std::byte room[256];
  const Received got = must(from.receive(room, soon()));
  EXPECT_TRUE(got.is_whole());
  return text_of(std::span(room).first(got.bytes));
}

TEST(UnixStream, CarriesBytesBothWaysAndEndsByHalves) {
  auto [one, other] = must(UnixStream::pair());
  EXPECT_EQ(must(one.try_write(bytes_of("question"))), 8U);
  must(one.end_writing());
  EXPECT_EQ(read_to_end(other), "question");
  must(other.write(bytes_of("answer"), soon()));
  EXPECT_EQ(read_text(one), "answer");
  EXPECT_EQ(one.try_write(bytes_of("more")).error().code, Errc::closed);
  other.close();
  EXPECT_EQ(read_text(one), "");
}

TEST(UnixStream, DeadlinesAndWouldBlock) {
  auto [one, other] = must(UnixStream::pair());
  std::byte room[8];
  EXPECT_EQ(one.try_read(room).error().sys_errno, EAGAIN);
  EXPECT_EQ(one.read(room, Deadline::after(1ms)).error().code, Errc::timed_out);
  const std::vector<std::byte> much(10'000'000);
  std::span<const std::byte> rest = much;
  EXPECT_EQ(one.write_all(rest, Deadline::after(1ms)).error().code, Errc::timed_out);
  EXPECT_LT(rest.size(), much.size());
  EXPECT_EQ(one.try_write(much).error().code, Errc::would_block);
  std::vector<std::byte> back(much.size() - rest.size());
  std::span<std::byte> into = back;
  must(other.read_all(into, soon()));
  EXPECT_TRUE(into.empty());
}

TEST(UnixStream, ADeadPeerIsClosedAndKillsNobody) {
  ASSERT_EQ(::signal(SIGPIPE, SIG_DFL), SIG_DFL);
  auto [one, other] = must(UnixStream::pair());
  other.close();
  const Error error = one.try_write(bytes_of("x")).error();
  EXPECT_EQ(error.code, Errc::closed);
  EXPECT_EQ(error.sys_errno, EPIPE);
  auto [seq, its_peer] = must(UnixSeqpacket::pair());
  its_peer.close();
  EXPECT_EQ(seq.try_send(bytes_of("x")).error().code, Errc::closed);
  EXPECT_EQ(seq.try_send(bytes_of("x")).error().code, Errc::closed);
}

// Row 73: usable at the other end, and close-on-exec there.
TEST(UnixStream, PassesDescriptors) {
  auto [one, other] = must(UnixStream::pair());
  auto pipe = must(Pipe::create());
  const int both[] = {pipe.reader.fd().get(), pipe.writer.fd().get()};
  EXPECT_EQ(must(one.write_with(bytes_of("two"), both, soon())), 3U);
  std::byte room[8];
  std::vector<Fd> came;
  const Received got = must(other.read_with(room, came, soon()));
  EXPECT_EQ(got.bytes, 3U);
  ASSERT_EQ(came.size(), 2U);
  pipe = {};
  EXPECT_EQ(::fcntl(came[0].get(), F_GETFD), FD_CLOEXEC);
  auto reader = must(PipeReader::adopt(std::move(came[0])));
  auto writer = must(PipeWriter::adopt(std::move(came[1])));
  must(writer.try_write(bytes_of("through")));
  EXPECT_EQ(read_text(reader), "through");
  EXPECT_EQ(one.write_with({}, both, soon()).error().code, Errc::bad_argument);
  const int closed[] = {both[0]};
  EXPECT_EQ(one.write_with(bytes_of("x"), closed, soon()).error().sys_errno, EBADF);
}

TEST(UnixStream, PlainReadsAndUnwantedDescriptorsLeakNothing) {
  auto [one, other] = must(UnixStream::pair());
  const int own[] = {0, 1, 2};
  const std::size_t before = test::open_descriptors();
  must(one.write_with(bytes_of("x"), own, soon()));
  EXPECT_EQ(read_text(other), "x");
  EXPECT_EQ(test::open_descriptors(), before);
}

TEST(UnixSeqpacket, KeepsMessagesApartAndTellsTheEnd) {
  auto [one, other] = must(UnixSeqpacket::pair());
  must(one.try_send(bytes_of("first")));
  must(one.send(bytes_of("second"), soon()));
  EXPECT_EQ(one.try_send({}).error().code, Errc::bad_argument);
  EXPECT_EQ(receive_text(other), "first");
  EXPECT_EQ(receive_text(other), "second");
  std::byte room[8];
  EXPECT_EQ(other.try_receive(room).error().code, Errc::would_block);
  EXPECT_EQ(other.receive(room, Deadline::after(1ms)).error().code, Errc::timed_out);
  one.close();
  EXPECT_EQ(must(other.receive(room, soon())).bytes, 0U);
}

TEST(UnixSeqpacket, WhatDoesNotFitIsTold) {
  auto [one, other] = must(UnixSeqpacket::pair());
  must(one.try_send(bytes_of("0123456789")));
  std::byte room[4];
  const Received cut = must(other.receive(room, soon()));
  EXPECT_EQ(cut.bytes, 4U);
  EXPECT_EQ(cut.bytes_sent, 10U);
  EXPECT_FALSE(cut.is_whole());
  must(one.try_send(bytes_of("next")));
  EXPECT_EQ(receive_text(other), "next");
  const std::vector<std::byte> huge(64'000'000);
  const Error error = one.try_send(huge).error();
  EXPECT_EQ(error.code, Errc::too_large);
  EXPECT_EQ(error.sys_errno, EMSGSIZE);
  EXPECT_NE(error.text.find("wmem_max"), std::string::npos);
}

TEST(UnixSeqpacket, DescriptorsArriveOrAreToldAsLost) {
  auto [one, other] = must(UnixSeqpacket::pair());
  const std::vector<int> most(descriptors_per_message_max, 0);
  const std::size_t before = test::open_descriptors();
  std::byte room[8];
  {
    must(one.try_send(bytes_of("all"), most));
    std::vector<Fd> came;
    EXPECT_TRUE(must(other.receive(room, soon(), OnSignal::go_on, &came)).is_whole());
    EXPECT_EQ(came.size(), most.size());
  }
  EXPECT_EQ(test::open_descriptors(), before);
  must(one.try_send(bytes_of("none"), most));
  const Received lost = must(other.receive(room, soon()));
  EXPECT_TRUE(lost.has_lost_descriptors);
  EXPECT_EQ(test::open_descriptors(), before);
  const std::vector<int> more(descriptors_per_message_max + 1, 0);
  EXPECT_EQ(one.try_send(bytes_of("x"), more).error().code, Errc::bad_argument);
}

// This process has room for two more, and three come.
TEST(UnixSeqpacket, WithoutRoomForDescriptorsNoneLeaks) {
  auto [one, other] = must(UnixSeqpacket::pair());
  const int three[] = {0, 1, 2};
  must(one.try_send(bytes_of("x"), three));
  const std::size_t before = test::open_descriptors();
  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  const Fd highest(::fcntl(0, F_DUPFD_CLOEXEC, 0));
  const rlimit tight{.rlim_cur = static_cast<rlim_t>(highest.get()) + 3, .rlim_max = old.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &tight);
  std::byte room[8];
  std::vector<Fd> came;
  const auto got = other.receive(room, soon(), OnSignal::go_on, &came);
  ::setrlimit(RLIMIT_NOFILE, &old);
  const Received received = must(got);
  EXPECT_TRUE(received.has_lost_descriptors);
  EXPECT_EQ(came.size(), 2U);
  came.clear();
  EXPECT_EQ(test::open_descriptors(), before + 1);
}

// Row 73: what a program sends that makes its control data by hand.
TEST(UnixSeqpacket, MalformedControlDataIsTheSendersError) {
  auto [one, other] = must(UnixSeqpacket::pair());
  const std::size_t before = test::open_descriptors();
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  char byte = 'x';
  iovec part{.iov_base = &byte, .iov_len = 1};
  const auto send = [&](std::size_t header_bytes, std::size_t control_bytes, int type) {
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = control_bytes;
    auto* const header = reinterpret_cast<cmsghdr*>(control);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = type;
    header->cmsg_len = header_bytes;
    return ::sendmsg(one.fd().get(), &message, MSG_NOSIGNAL) < 0 ? errno : 0;
  };
  EXPECT_EQ(send(CMSG_LEN(sizeof(int)), sizeof(control), 99), EINVAL);
  EXPECT_EQ(send(CMSG_LEN(sizeof(int)) + 1000, sizeof(control), SCM_RIGHTS), EINVAL);
  EXPECT_EQ(send(1, sizeof(control), SCM_RIGHTS), EINVAL);
  EXPECT_EQ(send(CMSG_LEN(sizeof(int)), CMSG_LEN(sizeof(int)), SCM_RIGHTS), 0) << "0 is stdin";
  std::byte room[8];
  std::vector<Fd> came;
  EXPECT_EQ(must(other.receive(room, soon(), OnSignal::go_on, &came)).bytes, 1U);
  EXPECT_EQ(came.size(), 1U);
  came.clear();
  EXPECT_EQ(test::open_descriptors(), before);
}

TEST(UnixDatagram, AnswersWhoAsked) {
  const test::OwnDirectory directory;
  const auto at = must(UnixAddress::path(directory / "server"));
  auto server = must(UnixDatagram::bind(at));
  auto client = must(UnixDatagram::bind(UnixAddress::chosen_by_kernel()));
  must(client.send_to(at, bytes_of("question"), soon()));
  std::byte room[64];
  UnixAddress sender;
  const Received got = must(server.receive(room, soon(), OnSignal::go_on, &sender));
  EXPECT_EQ(text_of(std::span(room).first(got.bytes)), "question");
  EXPECT_TRUE(sender.is_abstract());
  EXPECT_EQ(sender, must(client.local_address()));
  must(server.try_send_to(sender, bytes_of("answer")));
  EXPECT_EQ(receive_text(client), "answer");
  auto nameless = must(UnixDatagram::create());
  must(nameless.connect(at));
  must(nameless.try_send({}));
  must(server.receive(room, soon(), OnSignal::go_on, &sender));
  EXPECT_TRUE(sender.is_unnamed());
}

TEST(UnixDatagram, AFullQueueIsWaitedForAndADeadOneTold) {
  const test::OwnDirectory directory;
  const auto at = must(UnixAddress::path(directory / "server"));
  auto server = must(UnixDatagram::bind(at));
  auto client = must(UnixDatagram::create());
  int sent = 0;
  for (;;) {
    const auto put = client.try_send_to(at, bytes_of("x"));
    if (!put) {
      EXPECT_EQ(put.error().code, Errc::would_block);
      break;
    }
    ++sent;
  }
  EXPECT_EQ(client.send_to(at, bytes_of("y"), Deadline::after(2ms)).error().code, Errc::timed_out);
  {
    const std::jthread reader([&] { EXPECT_EQ(receive_text(server), "x"); });
    must(client.send_to(at, bytes_of("y"), soon()));
  }
  for (int i = 1; i < sent; ++i) EXPECT_EQ(receive_text(server), "x");
  EXPECT_EQ(receive_text(server), "y");
  server.close();
  EXPECT_EQ(client.try_send_to(at, bytes_of("x")).error().sys_errno, ECONNREFUSED);
  EXPECT_EQ(client.send_to(at, bytes_of("x"), soon()).error().code, Errc::not_found);
}

TEST(UnixSocket, SaysWhoIsAtTheOtherEnd) {
  const test::OwnDirectory directory;
  const auto at = must(UnixAddress::path(directory / "server"));
  auto listener = must(UnixListener::listen(at));
  test::Milestone seen;
  test::Forked client([&] {
    auto connected = must(UnixStream::connect(at, soon()));
    return seen.wait() ? 0 : 1;
  });
  auto connection = must(listener.accept(soon()));
  const Peer peer = must(connection.peer());
  EXPECT_EQ(peer.pid, static_cast<std::uint32_t>(client.pid()));
  EXPECT_EQ(peer.uid, ::geteuid());
  EXPECT_EQ(peer.gid, ::getegid());
  const auto process = connection.peer_process();
  if (process) {
    EXPECT_TRUE(process->is_alive());
  } else {
    EXPECT_EQ(process.error().code, Errc::not_supported);
  }
  seen.reach();
  EXPECT_EQ(client.wait(), 0);
  EXPECT_TRUE(!process || !process->is_alive());
  EXPECT_EQ(must(connection.local_address()), at);
  EXPECT_TRUE(must(connection.peer_address()).is_unnamed());
}

TEST(UnixSocket, TakesOverOnlyWhatItIs) {
  auto [one, other] = must(UnixStream::pair());
  auto [seq, its_peer] = must(UnixSeqpacket::pair());
  EXPECT_EQ(UnixStream::adopt(seq.release()).error().code, Errc::bad_argument);
  EXPECT_EQ(UnixSeqpacket::adopt(Fd()).error().code, Errc::bad_argument);
  ::fcntl(one.fd().get(), F_SETFL, 0);
  auto adopted = must(UnixStream::adopt(one.release()));
  EXPECT_NE(::fcntl(adopted.fd().get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_FALSE(one);
  std::byte room[1];
  EXPECT_EQ(one.read(room, soon()).error().code, Errc::bad_argument);
  EXPECT_EQ(seq.try_receive(room).error().code, Errc::bad_argument);
}

TEST(UnixSocket, ASignalEndsTheWaitOnlyIfAsked) {
  auto [one, other] = must(UnixSeqpacket::pair());
  std::byte room[1];
  test::expect_given_up(
      0, [&](Deadline deadline) { return one.receive(room, deadline, OnSignal::give_up); });
  test::expect_deadline_kept(0, [&](Deadline deadline) { return one.receive(room, deadline); });
}

}  // namespace
}  // namespace signalbox::os
