// Goal: shared memory with a name: what scenario rows 52 and 55 ask, rights, sizes, races,
// shortage. Method: objects of this test's own names in the real /dev/shm, and bare shm_open()
// beside ours.
#include "signalbox/os/shared_memory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "os/test_process.hpp"

namespace signalbox::os {
namespace {

struct SharedMemoryTest : ::testing::Test {
  const std::string name = "/signalbox-test-" + std::to_string(::getpid()) + "-" +
                           ::testing::UnitTest::GetInstance()->current_test_info()->name();
  ~SharedMemoryTest() override { ::shm_unlink(name.c_str()); }
};

unsigned mode_of(const SharedMemory& memory) {
  struct stat facts{};
  EXPECT_EQ(::fstat(memory.fd().get(), &facts), 0);
  return facts.st_mode & 07777;
}

TEST_F(SharedMemoryTest, ContentsStayWithNoUserAndOutliveTheNameAndTheNameIsGivenAnew) {
  {
    const auto memory = must(SharedMemory::create(name, 4096));
    *must(memory.map({.access = Access::read_write})).at<int>(0) = 52;
  }
  const auto old = must(SharedMemory::open(name, Access::read_write));
  const auto mapping = must(old.map({.access = Access::read_write}));
  EXPECT_EQ(*mapping.at<int>(0), 52);
  must(SharedMemory::unlink(name));
  EXPECT_EQ(*mapping.at<int>(0), 52);
  EXPECT_EQ(SharedMemory::open(name, Access::read).error().code, Errc::not_found);
  const auto anew = must(SharedMemory::create(name, 4096));
  EXPECT_EQ(*must(anew.map({})).at<int>(0), 0);
  *mapping.at<int>(0) = 53;
  EXPECT_EQ(*must(anew.map({})).at<int>(0), 0);
}

TEST_F(SharedMemoryTest, KeepsItsNameWhereverItIsMoved) {
  const std::string longest = "/" + name.substr(1) + std::string(256 - name.size(), 'x');
  for (const std::string& each : {name, longest}) {
    auto memory = must(SharedMemory::create(each.substr(1), 4096));
    EXPECT_EQ(memory.name(), each);
    SharedMemory moved;
    EXPECT_EQ(moved.name(), "");
    moved = std::move(memory);
    EXPECT_EQ(moved.name(), each);
    must(SharedMemory::unlink(moved.name()));
  }
}

TEST_F(SharedMemoryTest, IsTheKernelsObjectForBareProgramsToo) {
  const auto ours = must(SharedMemory::create(name, 100));
  const Fd bare(::shm_open(name.c_str(), O_RDWR, 0));
  ASSERT_TRUE(bare.is_open());
  ASSERT_EQ(::pwrite(bare.get(), "b", 1, 99), 1);
  EXPECT_EQ(*must(ours.map({})).at<char>(99), 'b');
  EXPECT_EQ(must(ours.size()), 100U);
}

TEST_F(SharedMemoryTest, RefusalsAreThoseOfTheKernel) {
  const auto missing = SharedMemory::open(name, Access::read).error();
  EXPECT_EQ(missing.code, Errc::not_found);
  EXPECT_EQ(missing.sys_errno, ENOENT);
  EXPECT_EQ(SharedMemory::unlink(name).error().sys_errno, ENOENT);
  const std::string long_name = "/" + std::string(256, 'n');
  const auto too_long = SharedMemory::create(long_name, 1).error();
  EXPECT_EQ(too_long.code, Errc::bad_name);
  EXPECT_EQ(too_long.sys_errno, ENAMETOOLONG);
  EXPECT_EQ(::shm_open(long_name.c_str(), O_RDONLY, 0), -1);
  EXPECT_EQ(errno, ENAMETOOLONG);
  const auto first = must(SharedMemory::create(name, 1));
  const auto second = SharedMemory::create(name, 1).error();
  EXPECT_EQ(second.code, Errc::already_exists);
  EXPECT_EQ(second.sys_errno, EEXIST);
  EXPECT_NE(second.text.find(name), std::string::npos);
}

TEST_F(SharedMemoryTest, TheLongestNameIsGiven) {
  std::string longest = name;
  longest.resize(256, 'n');
  must(SharedMemory::create(longest, 1));
  must(SharedMemory::unlink(longest));
}

TEST_F(SharedMemoryTest, BadNamesAreExplained) {
  for (const std::string& bad :
       {std::string(), std::string("/"), std::string("."), std::string("/.."), std::string("/a/b"),
        std::string("//a"), std::string("a\0b", 3)}) {
    const auto refused = SharedMemory::open_or_create(bad, 1);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, Errc::bad_name) << bad;
    EXPECT_EQ(refused.error().sys_errno, EINVAL) << bad;
  }
  must(SharedMemory::create(name.substr(1), 1));  // the slash may be left out
  must(SharedMemory::open(name, Access::read));
}

TEST_F(SharedMemoryTest, NoneHasTwoToThe63Bytes) {
  for (const std::uint64_t bytes : {1ULL << 63U, ~0ULL}) {
    const Error refused = SharedMemory::create(name, bytes).error();
    EXPECT_EQ(refused.code, Errc::too_large) << refused.text;
  }
  auto made = must(SharedMemory::create(name, 1));
  EXPECT_EQ(made.resize(1ULL << 63U).error().code, Errc::too_large);
}

TEST_F(SharedMemoryTest, WithoutPermissionOrDescriptors) {
  const auto memory = must(SharedMemory::create(name, 1, {.mode = 0}));
  test::Forked stranger([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;
    const auto refused = SharedMemory::open(name, Access::read);
    if (refused || refused.error().code != Errc::permission_denied) return 2;
    return refused.error().sys_errno == EACCES ? 0 : 3;
  });
  EXPECT_EQ(stranger.wait(), 0);
  test::Forked poor([&] {
    const rlimit none{3, 3};
    ::setrlimit(RLIMIT_NOFILE, &none);
    const auto refused = SharedMemory::open_or_create(name, 1);
    if (refused || refused.error().code != Errc::limit_reached) return 1;
    if (refused.error().sys_errno != EMFILE) return 2;
    return refused.error().text.find("RLIMIT_NOFILE is 3") != std::string::npos ? 0 : 3;
  });
  EXPECT_EQ(poor.wait(), 0);
}

TEST_F(SharedMemoryTest, TheModeIsExactlyTheOneAskedForWhateverTheUmask) {
  for (const mode_t mask : {000U, 022U, 077U}) {
    test::Forked maker([&] {
      ::umask(mask);
      const unsigned usual = mode_of(must(SharedMemory::create(name, 1)));
      must(SharedMemory::unlink(name));
      const unsigned asked = mode_of(must(SharedMemory::create(name, 1, {.mode = 0664})));
      must(SharedMemory::unlink(name));
      return usual == 0600 && asked == 0664 ? 0 : 1;
    });
    EXPECT_EQ(maker.wait(), 0) << mask;
  }
}

TEST_F(SharedMemoryTest, IsResizedWithItsNewBytesReservedAndZero) {
  auto memory = must(SharedMemory::create(name, 0));
  EXPECT_EQ(memory.map({}).error().code, Errc::bad_argument);
  must(memory.resize(1 << 20));
  struct stat facts{};
  ASSERT_EQ(::fstat(memory.fd().get(), &facts), 0);
  EXPECT_EQ(facts.st_size, 1 << 20);
  EXPECT_EQ(facts.st_blocks * 512, 1 << 20) << "not reserved";
  const auto whole = must(memory.map({}));
  must(memory.resize(4096));
  EXPECT_EQ(*whole.at<char>(1 << 19), 0);
  EXPECT_TRUE(whole.is_lost());
  const auto view = must(SharedMemory::open(name, Access::read));
  for (const std::uint64_t bytes : {1U, 8192U}) {
    EXPECT_EQ(SharedMemory(must(SharedMemory::open(name, Access::read))).resize(bytes).error().code,
              Errc::permission_denied);
  }
  EXPECT_EQ(view.map({.access = Access::read_write}).error().code, Errc::permission_denied);
}

TEST_F(SharedMemoryTest, TheFileSizeLimitIsAnErrorAndNotTheEndOfTheProcess) {
  test::Forked maker([&] {
    const rlimit limit{8192, 8192};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto fits = must(SharedMemory::create(name, 8192));
    const auto refused = fits.resize(8193);
    if (refused || refused.error().code != Errc::too_large) return 1;
    if (refused.error().sys_errno != EFBIG) return 2;
    if (must(fits.size()) != 8192) return 3;
    return refused.error().text.find("RLIMIT_FSIZE is 8192") != std::string::npos ? 0 : 4;
  });
  EXPECT_EQ(maker.wait(), 0);
}

// A file system of 1 MiB over /dev/shm, in a name space of this process alone.
bool small_shm() {
  const int flags = CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER);
  return ::unshare(flags) == 0 &&
         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("small", "/dev/shm", "tmpfs", 0, "size=1m") == 0;
}

