// Symptom: a wait set that watched a semaphore or a mutex, and no topic, slept on though that had
// been given back. Cause: whoever gave it back had no descriptor left to open the set's pipe with,
// told nobody, and had marked the set as called, so that nobody after him rang either.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/watchdog.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/semaphore.hpp"
#include "signalbox/wait_set.hpp"
#include "sync/other_process.hpp"
#include "topic/scratch_domain.hpp"
#include "used_up_descriptors.hpp"

namespace signalbox {
namespace {

using Here = OtherProcess::Here;

// Nothing can be opened here while it lives. Those that the library's thread had open for a moment,
// when the limit was set, leave gaps.
class NoDescriptors {
 public:
  NoDescriptors() {
    int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (; next >= 0; next = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) fill_.emplace_back(next);
  }

 private:
  UsedUpDescriptors limit_{0};
  std::vector<os::Fd> fill_;
};

// Until the process in whose `stat` this looks sleeps; it was told to go to sleep.
void await_sleep(int stat) {
  for (;;) {
    char text[256] = {};
    if (::pread(stat, text, sizeof(text) - 1, 0) <= 0) std::_Exit(4);
    const std::string_view said(text);
    if (said.substr(said.rfind(')')).starts_with(") S")) return;
    ::sched_yield();
  }
}

// Runs `give_back` while the other process sleeps and this one cannot open anything.
void give_back_blindly(const Here& here, const std::function<void()>& give_back) {
  const std::string path = "/proc/" + std::to_string(::getppid()) + "/stat";
  const int stat = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  here.say();
  here.wait_for_word();
  await_sleep(stat);
  const NoDescriptors none;
  give_back();
  here.say();
  here.wait_for_word();
}

// The other process begins before this one has a thread of the library: ThreadSanitizer wants so.
class ReleasedWithoutDescriptors : public ::testing::Test {
 protected:
  void expect_woken(const Waitable& what, OtherProcess& other) {
    ASSERT_EQ(other.hear(), '.');
    auto set = WaitSet::create(1).value();
    const auto watch = set.watch(what, 1).value();
    ASSERT_EQ(set.wait(Deadline::immediate()).value().size(), 0U);
    // Nor has this process any left: the thread that looks after the dead calls once more whoever
    // is called, for some time after somebody came or went.
    const NoDescriptors none;
    other.go_on();
    EXPECT_EQ(set.wait(watchdog()).value().size(), 1U);
    EXPECT_EQ(other.hear(), '.');
    // Before our handle goes, or nobody is left to remove its files.
    other.kill();
    other.reap();
  }
  ScratchDomain domain_;
};

TEST_F(ReleasedWithoutDescriptors, APostedSemaphoreWakesTheSet) {
  OtherProcess other([](const Here& here) {
    auto theirs = Semaphore::open("s", {.units_max = 1, .units = 0}).value();
    give_back_blindly(here, [&] {
      if (!theirs.post()) std::_Exit(5);
    });
  });
  const auto semaphore = Semaphore::open("s", {.units_max = 1, .units = 0}).value();
  expect_woken(semaphore.waitable(), other);
}

TEST_F(ReleasedWithoutDescriptors, AReleasedMutexWakesTheSet) {
  OtherProcess other([](const Here& here) {
    auto theirs = Mutex::open("m").value();
    auto guard = std::move(theirs.lock(watchdog()).value()).regardless();
    give_back_blindly(here, [&] { guard.release(); });
  });
  const auto mutex = Mutex::open("m").value();
  expect_woken(mutex.waitable(), other);
}

}  // namespace
}  // namespace signalbox
