// Goal: memory that is mapped, resized, advised on, flushed, locked and lost, in parent and child.
// Method: real files on a tmpfs and on a disk; children look at what they have got.
#include "signalbox/os/mapping.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "os/test_process.hpp"

namespace signalbox::os {
namespace {

const std::size_t page = page_bytes();

Fd file_of(std::size_t bytes, const char* folder = "/dev/shm") {
  Fd file(::open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  EXPECT_TRUE(file.is_open()) << std::strerror(errno);
  EXPECT_EQ(::ftruncate(file.get(), static_cast<off_t>(bytes)), 0);
  return file;
}

char first_byte_of(const Fd& file, std::size_t at = 0) {
  char byte = 0;
  EXPECT_EQ(::pread(file.get(), &byte, 1, static_cast<off_t>(at)), 1);
  return byte;
}

TEST(Mapping, WhatIsWrittenToASharedOneIsInTheFileAndToAPrivateOneIsNot) {
  const Fd file = file_of(2 * page);
  const Mapping shared = must(Mapping::map(file, 2 * page, {.access = Access::read_write}));
  const Mapping own =
      must(Mapping::map(file, 2 * page, {.access = Access::read_write, .is_private = true}));
  shared.array_of<char>()[0] = 's';
  EXPECT_EQ(own.array_of<const char>()[0], 's');
  own.array_of<char>()[0] = 'p';
  EXPECT_EQ(first_byte_of(file), 's');
  EXPECT_EQ(shared.array_of<const char>()[0], 's');
}

TEST(Mapping, FromAPageInTheFile) {
  const Fd file = file_of(3 * page);
  const Mapping tail =
      must(Mapping::map(file, page, {.access = Access::read_write, .offset = 2 * page}));
  tail.writable_bytes()[0] = std::byte{'t'};
  EXPECT_EQ(first_byte_of(file, 2 * page), 't');
}

TEST(Mapping, OneForReadingOffersNothingToWrite) {
  const Mapping view = must(Mapping::map(file_of(page), page, {}));
  EXPECT_FALSE(view.is_writable());
  EXPECT_TRUE(view.writable_bytes().empty());
  EXPECT_TRUE(view.array_of<int>().empty());
  EXPECT_EQ(view.array_of<const int>().size(), page / sizeof(int));
}

TEST(Mapping, RefusalsSayWhatIsWrong) {
  const Fd file = file_of(page);
  EXPECT_EQ(Mapping::map(file, 0, {}).error().code, Errc::bad_argument);
  const auto crooked = Mapping::map(file, page, {.offset = 1});
  EXPECT_EQ(crooked.error().code, Errc::bad_argument);
  EXPECT_NE(crooked.error().text.find(std::to_string(page)), std::string::npos);
  const Fd for_reading(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY));
  const auto writing = Mapping::map(for_reading, page, {.access = Access::read_write});
  EXPECT_EQ(writing.error().code, Errc::permission_denied);
  EXPECT_EQ(writing.error().sys_errno, EACCES);
  EXPECT_EQ(writing.error().call, "mmap");
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd in(ends[0]);
  const Fd out(ends[1]);
  EXPECT_EQ(Mapping::map(in, page, {}).error().code, Errc::not_supported);
}

TEST(Mapping, TheLimitOfTheAddressSpaceIsNamed) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer needs more address space than the limit leaves";
#endif
  test::Forked mapper([] {
    const rlimit limit{std::size_t{1} << 30, std::size_t{1} << 30};
    ::setrlimit(RLIMIT_AS, &limit);
    const auto refused = Mapping::anonymous(std::size_t{2} << 30, {});
    if (refused || refused.error().code != Errc::out_of_memory) return 1;
    return refused.error().text.find("RLIMIT_AS is 1073741824") != std::string::npos ? 0 : 2;
  });
  EXPECT_EQ(mapper.wait(), 0);
}

TEST(Mapping, AnonymousMemoryIsSharedWithChildrenUnlessItIsPrivateOrKeptFromThem) {
  const Mapping shared = must(Mapping::anonymous(page, {.access = Access::read_write}));
  const Mapping own =
      must(Mapping::anonymous(page, {.access = Access::read_write, .is_private = true}));
  test::Forked writer([&] {
    *shared.at<int>(0) = 7;
    *own.at<int>(0) = 7;
    return 0;
  });
  EXPECT_EQ(writer.wait(), 0);
  EXPECT_EQ(*shared.at<int>(0), 7);
  EXPECT_EQ(*own.at<int>(0), 0);

  const Mapping kept =
      must(Mapping::anonymous(page, {.access = Access::read_write, .is_in_children = false}));
  test::Forked looker([&] {
    unsigned char is_there = 0;
    return ::mincore(kept.data(), page, &is_there) != 0 && errno == ENOMEM ? 0 : 1;
  });
  EXPECT_EQ(looker.wait(), 0);
}

TEST(Mapping, PopulatedPagesAreThereAtOnce) {
  const Mapping lazy = must(Mapping::anonymous(64 * page, {.access = Access::read_write}));
  const Mapping full =
      must(Mapping::anonymous(64 * page, {.access = Access::read_write, .is_populated = true}));
  const auto count = [](const Mapping& mapping) {
    unsigned char is_there[64] = {};
    EXPECT_EQ(::mincore(mapping.data(), mapping.size(), is_there), 0);
    return std::count(std::begin(is_there), std::end(is_there), 1);
  };
  EXPECT_EQ(count(lazy), 0);
  EXPECT_EQ(count(full), 64);
}

TEST(Mapping, GrowsWithItsFileAndKeepsItsBytes) {
  const Fd file = file_of(page);
  Mapping mapping = must(Mapping::map(file, page, {.access = Access::read_write}));
  *mapping.at<char>(0) = 'k';
  ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(100 * page)), 0);
  must(mapping.resize(100 * page));
  EXPECT_EQ(*mapping.at<char>(0), 'k');
  *mapping.at<char>(99 * page) = 'e';
  EXPECT_EQ(first_byte_of(file, 99 * page), 'e');
  must(mapping.resize(page));
  EXPECT_EQ(mapping.size(), page);
  // It is still guarded, at its new place.
  ASSERT_EQ(::ftruncate(file.get(), 0), 0);
  EXPECT_EQ(*mapping.at<char>(0), 0);
  EXPECT_TRUE(mapping.is_lost());
  EXPECT_EQ(mapping.resize(2 * page).error().code, Errc::damaged);
}

