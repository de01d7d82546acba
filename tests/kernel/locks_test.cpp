// Goal: open-file-description locks tell the living from the dead.
// Method: a child takes the lock a participant holds for life; we ask in each state of its life.
#include "signalbox/os/file_lock.hpp"

#include "probe.hpp"

namespace signalbox::kernel {
namespace {

using os::Fd;
using os::LockKind;

struct LockedFile : ::testing::Test {
  ScratchDirectory scratch;
  std::string path = scratch.file("life");
  Fd writable{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  Fd read_only{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  Signpost locked;

  int hold_lock_for_life() const {
    const Fd own(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    const auto taken = os::try_lock(own, LockKind::exclusive);
    if (!taken || !*taken || !locked.pass()) return 1;
    for (;;) ::pause();
  }
  bool looks_alive() const { return os::is_exclusively_locked(read_only).value(); }
};
using LockFacts = LockedFile;

TEST_F(LockFacts, AReadLockQuestionThroughAReadOnlyDescriptorSeesALiveWritersLock) {
  const IfNot otherwise(
      "is_alive() would ask through a writable descriptor, and readers would need write access");
  EXPECT_FALSE(looks_alive());
  const Child owner([&] { return hold_lock_for_life(); });
  ASSERT_TRUE(locked.wait());
  EXPECT_TRUE(looks_alive());
}

TEST_F(LockFacts, AStoppedOwnerIsAlive) {
  const IfNot otherwise("a process under a debugger would be taken for dead; there is no fallback");
  const Child owner([&] { return hold_lock_for_life(); });
  ASSERT_TRUE(locked.wait());
  ::kill(owner.pid(), SIGSTOP);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(owner.pid()), &info, WSTOPPED | WNOWAIT), 0);
  EXPECT_TRUE(looks_alive());
}

TEST_F(LockFacts, AZombieHoldsNoLock) {
  const IfNot otherwise(
      "an owner whose parent does not wait for it would live on; a pidfd would have to decide");
  const Child owner([&] { return hold_lock_for_life(); });
  ASSERT_TRUE(locked.wait());
  owner.kill();
  owner.wait_until_zombie();
  EXPECT_FALSE(looks_alive());
}

TEST_F(LockFacts, ReadersCannotFakeLife) {
  const IfNot otherwise(
      "a program with mere reading rights could keep the dead alive; there is no fallback");
  ASSERT_TRUE(os::try_lock(read_only, LockKind::shared).value());
  const Fd asking(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(os::is_exclusively_locked(asking).value());
}

TEST_F(LockFacts, ClosingAnotherDescriptorOfTheFileKeepsTheLock) {
  const IfNot otherwise("reap() and is_alive() could not open files of our own process");
  ASSERT_TRUE(os::try_lock(writable, LockKind::exclusive).value());
  Fd(::open(path.c_str(), O_RDWR | O_CLOEXEC)).reset();
  EXPECT_TRUE(looks_alive());
}

TEST_F(LockFacts, AForkedChildKeepsTheLockUnlessItClosesItsCopy) {
  const IfNot otherwise("os::LifeFd would not need its fork handler");
  ASSERT_TRUE(os::try_lock(writable, LockKind::exclusive).value());
  Signpost closed;
  const Child child([&] {
    if (!locked.wait()) return 1;
    ::close(writable.get());
    if (!closed.pass()) return 1;
    for (;;) ::pause();
  });
  const int number = writable.release();
  ::close(number);
  EXPECT_TRUE(looks_alive()) << "the child's copy is the same open file description";
  ASSERT_TRUE(locked.pass());
  ASSERT_TRUE(closed.wait());
  EXPECT_FALSE(looks_alive());
}

// So two who leave a topic at once and both ask for the exclusive lock while they still hold their
// shared ones are both refused, and nobody is the last: whoever leaves must let go first.
TEST_F(LockFacts, AFailedConversionKeepsTheSharedLock) {
  const IfNot otherwise(
      "a topic whose type is refused could be removed under somebody who is in it");
  const Fd other(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(os::try_lock(writable, LockKind::shared).value());
  ASSERT_TRUE(os::try_lock(other, LockKind::shared).value());
  EXPECT_FALSE(os::try_lock(writable, LockKind::exclusive).value());
  EXPECT_FALSE(os::try_lock(other, LockKind::exclusive).value()) << "so neither is the last";
  os::unlock(writable);
  EXPECT_TRUE(os::try_lock(other, LockKind::exclusive).value());
  EXPECT_FALSE(os::try_lock(writable, LockKind::shared).value());
}

}  // namespace
}  // namespace signalbox::kernel