TEST_F(SharedMemoryTest, AFullFileSystemIsAnErrorAndLeavesNothing) {
  constexpr int cannot = 77;
  test::Forked maker([&] {
    if (!small_shm()) return cannot;
    const auto refused = SharedMemory::create(name, 2 << 20);
    if (refused || refused.error().code != Errc::no_space) return 1;
    if (refused.error().sys_errno != ENOSPC) return 2;
    if (refused.error().text.find("1048576 bytes are free") == std::string::npos) return 3;
    if (SharedMemory::open(name, Access::read)) return 4;
    auto half = must(SharedMemory::create(name, 512 << 10));
    if (half.resize(2 << 20) || must(half.size()) != 512 << 10) return 5;
    must(SharedMemory::unlink(name));
    half = must(SharedMemory::create(name, 256 << 10));
    return SharedMemory::create(name + "2", 512 << 10) ? 0 : 6;
  });
  const int answer = maker.wait();
  if (answer == cannot) GTEST_SKIP() << "no mount name space for this user";
  EXPECT_EQ(answer, 0);
}

TEST_F(SharedMemoryTest, OfManyThatComeAtOnceOneCreatesAndNobodyFindsItHalfMade) {
  constexpr int rounds = 200;
  constexpr std::uint64_t bytes = 12'288;
  std::atomic<int> half_made{0};
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::thread> comers;
    comers.reserve(4);
    std::atomic<int> ready{0};
    for (int i = 0; i < 4; ++i) {
      comers.emplace_back([&] {
        ready.fetch_add(1);
        while (ready.load() < 4) std::this_thread::yield();
        const auto memory = must(SharedMemory::open_or_create(name, bytes));
        if (must(memory.size()) != bytes) half_made.fetch_add(1);
        must(memory.map({.access = Access::read_write})).at<std::atomic<int>>(0)->fetch_add(1);
      });
    }
    for (auto& comer : comers) comer.join();
    const auto memory = must(SharedMemory::open(name, Access::read));
    ASSERT_EQ(*must(memory.map({})).at<int>(0), 4) << "round " << round << ": not the same memory";
    must(SharedMemory::unlink(name));
  }
  EXPECT_EQ(half_made.load(), 0);
}

TEST_F(SharedMemoryTest, ItsDescriptorIsClosedByExec) {
  const auto memory = must(SharedMemory::create(name, 1));
  EXPECT_EQ(::fcntl(memory.fd().get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(must(SharedMemory::open(name, Access::read)).fd().get(), F_GETFD), FD_CLOEXEC);
}

}  // namespace
}  // namespace signalbox::os
