// Goal: whatever limit of a process or of the machine is used up, the error names it, its value and
// how to see or raise it; nothing is left behind; and after one removal there is room again.
// Method: each case is a child that lowers its own limits, or lives in name spaces of its own, or
// becomes a user whom the limits bind. Those that need root are skipped without.
// src/os/kernel_limits_test.cpp does the same for System V sets and queues and for POSIX queues.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "../proof_counts.hpp"
#include "done.hpp"
#include "ground.hpp"
#include "os/test_process.hpp"
#include "signalbox/os/child.hpp"
#include "signalbox/os/event_fd.hpp"
#include "signalbox/os/fifo.hpp"
#include "signalbox/os/futex.hpp"
#include "signalbox/os/io_ring.hpp"
#include "signalbox/os/mapped_file.hpp"
#include "signalbox/os/memory_file.hpp"
#include "signalbox/os/pipe.hpp"
#include "signalbox/os/posix_queue.hpp"
#include "signalbox/os/posix_semaphore.hpp"
#include "signalbox/os/self_pipe.hpp"
#include "signalbox/os/semaphore_set.hpp"
#include "signalbox/os/shared_memory.hpp"
#include "signalbox/os/signals.hpp"
#include "signalbox/os/sysv_queue.hpp"
#include "signalbox/os/tcp_socket.hpp"
#include "signalbox/os/timer.hpp"
#include "signalbox/os/unix_datagram.hpp"
#include "signalbox/os/unix_listener.hpp"