TEST(Mapping, AnonymousMemoryGrowsWherePrivateAndSaysSoWhereShared) {
  Mapping own = must(Mapping::anonymous(page, {.access = Access::read_write, .is_private = true}));
  *own.at<char>(0) = 'k';
  must(own.resize(50 * page));
  *own.at<char>(49 * page) = 'e';
  EXPECT_EQ(*own.at<char>(0), 'k');
  Mapping shared = must(Mapping::anonymous(page, {.access = Access::read_write}));
  EXPECT_EQ(shared.resize(2 * page).error().code, Errc::not_supported);
  EXPECT_EQ(shared.size(), page);
}

TEST(Mapping, AFileThatIsShortenedIsLostAndNoSigbus) {
  for (const Access access : {Access::read, Access::read_write}) {
    const Fd file = file_of(4 * page);
    Mapping mapping = must(Mapping::map(file, 4 * page, {.access = access}));
    std::atomic<std::uint64_t> word{0};
    mapping.raise_when_lost(word);
    mapping.look_for_loss(file);
    EXPECT_FALSE(mapping.is_lost());
    ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(page)), 0);
    EXPECT_FALSE(mapping.is_lost());
    EXPECT_EQ(std::ranges::count(mapping.bytes(), std::byte{0}), 4 * page);
    EXPECT_TRUE(mapping.is_lost());
    EXPECT_EQ(word.load(), 1U);
  }
}

TEST(Mapping, AChildIsGuardedInWhatItHasFromItsParent) {
  const Fd file = file_of(4 * page);
  const Mapping mapping = must(Mapping::map(file, 4 * page, {}));
  test::Forked reader([&] {
    if (::ftruncate(file.get(), 0) != 0) return 1;
    const bool is_zero = *mapping.at<char>(2 * page) == 0;
    return is_zero && mapping.is_lost() ? 0 : 2;
  });
  EXPECT_EQ(reader.wait(), 0);
  EXPECT_FALSE(mapping.is_lost()) << "nobody has touched it here";
}

TEST(Mapping, LookingForLossFindsWhatNobodyTouched) {
  const Fd file = file_of(4 * page);
  const Mapping mapping = must(Mapping::map(file, 2 * page, {.offset = 2 * page}));
  ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(3 * page)), 0);
  mapping.look_for_loss(file);
  EXPECT_TRUE(mapping.is_lost());
}

TEST(Mapping, EachOfManyIsLostAloneWhereverItsEntryWasBefore) {
  constexpr std::size_t count = 200;  // the table grows at 64
  const Fd whole = file_of(page);
  const Fd gone = file_of(page);
  std::vector<Mapping> mappings(count);
  for (int round = 0; round < 3; ++round) {
    // Every third goes and comes again, of another file than before.
    for (std::size_t i = round; i < count; i += 3) mappings[i] = Mapping();
    for (std::size_t i = 0; i < count; ++i) {
      const Fd& file = i % 2 == 0 ? whole : gone;
      if (!mappings[i].is_mapped()) mappings[i] = must(Mapping::map(file, page, {}));
    }
  }
  ASSERT_EQ(::ftruncate(gone.get(), 0), 0);
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(*mappings[i].at<char>(0), 0);
    EXPECT_EQ(mappings[i].is_lost(), i % 2 != 0) << i;
  }
}

