// Goal: TCP connections keep what their header says: names, both families, deadlines, options,
// ends. Method: real sockets on the loopback interface, at ports that the kernel chooses.
#include "signalbox/os/tcp_socket.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <csignal>
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

struct Connection {
  TcpListener listener;
  TcpStream client;
  TcpStream server;
  explicit Connection(const std::string& host = "127.0.0.1", const TcpOptions& options = {})
      : listener(must(TcpListener::listen(host, "0", {.accepted = options}))),
        client(must(TcpStream::connect(must(listener.address()), soon(), options))),
        server(must(listener.accept(soon()))) {}
};

int option_of(const Fd& socket, int level, int option) {
  int value = -1;
  socklen_t bytes = sizeof(value);
  ::getsockopt(socket.get(), level, option, &value, &bytes);
  return value;
}

TEST(TcpSocket, ConnectsByNameAndEndsByHalves) {
  auto listener = must(TcpListener::listen("127.0.0.1", "0"));
  const std::uint16_t port = must(listener.address()).port();
  EXPECT_NE(port, 0) << "the port that was chosen is told";
  auto client = must(TcpStream::connect("localhost", std::to_string(port), soon()));
  auto server = must(listener.accept(soon()));
  EXPECT_EQ(must(client.peer_address()).to_string(), "127.0.0.1:" + std::to_string(port));
  EXPECT_EQ(must(server.peer_address()), must(client.local_address()));
  must(client.try_write(bytes_of("question")));
  must(client.end_writing());
  EXPECT_EQ(read_to_end(server), "question");
  must(server.write(bytes_of("answer"), soon()));
  EXPECT_EQ(read_text(client), "answer");
}

TEST(TcpSocket, OneListenerTakesBothFamilies) {
  auto listener = must(TcpListener::listen("", "0"));
  const std::string port = std::to_string(must(listener.address()).port());
  must(TcpStream::connect("127.0.0.1", port, soon()));
  must(listener.accept(soon()));
  if (!must(listener.address()).is_v6()) GTEST_SKIP() << "this machine has no IPv6";
  auto client = must(TcpStream::connect("::1", port, soon()));
  must(listener.accept(soon()));
  EXPECT_EQ(must(client.peer_address()).to_string(), "[::1]:" + port);
}

TEST(TcpSocket, DeadlinesAndWouldBlock) {
  Connection both;
  std::byte room[8];
  EXPECT_EQ(both.client.try_read(room).error().sys_errno, EAGAIN);
  EXPECT_EQ(both.client.read(room, Deadline::after(1ms)).error().code, Errc::timed_out);
  EXPECT_EQ(both.listener.try_accept().error().code, Errc::would_block);
  EXPECT_EQ(both.listener.accept(Deadline::after(1ms)).error().code, Errc::timed_out);
  std::string much;
  much.resize(20'000'000, 'x');
  std::span<const std::byte> rest = bytes_of(much);
  EXPECT_EQ(both.client.write_all(rest, Deadline::after(5ms)).error().code, Errc::timed_out);
  const std::size_t sent = much.size() - rest.size();
  EXPECT_GT(sent, 0U);
  std::jthread writer([&] {
    must(both.client.write_all(rest, soon()));
    both.client.close();
  });
  EXPECT_EQ(read_to_end(both.server).size(), much.size());
}

// The listener's queue is full, so the kernel answers nothing.
TEST(TcpSocket, ConnectHasADeadline) {
  auto listener = must(TcpListener::listen("127.0.0.1", "0", {.waiting_max = 0}));
  const TcpAddress at = must(listener.address());
  std::vector<TcpStream> waiting;
  for (;;) {
    auto connected = TcpStream::connect(at, Deadline::after(20ms));
    if (!connected) {
      EXPECT_EQ(connected.error().code, Errc::timed_out);
      break;
    }
    waiting.push_back(std::move(*connected));
    ASSERT_LT(waiting.size(), 100U);
  }
}

TEST(TcpSocket, RefusalsHaveTheirNames) {
  auto listener = must(TcpListener::listen("127.0.0.1", "0"));
  const TcpAddress at = must(listener.address());
  const std::string port = std::to_string(at.port());
  const Error taken = TcpListener::listen("127.0.0.1", port).error();
  EXPECT_EQ(taken.code, Errc::already_exists);
  EXPECT_EQ(taken.sys_errno, EADDRINUSE);
  EXPECT_EQ(TcpListener::listen("192.0.2.1", "0").error().code, Errc::not_found);
  listener.close();
  const Error refused = TcpStream::connect(at, soon()).error();
  EXPECT_EQ(refused.code, Errc::not_found);
  EXPECT_EQ(refused.sys_errno, ECONNREFUSED);
  EXPECT_EQ(TcpStream::connect("127.0.0.1", "no-such-service", soon()).error().code,
            Errc::bad_argument);
  EXPECT_EQ(TcpAddress::resolve("not an address", "1").error().call, "getaddrinfo");
  TcpStream empty;
  std::byte room[1];
  EXPECT_FALSE(empty);
  EXPECT_EQ(empty.read(room, soon()).error().code, Errc::bad_argument);
  EXPECT_EQ(TcpListener().accept(soon()).error().code, Errc::bad_argument);
  EXPECT_EQ(TcpListener().try_accept().error().code, Errc::bad_argument);
}