namespace {

using namespace signalbox::os;
using facilities::done;
using facilities::Ground;
using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Result;
using test::Forked;

constexpr int kNeedsRoot = 77;
constexpr int kOutOfReach = 78;
constexpr uid_t kStranger = 64007;  // whose own use of the machine is nothing but this test

// Runs `work` in a child, which answers 0 or the number of the step that failed.
void expect_done(const std::function<int(const Ground&)>& work) {
  const Ground ground;
  Forked child([&] { return work(ground); });
  const int step = child.wait();
  if (step == kOutOfReach) GTEST_SKIP() << "there is no such limit here, or it is too large";
  if (step == kNeedsRoot) GTEST_SKIP() << "needs root, to become a user whom the limit binds";
  EXPECT_EQ(step, 0) << "the step that failed";
  proof::count({{"tries", 1}});
}

bool become_a_stranger() { return ::setgid(kStranger) == 0 && ::setuid(kStranger) == 0; }

// The hard limit stays where it is, above: an error that shows it shows a limit that nobody met.
bool set_limit(__rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return false;
  limit.rlim_cur = value;
  return ::setrlimit(resource, &limit) == 0;
}

template <class Made>
bool refused(const Made& made, Errc code, std::initializer_list<std::string_view> words) {
  if (made) {
    std::fprintf(stderr, "it was not refused\n");
    return false;
  }
  const signalbox::Error& error = made.error();
  bool is_right = error.code == code;
  for (const std::string_view word : words) {
    is_right = is_right && error.text.find(word) != std::string::npos;
  }
  if (!is_right) std::fprintf(stderr, "not what was expected: %s\n", error.text.c_str());
  return is_right;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

// ---- descriptors --------------------------------------------------------------------------------

struct Maker {
  const char* name;
  std::function<Result<void>(const Ground&)> make;  // and closes it again
  std::function<void(const Ground&)> prepare = [](const Ground&) {};
};
std::ostream& operator<<(std::ostream& out, const Maker& maker) { return out << maker.name; }

const std::array<std::string, 1> kTrue{"/bin/true"};

std::vector<Maker> makers() {
  return {
      {"EventFd", [](const Ground&) { return done(EventFd::create(EventFd::Mode::counter)); }},
      {"Timer", [](const Ground&) { return done(Timer::once(Deadline::never())); }},
      {"Signals", [](const Ground&) { return done(Signals::block({SIGUSR2})); }},
      {"SelfPipe", [](const Ground&) { return done(SelfPipe::create()); }},
      {"SharedMemory",
       [](const Ground& ground) {
         auto result = done(SharedMemory::create(ground.name(), 4096));
         static_cast<void>(SharedMemory::unlink(ground.name()));
         return result;
       }},
      {"MemoryFile", [](const Ground&) { return done(MemoryFile::create("proof", 4096)); }},
      {"MappedFile",
       [](const Ground& ground) {
         auto result = done(MappedFile::create(ground.path("file"), 4096, 0600, {}));
         ::unlink(ground.path("file").c_str());
         return result;
       }},
      {"PosixQueue",
       [](const Ground& ground) {
         auto result = done(PosixQueue::create(ground.name()));
         static_cast<void>(PosixQueue::unlink(ground.name()));
         return result;
       }},
      {"NamedSemaphore",
       [](const Ground& ground) {
         auto result = done(NamedSemaphore::create(ground.name(), 1));
         static_cast<void>(NamedSemaphore::unlink(ground.name()));
         return result;
       }},
      {"Pipe", [](const Ground&) { return done(Pipe::create()); }},
      {"DuplexPipe", [](const Ground&) { return done(DuplexPipe::create()); }},
      {"Fifo",
       [](const Ground& ground) { return done(Fifo::try_open_reader(ground.path("fifo"))); },
       [](const Ground& ground) { static_cast<void>(Fifo::create(ground.path("fifo"))); }},
      {"ChildSpawn",
       [](const Ground&) -> Result<void> {
         auto child = Child::spawn(kTrue);
         if (!child) return done(std::move(child));
         return done(child->wait(Deadline::never()));
       }},
      {"Pidfd",
       [](const Ground&) { return done(Pidfd::open(static_cast<std::uint32_t>(::getpid()))); }},
      {"UnixStream", [](const Ground&) { return done(UnixStream::pair()); }},
      {"UnixDatagram", [](const Ground&) { return done(UnixDatagram::create()); }},
      {"UnixListener",
       [](const Ground& ground) {
         auto result = done(UnixListener::listen(UnixAddress::path(ground.path("socket")).value()));
         ::unlink(ground.path("socket").c_str());
         return result;
       }},
      {"TcpListener", [](const Ground&) { return done(TcpListener::listen("127.0.0.1", "0")); }},
  };
}

class Descriptors : public testing::TestWithParam<Maker> {};

// With none free, with one, with two ... until there are enough.
TEST_P(Descriptors, AreNamedWhenTheyAreUsedUp) {
  const Maker& maker = GetParam();
  expect_done([&](const Ground& ground) {
    maker.prepare(ground);
    if (!set_limit(RLIMIT_NOFILE, 24)) return 1;
    std::vector<int> taken;
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken.push_back(fd);
    for (int free = 0; free < 10 && !taken.empty(); ++free) {
      const std::size_t before = open_descriptors();
      const auto result = maker.make(ground);
      if (open_descriptors() != before) return 2;
      if (result) return free > 0 ? 0 : 3;
      if (!refused(result, Errc::limit_reached, {"RLIMIT_NOFILE", " 24 ", "ulimit -n"})) return 4;
      std::error_code ignored;
      for (const auto& entry : std::filesystem::directory_iterator(ground.folder(), ignored)) {
        if (entry.path().filename() != "fifo") return 5;
      }
      ::close(taken.back());
      taken.pop_back();
    }
    return 6;
  });
}

INSTANTIATE_TEST_SUITE_P(Os, Descriptors, testing::ValuesIn(makers()),
                         [](const auto& which) { return std::string(which.param.name); });

// ---- memory -------------------------------------------------------------------------------------

const MapOptions kWritable{.access = Access::read_write};

TEST(UsedUp, AddressSpace) {
  expect_done([](const Ground&) {
    constexpr rlim_t limit = 1'000'000'000;
    if (!set_limit(RLIMIT_AS, limit)) return 1;
    auto some = Mapping::anonymous(600'000'000, kWritable);
    if (!some) return 2;
    const auto more = Mapping::anonymous(600'000'000, kWritable);
    if (!refused(more, Errc::out_of_memory, {"RLIMIT_AS is 1000000000", "ulimit -v"})) return 3;
    some = Mapping();
    return Mapping::anonymous(600'000'000, kWritable) ? 0 : 4;
  });
}

TEST(UsedUp, Mappings) {
  expect_done([](const Ground&) {
    std::size_t mappings_max = 0;
    std::ifstream("/proc/sys/vm/max_map_count") >> mappings_max;
    if (mappings_max > 300'000) return kOutOfReach;  // minutes
    std::vector<Mapping> all;
    for (;;) {
      auto one = Mapping::anonymous(4096, kWritable);
      if (one) {
        all.push_back(std::move(*one));
        if (all.size() > mappings_max) return 1;
        continue;
      }
      if (!refused(one, Errc::out_of_memory,
                   {"/proc/sys/vm/max_map_count", std::to_string(mappings_max)})) {
        return 2;
      }
      break;
    }
    all.pop_back();
    return Mapping::anonymous(4096, kWritable) ? 0 : 3;
  });
}

TEST(UsedUp, LockedMemory) {
  expect_done([](const Ground&) {
    if (!set_limit(RLIMIT_MEMLOCK, 65'536)) return 1;
    if (!become_a_stranger()) return kNeedsRoot;
    const auto memory = Mapping::anonymous(131'072, kWritable);
    if (!memory || !memory->lock({.offset = 0, .bytes = 65'536})) return 2;
    const auto more = memory->lock({.offset = 65'536, .bytes = 4096});
    if (!refused(more, Errc::limit_reached, {"RLIMIT_MEMLOCK is 65536", "ulimit -l"})) return 3;
    if (!memory->unlock({.offset = 0, .bytes = 4096})) return 4;
    return memory->lock({.offset = 65'536, .bytes = 4096}) ? 0 : 5;
  });
}

TEST(UsedUp, SizeOfAFile) {
  expect_done([](const Ground& ground) {
    if (!set_limit(RLIMIT_FSIZE, 8192)) return 1;
    const std::initializer_list<std::string_view> words{"RLIMIT_FSIZE is 8192", "ulimit -f"};
    if (!refused(SharedMemory::create(ground.name(), 9000), Errc::too_large, words)) return 2;
    if (!refused(MemoryFile::create("proof", 9000), Errc::too_large, words)) return 3;
    if (!refused(MappedFile::create(ground.path("file"), 9000, 0600, {}), Errc::too_large, words)) {
      return 4;
    }
    if (std::filesystem::exists(ground.path("file"))) return 5;
    return SharedMemory::create(ground.name(), 8192) ? 0 : 6;
  });
}

TEST(UsedUp, SpaceOfDevShm) {
  expect_done([](const Ground&) {
    if (!facilities::enter_own_name_spaces()) return kNeedsRoot;
    constexpr std::uint64_t bytes = 12U << 20U;  // of 16 MiB
    if (!SharedMemory::create("/first", bytes)) return 1;
    const auto second = SharedMemory::create("/second", bytes);
    if (!refused(second, Errc::no_space, {"4194304 bytes are free", "df -h /dev/shm"})) return 2;
    if (std::filesystem::exists("/dev/shm/second")) return 3;
    if (!SharedMemory::unlink("/first")) return 4;
    return SharedMemory::create("/second", bytes) ? 0 : 5;
  });
}

// ---- pipes, signals, messages, counts -----------------------------------------------------------

TEST(UsedUp, PagesOfPipes) {
  expect_done([](const Ground&) {
    std::size_t pages = 0;
    std::ifstream("/proc/sys/fs/pipe-user-pages-soft") >> pages;
    if (pages == 0 || pages > 100'000) return kOutOfReach;  // gigabytes
    if (!become_a_stranger()) return kNeedsRoot;
    constexpr std::size_t bytes = 1U << 20U;
    const std::string limit = std::to_string(pages);
    std::vector<Pipe> all;
    for (;;) {
      auto one = Pipe::create({.capacity = bytes});
      if (one) {
        all.push_back(std::move(*one));
        if (all.size() > pages / 256 + 1) return 1;
        continue;
      }
      const std::size_t before = open_descriptors();
      const auto again = Pipe::create({.capacity = bytes});
      if (open_descriptors() != before) return 2;
      if (!refused(again, Errc::limit_reached, {"pipe-user-pages-soft", limit})) return 3;
      break;
    }
    all.pop_back();
    if (!Pipe::create({.capacity = bytes})) return 4;
    std::size_t most = 0;
    std::ifstream("/proc/sys/fs/pipe-max-size") >> most;
    const auto large = all.front().writer.set_capacity(2 * most);
    return refused(large, Errc::limit_reached, {"pipe-max-size", std::to_string(most)}) ? 0 : 5;
  });
}

TEST(UsedUp, PendingSignals) {
  expect_done([](const Ground&) {
    if (!set_limit(RLIMIT_SIGPENDING, 2)) return 1;
    if (!become_a_stranger()) return kNeedsRoot;
    auto signals = Signals::block({SIGRTMIN});
    if (!signals) return 2;
    const int me = ::getpid();
    if (!queue_signal(me, SIGRTMIN, 1) || !queue_signal(me, SIGRTMIN, 2)) return 3;
    const auto third = queue_signal(me, SIGRTMIN, 3);
    if (!refused(third, Errc::limit_reached, {"RLIMIT_SIGPENDING is 2", "ulimit -i"})) return 4;
    if (!signals->take()) return 5;
    return queue_signal(me, SIGRTMIN, 3) ? 0 : 6;
  });
}

TEST(UsedUp, BytesOfQueues) {
  expect_done([](const Ground& ground) {
    if (!set_limit(RLIMIT_MSGQUEUE, 4000)) return 1;
    if (!become_a_stranger()) return kNeedsRoot;
    const PosixQueueOptions options{.messages_max = 4, .message_bytes_max = 512};
    if (!PosixQueue::create(ground.name(), options)) return 2;
    const auto second = PosixQueue::create(ground.name() + "2", options);
    if (!refused(second, Errc::limit_reached, {"RLIMIT_MSGQUEUE", "4000 bytes", "ulimit -q"})) {
      return 3;
    }
    if (!PosixQueue::unlink(ground.name())) return 4;
    return PosixQueue::create(ground.name(), options) ? 0 : 5;
  });
}

TEST(UsedUp, BytesOfMessages) {
  expect_done([](const Ground&) {
    if (!facilities::enter_own_name_spaces()) return kNeedsRoot;
    std::ofstream("/proc/sys/kernel/msgmax") << 100;
    std::ofstream("/proc/sys/kernel/msgmnb") << 250;
    auto queue = SysvQueue::create(SysvKey::private_key());
    if (!queue || !become_a_stranger()) return 1;
    auto mine = SysvQueue::create(SysvKey::private_key());
    if (!mine) return 2;
    const std::vector<std::byte> message(101);
    const auto large = mine->send(1, message, Deadline::never());
    if (!refused(large, Errc::too_large, {"MSGMAX", "/proc/sys/kernel/msgmax", "100"})) return 3;
    if (!refused(mine->set_capacity(251), Errc::limit_reached, {"MSGMNB", "250"})) return 4;
    const std::span hundred(message.data(), 100);
    if (!mine->try_send(1, hundred).value() || !mine->try_send(1, hundred).value()) return 5;
    if (mine->try_send(1, hundred).value()) return 6;
    std::array<std::byte, 100> room{};
    if (!mine->try_receive(room, MessageFilter::any()).value()) return 7;
    return mine->try_send(1, hundred).value() ? 0 : 8;
  });
}

TEST(UsedUp, Counts) {
  expect_done([](const Ground& ground) {
    auto set = SemaphoreSet::create(SysvKey::private_key(), std::array<std::uint16_t, 1>{32767});
    if (!set) return 1;
    const auto over = set->apply({give(0)}, Deadline::never());
    const bool is_named = refused(over, Errc::out_of_range, {"32767", "SEMVMX"});
    const bool has_room = set->apply({take(0), give(0)}, Deadline::immediate()).has_value();
    if (!set->remove() || !is_named || !has_room) return 2;
    auto semaphore = NamedSemaphore::create(ground.name(), 2147483647);
    if (!semaphore) return 3;
    if (!refused(semaphore->post(), Errc::out_of_range, {"2147483647", "SEM_VALUE_MAX"})) return 4;
    if (!semaphore->try_wait().value() || !semaphore->post()) return 5;
    auto event = EventFd::create(EventFd::Mode::counter, EventFd::count_max);
    if (!event || !refused(event->add(1), Errc::out_of_range, {"2^64 - 2"})) return 6;
    return event->try_take() == EventFd::count_max && event->add(1) ? 0 : 7;
  });
}

TEST(UsedUp, WordsAndRequests) {
  expect_done([](const Ground&) {
    static std::uint32_t word = 0;
    const std::vector<FutexWord> many(futex_words_max + 1, FutexWord{&word, 0});
    if (can_wait_on_several()) {
      const auto ended = futex_wait_any(many, Deadline::immediate());
      if (!refused(ended, Errc::bad_argument, {"128"})) return 1;
    }
    auto ring = IoRing::create(2);
    if (!ring) return kOutOfReach;  // no io_uring
    if (!ring->timeout(Deadline::after(std::chrono::hours(1)), 1)) return 2;
    if (!ring->timeout(Deadline::immediate(), 2)) return 3;
    const auto third = ring->timeout(Deadline::immediate(), 3);
    if (!refused(third, Errc::limit_reached, {"2 are under way", "requests_max"})) return 4;
    if (!ring->wait(Deadline::never())) return 5;
    return ring->timeout(Deadline::immediate(), 3) ? 0 : 6;
  });
}

}  // namespace
