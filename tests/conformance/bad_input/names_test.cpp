// Goal: a topic that cannot be where it was asked to be is refused with the reason, and leaves
// nothing. Method: every kind of bad name, bad directory and foreign owner, each opened from both
// sides.
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "attempt.hpp"
#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"

struct Pose {
  std::uint64_t seq;
};
SBX_DESCRIBE(Pose, seq);

namespace signalbox {
namespace {

namespace fs = std::filesystem;

// Nobody's uids on any machine we know, so nothing of anybody's is touched. The tests that need a
// default root, which is named after the uid, have one each, since they may run at the same time.
constexpr uid_t somebody_else = 61234;
constexpr uid_t victim_of_a_directory = 61235;
constexpr uid_t victim_of_a_link = 61236;

std::string open_both(const std::string& topic, const std::string& domain = {}) {
  const std::string published = outcome(Publisher<Pose>::open(topic, {.domain = domain}));
  const std::string subscribed = outcome(Subscriber<Pose>::open(topic, {.domain = domain}));
  return published == subscribed ? published : published + "\nbut: " + subscribed;
}

// As another user, in this root or, for null, his default one.
std::string open_as(uid_t uid, const char* root) {
  if (root == nullptr) {
    ::unsetenv("SIGNALBOX_DIR");
  } else {
    ::setenv("SIGNALBOX_DIR", root, 1);
  }
  if (::setgroups(0, nullptr) != 0 || ::setresgid(uid, uid, uid) != 0 ||
      ::setresuid(uid, uid, uid) != 0) {
    return "cannot become another user";
  }
  return open_both("pose");
}

TEST(Names, WithForbiddenCharactersAreRefusedWithTheirPlace) {
  ScratchDomain domain;
  const std::pair<std::string, std::string> cases[] = {
      {"", "it is empty"},
      {"/pose", "column 1"},
      {"pose/", "column 6"},
      {"a//b", "column 3"},
      {"..", "\"..\""},
      {"a/../b", "\"..\""},
      {".", "\".\""},
      {"robot pose", "column 6 holds ' '"},
      {"pose*", "column 5 holds '*'"},
      {"a+b", "column 2 holds '+'"},
      {"a\\b", "column 2 holds '\\'"},
      {"pos\xc3\xa9", "column 4 holds 0xc3"},
      {std::string("po\0se", 5), "column 3 holds 0x00"},
      {"a\nb", "column 2 holds 0x0a"},
      {std::string(129, 'x'), "129 bytes"},
  };
  for (const auto& [name, reason] : cases) {
    SCOPED_TRACE(testing::PrintToString(name));
    expect_outcome(attempt([&] { return open_both(name); }), "bad_name",
                   {reason, "Names are 1 to 128"});
    if (!name.empty()) {
      expect_outcome(attempt([&] { return open_both("pose", name); }), "bad_name", {"domain"});
    }
  }
  EXPECT_TRUE(fs::is_empty(domain.root()));
}

TEST(Names, AllowedOnesWork) {
  const ScratchDomain domain;
  for (const std::string& name : {std::string("a"), std::string("A-b_c.9"), std::string("a/b/c"),
                                  std::string("..."), std::string(128, 'x')}) {
    expect_outcome(attempt([&] { return open_both(name); }), "ok");
  }
}

TEST(Directory, ThatIsNoDirectoryIsNamed) {
  const ScratchDomain domain;
  const std::string file = domain.root() + "/file";
  std::ofstream(file) << "not a directory";
  const auto result = attempt([&] {
    ::setenv("SIGNALBOX_DIR", file.c_str(), 1);
    return open_both("pose");
  });
  ASSERT_TRUE(result.ended) << how_it_died(result);
  EXPECT_THAT(result.text, testing::HasSubstr(file));
  EXPECT_THAT(result.text, testing::Not(testing::StartsWith("ok")));
  EXPECT_EQ(fs::file_size(file), 15u);
  fs::remove(file);
}

TEST(Directory, ThatIsRelativeIsRefused) {
  const ScratchDomain domain;
  const auto result = attempt([&] {
    ::setenv("SIGNALBOX_DIR", "somewhere", 1);
    return open_both("pose");
  });
  expect_outcome(result, "bad_argument", {"SIGNALBOX_DIR=somewhere", "absolute path"});
}

TEST(Directory, WithSomethingElseInAFilesPlaceIsNamed) {
  ScratchDomain domain;
  const fs::path topic = domain.topic_path("pose");
  for (const char* file : {"topic", "bell"}) {
    for (const char* kind : {"directory", "fifo", "link", "empty file"}) {
      SCOPED_TRACE(std::string(kind) + " as " + file);
      fs::create_directories(topic);
      const fs::path path = topic / file;
      if (*kind == 'd') fs::create_directory(path);
      if (*kind == 'f') {
        ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
      }
      if (*kind == 'l') fs::create_symlink("/etc/hostname", path);
      if (*kind == 'e') std::ofstream(path).close();
      const auto result = attempt([] { return open_both("pose"); });
      ASSERT_TRUE(result.ended) << how_it_died(result);
      EXPECT_THAT(result.text, testing::Not(testing::StartsWith("ok")));
      EXPECT_THAT(result.text, testing::HasSubstr(file));
      EXPECT_TRUE(fs::exists(fs::symlink_status(path))) << "it was not ours to remove";
      fs::remove_all(domain.root() + "/default");
    }
  }
}

class Permission : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: it becomes another user";
  }
};

