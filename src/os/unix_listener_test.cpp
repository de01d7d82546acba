// Goal: listeners by path and by abstract name: who may connect, what a stale name is, that a
// living server never loses its name, and sockets that a service manager hands over. Method: real
// sockets in a directory of the test's own; dead servers are made by closing without unlink(), and
// starters race each other in processes.
#include "signalbox/os/unix_listener.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <thread>

#include "os/test_process.hpp"
#include "os/test_streams.hpp"
#include "signalbox/os/inherited_sockets.hpp"
#include "signalbox/os/unix_datagram.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::read_text;
using test::soon;
using Kind = UnixListener::Kind;

unsigned mode_of(const std::string& path) {
  struct stat st{};
  return ::lstat(path.c_str(), &st) == 0 ? st.st_mode & 07777U : 0;
}

UnixAddress own_abstract(const std::string& name) {
  return must(UnixAddress::abstract("sbx-test-" + std::to_string(::getpid()) + name));
}

void exchange(UnixListener& listener, const UnixAddress& at) {
  std::byte room[16];
  if (listener.kind() == Kind::stream) {
    auto client = must(UnixStream::connect(at, soon()));
    auto server = must(listener.accept(soon()));
    must(client.try_write(bytes_of("hello")));
    EXPECT_EQ(read_text(server), "hello");
  } else {
    auto client = must(UnixSeqpacket::connect(at, soon()));
    auto server = must(listener.accept_seqpacket(soon()));
    must(client.try_send(bytes_of("hello")));
    EXPECT_EQ(must(server.receive(room, soon())).bytes, 5U);
  }
}

// Row 72.
TEST(UnixListener, ByPathAndByAbstractNameEveryKindConnects) {
  const test::OwnDirectory directory;
  for (const Kind kind : {Kind::stream, Kind::seqpacket}) {
    const auto path = must(UnixAddress::path(directory / "by-path"));
    auto listener = must(UnixListener::listen(path, {.kind = kind}));
    EXPECT_EQ(must(listener.address()), path);
    exchange(listener, path);
    must(listener.unlink());
    EXPECT_NE(::access((directory / "by-path").c_str(), F_OK), 0);

    const auto abstract = own_abstract("");
    auto other = must(UnixListener::listen(abstract, {.kind = kind}));
    EXPECT_EQ(must(other.address()), abstract);
    exchange(other, abstract);
    EXPECT_EQ(UnixListener::listen(abstract, {.kind = kind}).error().sys_errno, EADDRINUSE);
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path())) << "an abstract name leaves no file";
  auto chosen = must(UnixListener::listen(UnixAddress::chosen_by_kernel()));
  exchange(chosen, must(chosen.address()));
}

TEST(UnixListener, ItsFileHasTheModeThatWasAskedWhateverTheUmask) {
  const test::OwnDirectory directory;
  for (const mode_t mask : {0U, 022U, 077U, 0777U}) {
    const mode_t before = ::umask(mask);
    const auto path = directory / std::to_string(mask);
    const auto closed = must(UnixListener::listen(must(UnixAddress::path(path))));
    const auto open =
        must(UnixListener::listen(must(UnixAddress::path(path + "o")), {.name = {.mode = 0666}}));
    ::umask(before);
    EXPECT_EQ(mode_of(path), 0600U);
    EXPECT_EQ(mode_of(path + "o"), 0666U);
  }
}