// getaddrinfo(3) would take any number, modulo 65536.
TEST(TcpSocket, APortIsNoLargerThanAPort) {
  for (const std::string port : {"65536", "99999", "-1", "+80", "99999999999999999999999"}) {
    const auto listening = TcpListener::listen("127.0.0.1", port);
    ASSERT_FALSE(listening) << port;
    EXPECT_EQ(listening.error().code, Errc::bad_argument) << port;
    EXPECT_NE(listening.error().text.find("0 to 65535"), std::string::npos)
        << listening.error().text;
    EXPECT_EQ(TcpStream::connect("127.0.0.1", port, soon()).error().code, Errc::bad_argument);
  }
  EXPECT_EQ(must(TcpAddress::resolve("127.0.0.1", "65535"))[0].port(), 65535);
  EXPECT_EQ(TcpAddress::resolve("127.0.0.1", std::string("80\0x", 4)).error().code,
            Errc::bad_argument);
  EXPECT_EQ(TcpListener::listen("127.0.0.1", "0", {.waiting_max = -5}).error().code,
            Errc::bad_argument);
}

TEST(TcpSocket, OptionsHoldForWhoIsAcceptedToo) {
  const TcpOptions options{.keep_alive = TcpKeepAlive{.idle = 7s, .interval = 3s, .probes_max = 2},
                           .send_buffer = 50'000,
                           .receive_buffer = 40'000};
  Connection both("127.0.0.1", options);
  for (TcpStream* one : {&both.client, &both.server}) {
    EXPECT_EQ(option_of(one->fd(), IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option_of(one->fd(), SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option_of(one->fd(), IPPROTO_TCP, TCP_KEEPIDLE), 7);
    EXPECT_EQ(option_of(one->fd(), IPPROTO_TCP, TCP_KEEPINTVL), 3);
    EXPECT_EQ(option_of(one->fd(), IPPROTO_TCP, TCP_KEEPCNT), 2);
    EXPECT_EQ(option_of(one->fd(), SOL_SOCKET, SO_SNDBUF), 100'000);
    EXPECT_EQ(option_of(one->fd(), SOL_SOCKET, SO_RCVBUF), 80'000);
  }
  must(both.client.set_no_delay(false));
  EXPECT_EQ(option_of(both.client.fd(), IPPROTO_TCP, TCP_NODELAY), 0);
  must(both.client.set_keep_alive(std::nullopt));
  EXPECT_EQ(option_of(both.client.fd(), SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(must(both.client.set_send_buffer(60'000)), 60'000U);
  EXPECT_LT(must(both.client.set_receive_buffer(1U << 30)), 1U << 30) << "rmem_max";
  EXPECT_EQ(both.client.set_keep_alive(TcpKeepAlive{.idle = 0s}).error().code, Errc::bad_argument);
}

TEST(TcpSocket, WithoutLingerTheOtherEndIsAborted) {
  ASSERT_EQ(::signal(SIGPIPE, SIG_DFL), SIG_DFL);
  Connection both;
  must(both.client.set_linger(0s));
  both.client.close();
  std::byte room[8];
  const Error reset = both.server.read(room, soon()).error();
  EXPECT_EQ(reset.code, Errc::closed);
  EXPECT_EQ(reset.sys_errno, ECONNRESET);
  EXPECT_EQ(both.server.try_write(bytes_of("x")).error().sys_errno, EPIPE);
}

TEST(TcpSocket, ListenersMayShareAPort) {
  auto first = must(TcpListener::listen("127.0.0.1", "0", {.reuse_port = true}));
  const std::string port = std::to_string(must(first.address()).port());
  must(TcpListener::listen("127.0.0.1", port, {.reuse_port = true}));
  EXPECT_EQ(TcpListener::listen("127.0.0.1", port).error().code, Errc::already_exists);
}

// The server closed first, so its port lingers in TIME_WAIT.
TEST(TcpSocket, APortThatLingersIsTakenAgain) {
  std::string port;
  {
    Connection both;
    port = std::to_string(must(both.listener.address()).port());
    both.server.close();
    EXPECT_EQ(read_to_end(both.client), "");
  }
  must(TcpListener::listen("127.0.0.1", port));
}

TEST(TcpSocket, TakesOverOnlyWhatItIs) {
  Connection both;
  auto stream = must(TcpStream::adopt(both.client.release()));
  auto listener = must(TcpListener::adopt(both.listener.release()));
  EXPECT_EQ(TcpStream::adopt(listener.release()).error().code, Errc::bad_argument);
  EXPECT_EQ(TcpListener::adopt(stream.release()).error().code, Errc::bad_argument);
  EXPECT_EQ(TcpStream::adopt(must(UnixStream::pair()).first.release()).error().code,
            Errc::bad_argument);
}

}  // namespace
}  // namespace signalbox::os