TEST_F(Permission, MissingForAnothersTopicIsSaid) {
  ScratchDomain domain;
  ASSERT_EQ(::chmod(domain.root().c_str(), 0755), 0);
  auto out = Publisher<Pose>::open("pose");
  ASSERT_TRUE(out) << out.error().text;
  auto in = Subscriber<Pose>::open("pose");
  ASSERT_TRUE(in) << in.error().text;
  const auto result = attempt([&] { return open_as(somebody_else, domain.root().c_str()); });
  expect_outcome(result, "permission_denied",
                 {domain.root(), "Run as", "belongs to uid 0", "this process is uid 61234"});
  // The others never noticed.
  ASSERT_TRUE(out->send({1}));
  EXPECT_EQ(in->take()->seq, 1u);
}

TEST_F(Permission, MissingForAnothersDirectoryLeavesNothing) {
  ScratchDomain domain;
  ASSERT_EQ(::chmod(domain.root().c_str(), 0755), 0);
  const auto result = attempt([&] { return open_as(somebody_else, domain.root().c_str()); });
  expect_outcome(result, "permission_denied", {domain.root()});
  EXPECT_TRUE(fs::is_empty(domain.root()));
}

// /dev/shm belongs to everybody: the default root may have been put there by somebody else.
TEST_F(Permission, ADefaultRootPlantedBySomebodyElseIsNotTrusted) {
  const fs::path planted = "/dev/shm/signalbox-" + std::to_string(victim_of_a_directory);
  ASSERT_FALSE(fs::exists(planted));
  fs::create_directory(planted);
  ASSERT_EQ(::chmod(planted.c_str(), 0777), 0);
  const auto result = attempt([] { return open_as(victim_of_a_directory, nullptr); });
  expect_outcome(result, "permission_denied", {planted.string(), "belongs to uid 0"});
  EXPECT_TRUE(fs::is_empty(planted)) << "it was used before it was judged";
  fs::remove_all(planted);
}

TEST_F(Permission, ADefaultRootThatIsALinkIsNotFollowed) {
  ScratchDomain domain;
  ASSERT_EQ(::chmod(domain.root().c_str(), 0777), 0);
  const fs::path planted = "/dev/shm/signalbox-" + std::to_string(victim_of_a_link);
  ASSERT_FALSE(fs::exists(fs::symlink_status(planted)));
  fs::create_directory_symlink(domain.root(), planted);
  const auto result = attempt([] { return open_as(victim_of_a_link, nullptr); });
  expect_outcome(result, "permission_denied", {planted.string()});
  fs::remove(planted);
}

}  // namespace
}  // namespace signalbox