TEST(UnixListener, ALongPathIsNamedByItsDirectory) {
  const test::OwnDirectory directory;
  const std::string deep = directory / std::string(120, 'd');
  ASSERT_EQ(::mkdir(deep.c_str(), 0700), 0);
  EXPECT_EQ(UnixAddress::path(deep + "/s").error().code, Errc::bad_name);
  const Fd opened(::open(deep.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto at = must(UnixAddress::in(opened, "s"));
  auto listener = must(UnixListener::listen(at));
  exchange(listener, at);
  must(listener.unlink());
  EXPECT_EQ(UnixAddress::path("").error().code, Errc::bad_name);
  EXPECT_EQ(UnixAddress::abstract(std::string(108, 'x')).error().code, Errc::bad_name);
}

TEST(UnixListener, AStaleNameIsTakenOverAndALivingOneNever) {
  const test::OwnDirectory directory;
  const auto at = must(UnixAddress::path(directory / "server"));
  must(UnixListener::listen(at)).close();
  EXPECT_EQ(UnixStream::connect(at, soon()).error().code, Errc::not_found);
  auto second = must(UnixListener::listen(at));
  const Error living = UnixListener::listen(at).error();
  EXPECT_EQ(living.code, Errc::already_exists);
  EXPECT_EQ(living.sys_errno, EADDRINUSE);
  EXPECT_EQ(UnixDatagram::bind(at).error().code, Errc::already_exists);
  exchange(second, at);
  EXPECT_EQ(second.try_accept().error().code, Errc::would_block) << "nobody asked by connecting";
  second.close();
  EXPECT_EQ(UnixListener::listen(at, {.name = {.takes_over_stale = false}}).error().code,
            Errc::already_exists);
  const auto datagram = must(UnixDatagram::bind(at));
  EXPECT_EQ(UnixListener::listen(at).error().code, Errc::already_exists);
}

// One that is bound and does not listen yet lives as well.
TEST(UnixListener, AServerThatIsJustStartingLives) {
  const test::OwnDirectory directory;
  const std::string path = directory / "server";
  const Fd starting(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof(name.sun_path) - 1);
  ASSERT_EQ(::bind(starting.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
  EXPECT_EQ(UnixListener::listen(must(UnixAddress::path(path))).error().code, Errc::already_exists);
}

TEST(UnixListener, OtherFilesAreNeverTakenAway) {
  const test::OwnDirectory directory;
  std::ofstream(directory / "file") << "precious";
  ASSERT_EQ(::symlink("file", (directory / "link").c_str()), 0);
  for (const char* name : {"file", "link"}) {
    EXPECT_EQ(UnixListener::listen(must(UnixAddress::path(directory / name))).error().code,
              Errc::already_exists);
  }
  EXPECT_EQ(std::filesystem::file_size(directory / "file"), 8U);
  EXPECT_EQ(UnixListener::listen(must(UnixAddress::path(directory / "no/s"))).error().code,
            Errc::not_found);
  EXPECT_EQ(UnixListener::listen(UnixAddress()).error().code, Errc::bad_argument);
}

// Eight starters, one stale name: exactly one gets it, round after round.
TEST(UnixListener, OfManyStartersOneWins) {
  const test::OwnDirectory directory;
  const auto at = must(UnixAddress::path(directory / "server"));
  for (int round = 0; round < 20; ++round) {
    test::Milestone over;
    std::vector<std::unique_ptr<test::Forked>> starters;
    starters.reserve(8);
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    for (int i = 0; i < 8; ++i) {
      starters.push_back(std::make_unique<test::Forked>([&] {
        const auto listener = UnixListener::listen(at);
        const char word = listener                                        ? 'w'
                          : listener.error().code == Errc::already_exists ? 'l'
                                                                          : 'e';
        if (::write(ends[1], &word, 1) != 1) return 2;
        return over.wait() ? 0 : 1;
      }));
    }
    std::string words(8, ' ');
    for (char& word : words) ASSERT_EQ(::read(ends[0], &word, 1), 1);
    EXPECT_EQ(std::ranges::count(words, 'w'), 1) << words;
    EXPECT_EQ(std::ranges::count(words, 'l'), 7) << words;
    EXPECT_TRUE(UnixStream::connect(at, soon()));
    for (int i = 0; i < 8; ++i) over.reach();
    for (auto& starter : starters) EXPECT_EQ(starter->wait(), 0);
    ::close(ends[0]);
    ::close(ends[1]);
  }
}

TEST(UnixListener, UnlinkRemovesOnlyItsOwn) {
  const test::OwnDirectory directory;
  const auto at = must(UnixAddress::path(directory / "server"));
  auto first = must(UnixListener::listen(at));
  ASSERT_EQ(::unlink((directory / "server").c_str()), 0);
  auto second = must(UnixListener::listen(at));
  EXPECT_EQ(first.unlink().error().code, Errc::not_found);
  exchange(second, at);
  must(second.unlink());
  EXPECT_EQ(second.unlink().error().code, Errc::not_found);
}

TEST(UnixListener, AFullQueueIsWaitedFor) {
  const test::OwnDirectory directory;
  const auto at = must(UnixAddress::path(directory / "server"));
  auto listener = must(UnixListener::listen(at, {.waiting_max = 0}));
  auto first = must(UnixStream::connect(at, soon()));
  EXPECT_EQ(UnixStream::connect(at, Deadline::immediate()).error().code, Errc::timed_out);
  EXPECT_EQ(UnixStream::connect(at, Deadline::after(3ms)).error().code, Errc::timed_out);
  const std::jthread server([&] {
    must(listener.accept(soon()));
    must(listener.accept(soon()));
  });
  const auto second = must(UnixStream::connect(at, soon()));
  EXPECT_NE(::fcntl(second.fd().get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(UnixListener, RefusalsHaveTheirNames) {
  const test::OwnDirectory directory;
  const auto at = must(UnixAddress::path(directory / "server"));
  EXPECT_EQ(UnixStream::connect(at, soon()).error().sys_errno, ENOENT);
  auto listener = must(UnixListener::listen(at));
  EXPECT_EQ(UnixSeqpacket::connect(at, soon()).error().code, Errc::bad_argument);
  EXPECT_EQ(listener.try_accept().error().code, Errc::would_block);
  EXPECT_EQ(listener.accept(Deadline::after(1ms)).error().code, Errc::timed_out);
  EXPECT_EQ(listener.try_accept_seqpacket().error().code, Errc::bad_argument);
  EXPECT_EQ(UnixListener::listen(at, {.waiting_max = -5}).error().code, Errc::bad_argument);
  EXPECT_EQ(UnixStream().peer().error().code, Errc::bad_argument) << "an empty handle";
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become a stranger";
  ::chmod(directory.path().c_str(), 0711);
  test::Forked stranger([&] {
    if (::setuid(65534) != 0) return 1;
    return UnixStream::connect(at, soon()).error().code == Errc::permission_denied ? 0 : 2;
  });
  EXPECT_EQ(stranger.wait(), 0);
}

TEST(InheritedSockets, AreTakenOnceAndByTheOneTheyAreFor) {
  const test::OwnDirectory directory;
  const auto at = must(UnixAddress::path(directory / "server"));
  test::Forked service([&] {
    auto listener = must(UnixListener::listen(at));
    const Fd copy(::fcntl(listener.fd().get(), F_DUPFD, 50));
    ::dup2(copy.get(), 3);
    ::dup2(copy.get(), 4);
    ::setenv("LISTEN_FDS", "2", 1);
    ::setenv("LISTEN_FDNAMES", "chat:", 1);
    ::setenv("LISTEN_PID", "1", 1);
    if (!must(take_inherited_sockets()).empty()) return 1;
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    auto sockets = must(take_inherited_sockets());
    if (sockets.size() != 2 || sockets[0].name != "chat" || sockets[1].name != "unknown") return 2;
    if (sockets[0].fd.get() != 3 || ::fcntl(3, F_GETFD) != FD_CLOEXEC) return 3;
    if (std::getenv("LISTEN_FDS") != nullptr) return 4;
    if (!must(take_inherited_sockets()).empty()) return 5;
    auto adopted = must(UnixListener::adopt(std::move(sockets[0].fd)));
    exchange(adopted, at);
    ::setenv("LISTEN_FDS", "9", 1);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    return take_inherited_sockets().error().code == Errc::bad_argument ? 0 : 6;
  });
  EXPECT_EQ(service.wait(), 0);
  EXPECT_EQ(UnixListener::adopt(Fd()).error().code, Errc::bad_argument);
}

}  // namespace
}  // namespace signalbox::os
