// Goal: a wait set watches the wrappers of byte streams and sockets, and a child, all in one sleep.
// Method: each is made ready by a real other end, alone; then all are at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <thread>

#include "os/test_streams.hpp"
#include "signalbox/os/child.hpp"
#include "signalbox/os/pipe.hpp"
#include "signalbox/os/tcp_socket.hpp"
#include "signalbox/os/unix_datagram.hpp"
#include "signalbox/os/unix_listener.hpp"
#include "signalbox/wait_set.hpp"
#include "topic/wait_set_fixture.hpp"

namespace signalbox {
namespace {

using os::test::bytes_of;

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(WaitSetStreams, OneSleepForPipesSocketsListenersAndAChild) {
  enum Source : WaitSet::Key {
    pipe,
    stream,
    datagram,
    unix_listener,
    tcp_listener,
    child,
    process
  };
  auto tube = must(os::Pipe::create());
  auto [near, far] = must(os::UnixStream::pair());
  auto [one, other] = must(os::UnixDatagram::pair());
  auto local = must(os::UnixListener::listen(os::UnixAddress::chosen_by_kernel()));
  auto remote = must(os::TcpListener::listen("127.0.0.1", "0"));
  const std::string sleep[] = {"sleep", "600"};
  auto started = must(os::Child::spawn(sleep));
  auto watched = must(os::Pidfd::open(started.pid()));

  auto set = must(WaitSet::create(7));
  const Watch watches[] = {must(set.watch(tube.reader.waitable(), pipe)),
                           must(set.watch(near.waitable(), stream)),
                           must(set.watch(one.waitable(), datagram)),
                           must(set.watch(local.waitable(), unix_listener)),
                           must(set.watch(remote.waitable(), tcp_listener)),
                           must(set.watch(started.waitable(), child)),
                           must(set.watch(watched.waitable(), process))};
  EXPECT_THAT(ready_now(set), IsEmpty());
  const auto told_after = [&](auto&& act) {
    const std::jthread actor(act);
    return keys_of(must(set.wait(soon())));
  };
  std::array<std::byte, 16> room{};
  EXPECT_THAT(told_after([&] { must(tube.writer.try_write(bytes_of("x"))); }),
              UnorderedElementsAre(pipe));
  must(tube.reader.try_read(room));
  EXPECT_THAT(told_after([&] { must(far.try_write(bytes_of("x"))); }),
              UnorderedElementsAre(stream));
  must(near.try_read(room));
  EXPECT_THAT(told_after([&] { must(other.try_send(bytes_of("x"))); }),
              UnorderedElementsAre(datagram));
  must(one.try_receive(room));
  EXPECT_THAT(told_after([&] { must(os::UnixStream::connect(must(local.address()), soon())); }),
              UnorderedElementsAre(unix_listener));
  must(local.try_accept());
  EXPECT_THAT(told_after([&] { must(os::TcpStream::connect(must(remote.address()), soon())); }),
              UnorderedElementsAre(tcp_listener));
  must(remote.try_accept());
  EXPECT_THAT(ready_now(set), IsEmpty());

  must(started.signal(SIGKILL));
  must(watched.wait_until_ended(soon()));
  EXPECT_THAT(keys_of(must(set.wait(soon()))), UnorderedElementsAre(child, process));
  EXPECT_EQ(must(started.wait(soon())).status, SIGKILL);
  tube.writer.close();
  far.close();
  must(other.try_send(bytes_of("x")));
  EXPECT_THAT(ready_now(set), UnorderedElementsAre(pipe, stream, datagram, child, process));
}

}  // namespace
}  // namespace signalbox