TEST(Mapping, OthersComeAndGoWhileOneIsLost) {
  std::atomic<bool> is_over{false};
  std::array<std::jthread, 3> others;
  for (std::jthread& other : others) {
    other = std::jthread([&] {
      const Fd file = file_of(2 * page);
      while (!is_over.load()) {
        const Mapping one = must(Mapping::map(file, page, {}));
        const Mapping two = must(Mapping::map(file, 2 * page, {}));
        EXPECT_FALSE(one.is_lost() || two.is_lost());
      }
    });
  }
  for (int i = 0; i < 300; ++i) {
    const Fd file = file_of(page);
    const Mapping mapping = must(Mapping::map(file, page, {}));
    ASSERT_EQ(::ftruncate(file.get(), 0), 0);
    EXPECT_EQ(*mapping.at<char>(0), 0);
    EXPECT_TRUE(mapping.is_lost());
  }
  is_over.store(true);
}

TEST(Mapping, WithoutGuardTheKernelsRuleHolds) {
  test::Forked reader([] {
    ::signal(SIGBUS, SIG_DFL);  // a sanitizer would report it
    const Fd file = file_of(page);
    const Mapping mapping = must(Mapping::map(file, page, {.is_guarded = false}));
    static_cast<void>(::ftruncate(file.get(), 0));
    return static_cast<int>(*mapping.at<volatile char>(0));
  });
  EXPECT_EQ(reader.wait(), 128 + SIGBUS);
}

TEST(Mapping, IsFlushedToADisk) {
  const Fd file = file_of(4 * page, "/tmp");
  const Mapping mapping = must(Mapping::map(file, 4 * page, {.access = Access::read_write}));
  *mapping.at<char>(page + 5) = 'd';
  must(mapping.start_flush());
  must(mapping.flush({.offset = page + 5, .bytes = 1}));
  must(mapping.flush());
  EXPECT_EQ(first_byte_of(file, page + 5), 'd');
}

TEST(Mapping, TakesEveryAdvice) {
  const Fd file = file_of(4 * page, "/tmp");
  const Mapping mapping = must(Mapping::map(file, 4 * page, {}));
  for (const Advice advice :
       {Advice::sequential, Advice::random, Advice::will_need, Advice::cold, Advice::normal}) {
    must(mapping.advise(advice));
  }
}

// The sanitizers make mlock() do nothing.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
std::uint64_t locked_bytes_of_this_process() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmLck:" && status >> word) return std::stoull(word) * 1024;
  }
  return 0;
}

TEST(Mapping, IsLockedInMemoryUntilUnlocked) {
  const Mapping mapping = must(Mapping::anonymous(8 * page, {.access = Access::read_write}));
  const auto before = locked_bytes_of_this_process();
  must(mapping.lock());
  EXPECT_EQ(locked_bytes_of_this_process(), before + 8 * page);
  must(mapping.unlock({.bytes = 4 * page}));
  EXPECT_EQ(locked_bytes_of_this_process(), before + 4 * page);
}

TEST(Mapping, TheLimitOfLockedMemoryIsNamedAndThereIsRoomAfterAnUnlock) {
  test::Forked locker([] {
    const rlimit limit{4 * page, 4 * page};
    ::setrlimit(RLIMIT_MEMLOCK, &limit);
    // The limit is not for those who may everything.
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;
    const Mapping first = must(Mapping::anonymous(4 * page, {}));
    const Mapping second = must(Mapping::anonymous(4 * page, {}));
    if (!first.lock()) return 2;
    const auto refused = second.lock();
    if (refused || refused.error().code != Errc::limit_reached) return 3;
    const std::string named = "RLIMIT_MEMLOCK is " + std::to_string(4 * page);
    if (refused.error().text.find(named) == std::string::npos) return 4;
    if (!first.unlock()) return 5;
    return second.lock() ? 0 : 6;
  });
  EXPECT_EQ(locker.wait(), 0);
}
#endif

TEST(Mapping, HugePagesOfThePoolOrAnErrorThatSaysHowToRaiseIt) {
  auto mapping = Mapping::anonymous(page, {.access = Access::read_write, .pages = Pages::huge});
  if (mapping) {
    *mapping->at<char>(0) = 'h';
    EXPECT_GT(mapping->huge_bytes(), 0U);
    return;
  }
  EXPECT_EQ(mapping.error().code, Errc::no_space);
  EXPECT_NE(mapping.error().text.find("/proc/sys/vm/nr_hugepages"), std::string::npos);
}

TEST(Mapping, TellsHowMuchLiesInHugePages) {
  constexpr std::size_t large = std::size_t{16} << 20;
  const Mapping small = must(Mapping::anonymous(page, {.access = Access::read_write}));
  *small.at<char>(0) = 's';
  EXPECT_EQ(small.huge_bytes(), 0U);
  const Mapping mapping = must(Mapping::anonymous(
      large, {.access = Access::read_write, .is_private = true, .pages = Pages::huge_if_there}));
  std::memset(mapping.data(), 1, large);
  std::ifstream setting("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string modes;
  std::getline(setting, modes);
  if (modes.empty() || modes.find("[never]") != std::string::npos) {
    EXPECT_EQ(mapping.huge_bytes(), 0U);
  } else {
    EXPECT_LE(mapping.huge_bytes(), large);
    RecordProperty("huge_bytes", static_cast<int>(mapping.huge_bytes()));
  }
}

}  // namespace
}  // namespace signalbox::os
