// Goal: files of a tmpfs appear complete, shortage of memory is an error before anything is
// visible, and a directory that everybody may write to is safe. Method: real tmpfs, in a name space
// of our own where its size matters; as another user where rights do; in a memory cgroup of our own
// where that is allowed.
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/vfs.h>

#include <fstream>

#include "probe.hpp"

namespace signalbox::kernel {
namespace {

using os::Fd;

Fd open_unnamed(int directory) {
  return Fd(::openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

int link_by_descriptor(const Fd& file, int directory, const char* name) {
  const std::string self = "/proc/self/fd/" + std::to_string(file.get());
  return ::linkat(AT_FDCWD, self.c_str(), directory, name, AT_SYMLINK_FOLLOW);
}

TEST(FileFacts, AnUnnamedFileOfATmpfsCanBeGivenAName) {
  const IfNot otherwise(
      "opening a topic answers not_supported and names the file system; there is no fallback");
  const ScratchDirectory scratch;
  const Fd file = open_unnamed(scratch.fd());
  ASSERT_TRUE(file.is_open()) << std::strerror(errno);
  EXPECT_TRUE(scratch.is_empty());
  EXPECT_EQ(link_by_descriptor(file, scratch.fd(), "complete"), 0) << std::strerror(errno);
  EXPECT_FALSE(scratch.is_empty());
  const Fd second = open_unnamed(scratch.fd());
  EXPECT_EQ(link_by_descriptor(second, scratch.fd(), "complete"), -1);
  EXPECT_EQ(errno, EEXIST) << "a name is never taken from whoever has it";
}

TEST(FileFacts, AnUnnamedFileVanishesWithItsCreator) {
  const IfNot otherwise(
      "a creator that dies would leave memory behind; the reaper knows only names");
  const ScratchDirectory scratch;
  Signpost made;
  Child creator([&] {
    const Fd file = open_unnamed(scratch.fd());
    if (::posix_fallocate(file.get(), 0, 8 << 20) != 0 || !made.pass()) return 1;
    for (;;) ::pause();
  });
  ASSERT_TRUE(made.wait());
  struct stat file{};
  const std::string theirs = "/proc/" + std::to_string(creator.pid()) + "/fd";
  bool found = false;
  for (const auto& entry : std::filesystem::directory_iterator(theirs)) {
    if (::stat(entry.path().c_str(), &file) == 0 && file.st_nlink == 0) found = true;
  }
  EXPECT_TRUE(found) << "without a name, and with its memory";
  creator.kill();
  EXPECT_EQ(creator.wait(), 128 + SIGKILL);
  EXPECT_TRUE(scratch.is_empty());
}

// Runs in a mount name space of its own, with a tmpfs of one megabyte. 77: not allowed to.
int fill_a_small_tmpfs(const std::string& where) {
  if (::unshare(CLONE_NEWNS) != 0) return 77;
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
  if (::mount("tmpfs", where.c_str(), "tmpfs", 0, "size=1m") != 0) return 77;
  struct statfs before{};
  struct statfs after{};
  const Fd directory(::open(where.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (::fstatfs(directory.get(), &before) != 0) return 1;
  const Fd file = open_unnamed(directory.get());
  if (::posix_fallocate(file.get(), 0, 2 << 20) != ENOSPC) return 2;
  if (::fstatfs(directory.get(), &after) != 0 || after.f_bfree != before.f_bfree) return 3;
  if (::posix_fallocate(file.get(), 0, 512 << 10) != 0) return 4;
  return 0;
}

TEST(FileFacts, AllocatingBeyondATmpfsIsAnErrorAndTakesNothing) {
  const IfNot otherwise(
      "a full /dev/shm would be SIGBUS at the first touch instead of an error at open()");
  const ScratchDirectory scratch;
  Child child([&] { return fill_a_small_tmpfs(scratch.path()); });
  const int found = child.wait();
  if (found == 77) GTEST_SKIP() << "needs the right to mount a tmpfs (root)";
  EXPECT_EQ(found, 0) << "2: no ENOSPC, 3: memory was kept, 4: what fits was refused";
}

// ---- memory cgroups -----------------------------------------------------------------------------

bool write_line(const std::string& path, const std::string& line) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file.is_open() &&
         ::write(file.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

// A memory cgroup below the root of its hierarchy, or none.
class MemoryGroup {
 public:
  MemoryGroup() {
    for (const auto& [root, limit] : {std::pair{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
                                      std::pair{"/sys/fs/cgroup", "memory.max"}}) {
      const std::string path = std::string(root) + "/signalbox-" + std::to_string(::getpid());
      if (::mkdir(path.c_str(), 0700) != 0) continue;
      path_ = path;
      if (write_line(path_ + "/" + limit, std::to_string(16 << 20))) return;
      ::rmdir(path_.c_str());
      path_.clear();
    }
  }
  ~MemoryGroup() {
    if (!path_.empty()) ::rmdir(path_.c_str());
  }
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;
  bool is_there() const { return !path_.empty(); }
  bool enter() const { return write_line(path_ + "/cgroup.procs", std::to_string(::getpid())); }

 private:
  std::string path_;
};

// In a group that may have 16 MiB, 64 are asked for. Two answers are known: an error, or a kill.
TEST(FileFacts, AllocatingBeyondAMemoryCgroupLeavesNothing) {
  const IfNot otherwise(
      "memory would stay charged without a name; the container would have to be restarted");
  const MemoryGroup group;
  if (!group.is_there()) GTEST_SKIP() << "needs the right to make a memory cgroup (root)";
  const ScratchDirectory scratch;
  Child child([&] {
    if (!group.enter()) return 77;
    const Fd file = open_unnamed(scratch.fd());
    const int refused = ::posix_fallocate(file.get(), 0, 64 << 20);
    return refused == 0 ? 1 : refused == ENOMEM || refused == ENOSPC ? 0 : 2;
  });
  const int found = child.wait();
  if (found == 77) GTEST_SKIP() << "needs the right to enter a memory cgroup";
  RecordProperty("answer", found);
  EXPECT_TRUE(found == 0 || found == 128 + SIGKILL)
      << found << ": neither refused (0) nor killed for want of memory (137)";
  EXPECT_TRUE(scratch.is_empty());
}

// ---- directories that everybody may write to ----------------------------------------------------

// As another user makes a file that somebody else might open by mistake.
int plant(const std::string& path) {
  if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0) return 77;
  return ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666) >= 0 ? 0 : 1;
}

TEST(FileFacts, OpeningWithoutCreatingIsNotWhatAStickyDirectoryRefuses) {
  const IfNot otherwise(
      "opening a topic in a shared directory would fail where fs.protected_regular is on");
  const ScratchDirectory scratch;
  ASSERT_EQ(::chmod(scratch.path().c_str(), 01777), 0);
  const std::string path = scratch.file("planted");
  Child other([&] { return plant(path); });
  const int planted = other.wait();
  if (planted == 77) GTEST_SKIP() << "needs the right to become another user (root)";
  ASSERT_EQ(planted, 0);
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  EXPECT_TRUE(Fd(::open(path.c_str(), O_RDWR | O_CLOEXEC)).is_open()) << std::strerror(errno);

  int protection = 0;
  std::ifstream("/proc/sys/fs/protected_regular") >> protection;
  const Fd creating(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (protection == 0) {
    EXPECT_TRUE(creating.is_open()) << "fs.protected_regular is off here";
  } else {
    EXPECT_FALSE(creating.is_open()) << "fs.protected_regular is " << protection;
  }
}

}  // namespace
}  // namespace signalbox::kernel
