// Goal: memory that is handed over with promises: what scenario row 57 asks, and each refusal.
// Method: real memfds; what is sealed is tried by ours and by bare calls.
#include "signalbox/os/memory_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>

#include "os/test_process.hpp"

namespace signalbox::os {
namespace {

constexpr MapOptions for_writing{.access = Access::read_write};

TEST(MemoryFile, IsZeroedReservedAndClosedByExec) {
  const auto memory = must(MemoryFile::create("zeroes", 8192));
  EXPECT_EQ(must(memory.size()), 8192U);
  EXPECT_EQ(must(check_sealed(memory.fd(), Seals::none)), 8192U) << "with holes";
  EXPECT_EQ(*must(memory.map({})).at<std::uint64_t>(4096), 0U);
  EXPECT_EQ(::fcntl(memory.fd().get(), F_GETFD), FD_CLOEXEC);
}

TEST(MemoryFile, GrowsAndShrinks) {
  auto memory = must(MemoryFile::create("sizes", 0));
  must(memory.resize(12'288));
  must(check_sealed(memory.fd(), Seals::none));
  must(memory.resize(4096));
  EXPECT_EQ(must(memory.size()), 4096U);
}

TEST(MemoryFile, SealsAgainstSizesHold) {
  auto memory = must(MemoryFile::create("fixed", 8192));
  must(memory.add_seals(Seals::shrink));
  EXPECT_EQ(memory.resize(4096).error().sys_errno, EPERM);
  must(memory.resize(12'288));
  must(memory.add_seals(Seals::grow));
  const auto refused = memory.resize(16'384).error();
  EXPECT_EQ(refused.code, Errc::permission_denied);
  EXPECT_EQ(refused.sys_errno, EPERM);
  EXPECT_NE(refused.text.find("F_SEAL_GROW"), std::string::npos);
  EXPECT_EQ(::ftruncate(memory.fd().get(), 0), -1);
  EXPECT_EQ(errno, EPERM);
  *must(memory.map(for_writing)).at<char>(0) = 'w';  // still written
}

TEST(MemoryFile, SealedAgainstWritingItIsOnlyRead) {
  auto memory = must(MemoryFile::create("read only", 4096));
  {
    const auto mapping = must(memory.map(for_writing));
    *mapping.at<char>(0) = 'r';
    const auto refused = memory.add_seals(Seals::write).error();
    EXPECT_EQ(refused.code, Errc::would_block);
    EXPECT_EQ(refused.sys_errno, EBUSY);
  }
  must(memory.add_seals(Seals::write));
  EXPECT_EQ(::pwrite(memory.fd().get(), "x", 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  const auto refused = memory.map(for_writing).error();
  EXPECT_EQ(refused.code, Errc::permission_denied);
  EXPECT_EQ(refused.sys_errno, EPERM);
  EXPECT_EQ(*must(memory.map({})).at<char>(0), 'r') << "reading goes on";
}

TEST(MemoryFile, SealedToOthersItsMakersMappingStillWrites) {
  auto memory = must(MemoryFile::create("made once", 4096));
  const auto makers = must(memory.map(for_writing));
  must(memory.add_seals(sealed_to_others));
  *makers.at<char>(0) = 'm';
  EXPECT_EQ(*must(memory.map({})).at<char>(0), 'm');
  EXPECT_EQ(memory.map(for_writing).error().sys_errno, EPERM);
}

TEST(MemoryFile, SealedSealsStay) {
  auto memory = must(MemoryFile::create("sealed", 4096));
  const Seals always = must(memory.seals());
  must(memory.add_seals(sealed_size));
  EXPECT_EQ(must(memory.seals()), sealed_size | always);
  const auto refused = memory.add_seals(Seals::write).error();
  EXPECT_EQ(refused.code, Errc::permission_denied);
  EXPECT_EQ(refused.sys_errno, EPERM);
  EXPECT_EQ(refused.call, "fcntl(F_ADD_SEALS)");
  EXPECT_EQ(must(memory.seals()), sealed_size | always);
}

TEST(MemoryFile, AdoptsOnlyWhatIsSealedAsAskedAndAllThere) {
  auto memory = must(MemoryFile::create("offered", 4096));
  must(memory.add_seals(sealed_size));
  auto adopted = must(MemoryFile::adopt(memory.release(), sealed_size));
  EXPECT_FALSE(memory.fd().is_open());
  const auto missing = MemoryFile::adopt(adopted.release(), sealed_contents);
  EXPECT_EQ(missing.error().code, Errc::damaged);
  EXPECT_NE(missing.error().text.find("F_SEAL_WRITE is missing"), std::string::npos);

  const auto file = MemoryFile::adopt(Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)), Seals::none);
  EXPECT_EQ(file.error().code, Errc::damaged);
  Fd holes(::memfd_create("holes", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(holes.get(), 8192), 0);
  EXPECT_EQ(MemoryFile::adopt(std::move(holes), Seals::none).error().code, Errc::damaged);
}

TEST(MemoryFile, NoneHasTwoToThe63Bytes) {
  for (const std::uint64_t bytes : {1ULL << 63U, ~0ULL}) {
    const Error refused = MemoryFile::create("huge", bytes).error();
    EXPECT_EQ(refused.code, Errc::too_large) << refused.text;
  }
  auto made = must(MemoryFile::create("small", 1));
  EXPECT_EQ(made.resize(1ULL << 63U).error().code, Errc::too_large);
}

TEST(MemoryFile, ALongNameIsCutAndLimitsAreNamed) {
  must(MemoryFile::create(std::string(5000, 'n'), 1));
  test::Forked poor([] {
    const rlimit size{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &size);
    if (MemoryFile::create("large", 4097).error().code != Errc::too_large) return 1;
    const rlimit none{3, 3};
    ::setrlimit(RLIMIT_NOFILE, &none);
    const auto refused = MemoryFile::create("none left", 1).error();
    if (refused.code != Errc::limit_reached || refused.sys_errno != EMFILE) return 2;
    return refused.text.find("RLIMIT_NOFILE is 3") != std::string::npos ? 0 : 3;
  });
  EXPECT_EQ(poor.wait(), 0);
}

}  // namespace
}  // namespace signalbox::os
