// Goal: files as memory: opened, made, resized; and found in, window by window.
// Method: real files; a search is held against one in a string, with random texts and windows.
#include "signalbox/os/mapped_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "os/test_process.hpp"

namespace signalbox::os {
namespace {

struct MappedFileTest : ::testing::Test {
  static std::string make_folder() {
    std::string name = "/tmp/signalbox-mapped-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    return name;
  }
  const std::string folder = make_folder();
  ~MappedFileTest() override { std::filesystem::remove_all(folder); }
  const std::string path = folder + "/file";
  Fd file_with(std::string_view text) const {
    Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    EXPECT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    return file;
  }
};

std::vector<std::uint64_t> places_of(FileSearch search) {
  std::vector<std::uint64_t> places;
  while (const auto place = must(search.next())) places.push_back(*place);
  return places;
}

TEST_F(MappedFileTest, IsMadeWrittenAndOpened) {
  {
    const auto made = must(MappedFile::create(path, 10'000, 0640, {}));
    std::memcpy(made.mapping().data() + 9'000, "signalbox", 9);
    must(made.mapping().flush());
    struct stat facts{};
    ASSERT_EQ(::fstat(made.fd().get(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777, 0640U);
    EXPECT_GE(facts.st_blocks * 512, 10'000) << "not reserved";
  }
  const auto view = must(MappedFile::open(path, {}));
  EXPECT_EQ(view.mapping().size(), 10'000U);
  EXPECT_EQ(std::memcmp(view.mapping().data() + 9'000, "signalbox", 9), 0);
  const auto tail = must(MappedFile::open(path, {.offset = 2 * page_bytes()}));
  EXPECT_EQ(tail.mapping().size(), 10'000 - 2 * page_bytes());
}

TEST_F(MappedFileTest, RefusalsNameTheFile) {
  const auto missing = MappedFile::open(path, {}).error();
  EXPECT_EQ(missing.code, Errc::not_found);
  EXPECT_EQ(missing.sys_errno, ENOENT);
  EXPECT_NE(missing.text.find(path), std::string::npos);
  file_with("");
  EXPECT_EQ(MappedFile::open(path, {}).error().code, Errc::bad_argument) << "empty";
  EXPECT_EQ(MappedFile::create(path, 1, 0600, {}).error().code, Errc::already_exists);
  EXPECT_EQ(MappedFile::open(folder, {}).error().code, Errc::not_supported);
  const std::string cut = path + std::string("\0x", 2);
  EXPECT_EQ(MappedFile::open(cut, {}).error().code, Errc::bad_name);
  std::filesystem::remove(path);
  EXPECT_EQ(MappedFile::create(cut, 1, 0600, {}).error().code, Errc::bad_name);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(MappedFileTest, NoFileHasTwoToThe63Bytes) {
  for (const std::uint64_t bytes : {1ULL << 63U, ~0ULL}) {
    const Error refused = MappedFile::create(path, bytes, 0600, {}).error();
    EXPECT_EQ(refused.code, Errc::too_large) << refused.text;
    EXPECT_FALSE(std::filesystem::exists(path));
  }
  auto made = MappedFile::create(path, 1, 0600, {}).value();
  EXPECT_EQ(made.resize(1ULL << 63U).error().code, Errc::too_large);
}

TEST_F(MappedFileTest, AFailedCreateLeavesNoFile) {
  test::Forked maker([&] {
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    return MappedFile::create(path, 4097, 0600, {}).error().code == Errc::too_large ? 0 : 1;
  });
  EXPECT_EQ(maker.wait(), 0);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(MappedFileTest, IsResizedWithItsMapping) {
  auto made = must(MappedFile::create(path, 100, 0600, {}));
  *made.mapping().at<char>(99) = 'e';
  must(made.resize(1 << 20));
  EXPECT_EQ(std::filesystem::file_size(path), 1U << 20);
  *made.mapping().at<char>((1 << 20) - 1) = 'z';
  must(made.resize(100));
  EXPECT_EQ(std::filesystem::file_size(path), 100U);
  EXPECT_EQ(*made.mapping().at<char>(99), 'e');
  EXPECT_FALSE(made.mapping().is_lost());
  EXPECT_EQ(made.resize(0).error().code, Errc::bad_argument);
  auto view = must(MappedFile::open(path, {}));
  EXPECT_EQ(view.resize(200).error().code, Errc::permission_denied);
}

TEST_F(MappedFileTest, APrivateMappingIsWrittenWithoutTheFile) {
  file_with("file");
  ASSERT_EQ(::chmod(path.c_str(), 0400), 0);
  const auto own = must(MappedFile::open(path, {.access = Access::read_write, .is_private = true}));
  *own.mapping().at<char>(0) = 'm';
  EXPECT_EQ(*must(MappedFile::open(path, {})).mapping().at<char>(0), 'f');
}

TEST_F(MappedFileTest, FindsEachPlaceAlsoWhereTheyOverlapAndCrossWindows) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20; ++round) {
    std::string text(5 * page_bytes() + random() % page_bytes(), 'a');
    for (char& letter : text) letter = static_cast<char>('a' + random() % 2);
    // Short ones are all over the place, and long ones longer than a window of one page.
    const std::size_t length = round % 2 == 0 ? 1 + random() % 12 : page_bytes() + random() % 5000;
    const std::string wanted = text.substr(random() % (text.size() - length), length);
    std::vector<std::uint64_t> expected;
    for (auto at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) {
      expected.push_back(at);
    }
    const Fd file = file_with(text);
    EXPECT_EQ(places_of(must(FileSearch::create(file, wanted, 0, page_bytes()))), expected);
    EXPECT_EQ(places_of(must(FileSearch::create(file, wanted))), expected);
    const std::uint64_t from = expected.back();
    EXPECT_EQ(places_of(must(FileSearch::create(file, wanted, from, 1))),
              std::vector<std::uint64_t>{from});
  }
}

TEST_F(MappedFileTest, SearchesAHugeFileWithoutItsMemory) {
  // 64 GiB of holes, which is more than this process may address.
  constexpr std::uint64_t huge = std::uint64_t{64} << 30;
  const Fd file = file_with("");
  if (::ftruncate(file.get(), static_cast<off_t>(huge)) != 0) GTEST_SKIP() << "no such large files";
  ASSERT_EQ(::pwrite(file.get(), "needle", 6, static_cast<off_t>(huge - 6)), 6);
  test::Forked seeker([&] {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    const rlimit limit{std::size_t{1} << 30, std::size_t{1} << 30};
    ::setrlimit(RLIMIT_AS, &limit);
    if (MappedFile::open(path, {}).error().code != Errc::out_of_memory) return 1;
#endif
    auto search =
        must(FileSearch::create(file, "needle", huge - (std::uint64_t{300} << 20), 64 << 20));
    if (must(search.next()) != huge - 6) return 2;
    return must(search.next()) ? 3 : 0;
  });
  EXPECT_EQ(seeker.wait(), 0);
}

TEST_F(MappedFileTest, SearchesForNothingInEmptyFilesAndBehindTheEnd) {
  const Fd file = file_with("");
  EXPECT_TRUE(places_of(must(FileSearch::create(file, "x"))).empty());
  const Fd text = file_with("text");
  EXPECT_TRUE(places_of(must(FileSearch::create(text, ""))).empty());
  EXPECT_TRUE(places_of(must(FileSearch::create(text, "texts"))).empty());
  EXPECT_TRUE(places_of(must(FileSearch::create(text, "t", 4, 1))).empty());
  EXPECT_EQ(places_of(must(FileSearch::create(text, std::string_view("xt\0", 2)))).size(), 1U);
}

TEST_F(MappedFileTest, AFileThatIsShortenedDuringASearchIsDamagedAndNoSigbus) {
  const Fd file = file_with(std::string(10 * page_bytes(), 'a') + "b");
  auto search = must(FileSearch::create(file, "a"));
  EXPECT_EQ(must(search.next()), 0U);
  ASSERT_EQ(::ftruncate(file.get(), 0), 0);
  auto answer = search.next();
  for (int i = 0; answer && *answer && i < 100'000; ++i) answer = search.next();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::damaged);
}

}  // namespace
}  // namespace signalbox::os
