// Symptom: where something of another kind lay in the place of a folder or a file of ours, opening
// took two seconds and blamed a process that was making or removing it, or told to try again and to
// look at the kernel's log. Cause: the kernel's answer was taken for that of a name that goes away.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "signalbox/lock.hpp"
#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"

struct Number {
  std::uint64_t value;
};
SBX_DESCRIBE(Number, value);

namespace signalbox {
namespace {

class WrongKind : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(domain_.root() + "/default"); }

  // That opening a topic or a lock says what lies there and what to do, and waits for nobody: then
  // it would say for whom it did.
  template <class Handle>
  void expect_said(const char* name, Errc code, const std::string& kind) {
    const auto opened = Handle::open(name);
    ASSERT_FALSE(opened) << name;
    const Error& said = opened.error();
    EXPECT_EQ(said.code, code) << said.text;
    EXPECT_NE(said.text.find(kind), std::string::npos) << said.text;
    EXPECT_NE(said.text.find("Move it away"), std::string::npos) << said.text;
  }

  std::string make(const std::string& folder) {
    std::filesystem::create_directories(domain_.topic_path(folder));
    return domain_.topic_path(folder) + "/";
  }

  ScratchDomain domain_;
};

TEST_F(WrongKind, InThePlaceOfATopicsFolder) {
  const std::string topics = make("");
  std::ofstream(topics + "plain") << "text";
  std::filesystem::create_symlink("/tmp", topics + "link");
  ::mkfifo((topics + "pipe").c_str(), 0600);
  expect_said<Publisher<Number>>("plain", Errc::damaged, "a plain file");
  expect_said<Subscriber<Number>>("link", Errc::damaged, "a symbolic link");
  expect_said<Publisher<Number>>("pipe", Errc::damaged, "a named pipe");
}

TEST_F(WrongKind, InThePlaceOfATopicsFiles) {
  std::filesystem::create_directories(make("folder") + "topic");
  std::filesystem::create_symlink("/etc/passwd", make("link") + "topic");
  expect_said<Publisher<Number>>("folder", Errc::damaged, "a directory");
  expect_said<Publisher<Number>>("link", Errc::damaged, "a symbolic link");
}

TEST_F(WrongKind, InThePlaceOfALock) {
  const std::string locks = make("+locks");
  std::filesystem::create_directories(locks + "folder");
  std::filesystem::create_symlink("/etc/passwd", locks + "link");
  expect_said<Mutex>("folder", Errc::damaged, "a directory");
  expect_said<Mutex>("link", Errc::damaged, "a symbolic link");
}

TEST_F(WrongKind, InThePlaceOfTheFoldersForLocks) {
  const std::string topics = make("");
  std::ofstream(topics + "+members") << "text";
  expect_said<Mutex>("any", Errc::damaged, "a plain file");
  std::filesystem::remove(topics + "+members");
  std::ofstream(topics + "+locks") << "text";
  expect_said<Mutex>("any", Errc::damaged, "a plain file");
}

TEST_F(WrongKind, WhereTheDomainsAreToLie) {
  const std::string before = domain_.root();
  std::ofstream(before + "/file") << "text";
  std::filesystem::create_symlink("nowhere", before + "/link");
  const std::pair<std::string, const char*> places[] = {{before + "/file", "a plain file"},
                                                        {before + "/file/below", "a plain file"},
                                                        {before + "/link", "to nowhere"},
                                                        {"/proc", "the kernel"}};
  for (const auto& [place, kind] : places) {
    ::setenv("SIGNALBOX_DIR", place.c_str(), 1);
    expect_said<Publisher<Number>>("any", Errc::bad_argument, kind);
    expect_said<Mutex>("any", Errc::bad_argument, kind);
  }
  ::setenv("SIGNALBOX_DIR", before.c_str(), 1);
  std::filesystem::remove(before + "/file");
  std::filesystem::remove(before + "/link");
}

}  // namespace
}  // namespace signalbox
