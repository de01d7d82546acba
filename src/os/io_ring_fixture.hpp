// io_ring_fixture.hpp: for tests of os/io_ring.hpp: what requests are made on, and their results.
//
//   Threads  one at a time     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <map>

#include "os/test_streams.hpp"
#include "signalbox/os/io_ring.hpp"

namespace signalbox::os::test {

struct PipeEnds {
  Fd in;
  Fd out;
  PipeEnds() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    in = Fd(ends[0]);
    out = Fd(ends[1]);
  }
};

struct Listener {
  Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};  // the kernel chooses a name
  socklen_t length = sizeof(address);
  Listener() {
    auto* const at = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(fd.get(), at, sizeof(sa_family_t)), 0);
    EXPECT_EQ(::listen(fd.get(), 8), 0);
    EXPECT_EQ(::getsockname(fd.get(), at, &length), 0);
  }
  Fd connected() const {
    Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
    return client;
  }
};

struct IoRingTest : ::testing::Test {
  void SetUp() override {
    const auto ring = IoRing::create(1);
    if (!ring && ring.error().code == Errc::not_supported) GTEST_SKIP() << ring.error().text;
  }
};

// Waits until so many have come to their end; their results by key.
inline std::map<IoRing::Key, int> results_of(IoRing& ring, std::size_t count) {
  std::map<IoRing::Key, int> results;
  while (results.size() < count) {
    for (const auto& done : must(ring.wait(soon()))) results[done.key()] = done.result();
  }
  return results;
}

}  // namespace signalbox::os::test
