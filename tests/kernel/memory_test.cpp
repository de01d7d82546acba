// Goal: sleeping on read-only memory, memory that its readers cannot make writable, cheap barriers.
// Method: a child sleeps or tries; what it found is its exit status.
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/memfd.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <atomic>
#include <climits>
#include <cstdint>

#include "base/watchdog.hpp"
#include "os/process.hpp"
#include "probe.hpp"
#include "signalbox/os/futex.hpp"
#include "signalbox/os/mapping.hpp"

namespace signalbox::kernel {
namespace {

using os::Access;
using os::Fd;
using os::Mapping;

using Word = std::atomic<std::uint32_t>;

struct MemoryFacts : ::testing::Test {
  ScratchDirectory scratch;

  Fd file_of_words(const char* name) const {
    Fd file(::open(scratch.file(name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(::posix_fallocate(file.get(), 0, 4096), 0);
    return file;
  }
  // As a subscriber maps a publisher's file: by its name, for reading.
  Mapping map_read_only(const char* name) const {
    const Fd file(::open(scratch.file(name).c_str(), O_RDONLY | O_CLOEXEC));
    return Mapping::map(file, 4096, {.access = Access::read}).value();
  }
};

// Wakes until somebody was there to be woken.
bool wake_one_sleeper(const Word& word) {
  for (const Deadline deadline = watchdog(); !deadline.passed();) {
    if (::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0) == 1) return true;
    ::sched_yield();
  }
  return false;
}

TEST_F(MemoryFacts, FutexWaitWorksOnAReadOnlySharedMapping) {
  const IfNot otherwise(
      "a sleeper would need write access to what it sleeps on; today that is the bell alone");
  const Fd file = file_of_words("word");
  const Mapping ours = Mapping::map(file, 4096, {.access = Access::read_write}).value();
  Child sleeper([&] {
    const Mapping view = map_read_only("word");
    const os::FutexWord word{view.at<Word>(0), 0};
    return os::futex_wait(word, Deadline::never()) == os::FutexWake::woken ? 0 : 1;
  });
  EXPECT_TRUE(wake_one_sleeper(*ours.at<Word>(0)));
  EXPECT_EQ(sleeper.wait(), 0);
}

// <linux/futex.h> of 5.16 and the number of the call, which is the same on every architecture.
struct WaitvEntry {
  std::uint64_t expected;
  std::uint64_t address;
  std::uint32_t flags;
  std::uint32_t reserved;
};
constexpr long futex_waitv_number = 449;
constexpr std::uint32_t futex_32 = 2;

long futex_waitv(const WaitvEntry* entries, unsigned count) {
  return ::syscall(futex_waitv_number, entries, count, 0U, nullptr, CLOCK_MONOTONIC);
}

TEST_F(MemoryFacts, FutexWaitvWorksOnReadOnlySharedMappings) {
  const IfNot otherwise(
      "nothing changes: everybody sleeps on one word, the bell's ticket (decision 005)");
  if (futex_waitv(nullptr, 0) < 0 && errno != EINVAL) {
    GTEST_SKIP() << "no futex_waitv here (Linux 5.16): " << std::strerror(errno);
  }
  const Fd first = file_of_words("first");
  const Fd second = file_of_words("second");
  const Mapping ours = Mapping::map(second, 4096, {.access = Access::read_write}).value();
  Child sleeper([&] {
    const Mapping views[] = {map_read_only("first"), map_read_only("second")};
    const WaitvEntry entries[] = {
        {0, reinterpret_cast<std::uintptr_t>(views[0].data()), futex_32, 0},
        {0, reinterpret_cast<std::uintptr_t>(views[1].data()), futex_32, 0}};
    return futex_waitv(entries, 2) == 1 ? 0 : 1;  // the second was woken
  });
  EXPECT_TRUE(wake_one_sleeper(*ours.at<Word>(0)));
  EXPECT_EQ(sleeper.wait(), 0);
}

TEST_F(MemoryFacts, AReadOnlyDescriptorsMappingCannotBeMadeWritable) {
  const IfNot otherwise("subscribers could write to a publisher's data; there is no fallback");
  const Fd file = file_of_words("data");
  const Mapping view = map_read_only("data");
  EXPECT_EQ(::mprotect(view.data(), 4096, PROT_READ | PROT_WRITE), -1);
  EXPECT_EQ(errno, EACCES);
}

TEST_F(MemoryFacts, FutureWriteCanBeSealedWhileTheOwnerWrites) {
  const IfNot otherwise(
      "memory passed over a socket is copied instead; files of a topic rest on their mode bits");
  const Fd memory(::memfd_create("signalbox-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_TRUE(memory.is_open()) << std::strerror(errno);
  ASSERT_EQ(::ftruncate(memory.get(), 4096), 0);
  const Mapping ours = Mapping::map(memory, 4096, {.access = Access::read_write}).value();
  ASSERT_EQ(::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0) << std::strerror(errno);
  ours.at<Word>(0)->store(42);
  const std::string by_name = "/proc/self/fd/" + std::to_string(memory.get());
  const Fd again(::open(by_name.c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again.get(), 0), MAP_FAILED);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(::write(again.get(), "x", 1), -1);
  const auto view = Mapping::map(again, 4096, {.access = Access::read});
  ASSERT_TRUE(view);
  EXPECT_EQ(view->at<Word>(0)->load(), 42U);
}

int membarrier(int command) { return static_cast<int>(::syscall(SYS_membarrier, command, 0, 0)); }

TEST_F(MemoryFacts, GlobalExpeditedMembarrierExists) {
  const IfNot otherwise(
      "publishers fence at every publish, and sleepers without it sleep a millisecond at most");
  const int commands = membarrier(MEMBARRIER_CMD_QUERY);
  ASSERT_GE(commands, 0) << std::strerror(errno);
  EXPECT_NE(commands & MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0);
  EXPECT_NE(commands & MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0);
  EXPECT_TRUE(os::register_for_heavy_barrier());
  EXPECT_TRUE(os::heavy_barrier());
}

TEST_F(MemoryFacts, AForkedChildIsRegisteredForTheBarrierToo) {
  const IfNot otherwise(
      "register_for_heavy_barrier() would have to register again in each forked child");
  constexpr int get_registrations = 1 << 9;  // Linux 6.3; newer than Debian 12's headers
  ASSERT_TRUE(os::register_for_heavy_barrier());
  if (membarrier(get_registrations) < 0) {
    GTEST_SKIP() << "this kernel does not tell who is registered (Linux 6.3)";
  }
  Child child([] {
    return (membarrier(get_registrations) & MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) != 0 ? 0 : 1;
  });
  EXPECT_EQ(child.wait(), 0);
}

}  // namespace
}  // namespace signalbox::kernel
