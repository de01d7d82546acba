// Goal: a limit of the kernel that is used up is named with its value, leaves nothing behind, and
// after one removal there is room again; the same key in two name spaces are two objects.
// Method: each case is a child in an interprocess name space of its own, whose limits it lowers;
// needs root, and is skipped without.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "os/scratch_key.hpp"
#include "os/test_process.hpp"
#include "signalbox/os/posix_queue.hpp"
#include "signalbox/os/semaphore_set.hpp"
#include "signalbox/os/sysv_queue.hpp"

namespace signalbox::os {
namespace {

using test::Forked;
using Values = std::vector<std::uint16_t>;

constexpr int kNoNameSpace = 77;

void set_limit(const std::string& file, const std::string& value) {
  std::ofstream("/proc/sys/" + file) << value;
}

// Runs `work`, which answers 0 or the number of a step that failed, in a name space of its own.
template <class Work>
int in_a_name_space(Work work) {
  Forked child([&] { return ::unshare(CLONE_NEWIPC) == 0 ? work() : kNoNameSpace; });
  return child.wait();
}

void expect_done(int step) {
  if (step == kNoNameSpace) GTEST_SKIP() << "a name space of one's own needs root";
  EXPECT_EQ(step, 0) << "the step that failed";
}

template <class Made>
bool refused(const Made& made, Errc code, int sys_errno, std::string_view limit,
             std::string_view value) {
  if (made) return false;
  const Error& error = made.error();
  const bool right = error.code == code && error.sys_errno == sys_errno &&
                     error.text.find(limit) != std::string::npos &&
                     error.text.find(value) != std::string::npos;
  if (!right) std::fprintf(stderr, "not what was expected: %s\n", error.text.c_str());
  return right;
}

TEST(KernelLimits, SetsAndSemaphoresAreToldApart) {
  expect_done(in_a_name_space([] {
    set_limit("kernel/sem", "32000 10 500 2");
    const Values one{1};
    auto first = SemaphoreSet::create(SysvKey::number(1), one);
    auto second = SemaphoreSet::create(SysvKey::number(2), one);
    if (!first || !second) return 1;
    const auto third = SemaphoreSet::create(SysvKey::number(3), one);
    if (!refused(third, Errc::no_space, ENOSPC, "SEMMNI", "allows 2 sets")) return 2;
    // To open what exists needs no room.
    if (!SemaphoreSet::open_or_create(SysvKey::number(2), one, Deadline::immediate())) return 3;
    if (!second->remove()) return 4;
    const Values many(10, 0);
    const auto large = SemaphoreSet::create(SysvKey::number(3), many);
    if (!refused(large, Errc::no_space, ENOSPC, "SEMMNS", "allows 10 semaphores, 1 exist")) {
      return 5;
    }
    return SemaphoreSet::create(SysvKey::number(3), Values(9, 0)) ? 0 : 6;
  }));
}

TEST(KernelLimits, OperationsAreCounted) {
  expect_done(in_a_name_space([] {
    auto set = SemaphoreSet::create(SysvKey::private_key(), Values{0});
    set_limit("kernel/sem", "32000 1000 2 10");
    const auto three = set->apply({give(0), give(0), give(0)}, Deadline::never());
    if (!refused(three, Errc::too_large, E2BIG, "SEMOPM", "takes 2")) return 1;
    return set->apply({give(0), give(0)}, Deadline::never()) ? 0 : 2;
  }));
}

TEST(KernelLimits, SystemVQueuesAreCounted) {
  expect_done(in_a_name_space([] {
    set_limit("kernel/msgmni", "1");
    auto first = SysvQueue::create(SysvKey::number(1));
    if (!first) return 1;
    const auto second = SysvQueue::create(SysvKey::number(2));
    if (!refused(second, Errc::no_space, ENOSPC, "MSGMNI", "allows 1 queues")) return 2;
    if (!SysvQueue::open_or_create(SysvKey::number(1)) || !first->remove()) return 3;
    return SysvQueue::create(SysvKey::number(2)) ? 0 : 4;
  }));
}

TEST(KernelLimits, PosixQueuesAreCounted) {
  expect_done(in_a_name_space([] {
    set_limit("fs/mqueue/queues_max", "1");
    // CAP_SYS_RESOURCE goes beyond this limit, so this is for a user who has it not.
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 1;
    if (!PosixQueue::create("/first")) return 2;
    const auto second = PosixQueue::create("/second");
    if (!refused(second, Errc::no_space, ENOSPC, "queues_max", "at most 1")) return 3;
    if (!PosixQueue::unlink("/first")) return 4;
    const auto large = PosixQueue::create("/second", {.message_bytes_max = 1 << 20});
    if (!refused(large, Errc::bad_argument, EINVAL, "msgsize_max", "1048576 bytes")) return 5;
    return PosixQueue::create("/second") ? 0 : 6;
  }));
}

TEST(KernelLimits, DescriptorsOfAQueueAreCounted) {
  expect_done(in_a_name_space([] {
    std::vector<int> taken;
    const rlimit few{.rlim_cur = 16, .rlim_max = 16};
    if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return 1;
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken.push_back(fd);
    const auto none = PosixQueue::create("/none");
    if (!refused(none, Errc::limit_reached, EMFILE, "RLIMIT_NOFILE", "16 descriptors")) return 2;
    ::close(taken.back());
    return PosixQueue::create("/none") ? 0 : 3;
  }));
}

TEST(KernelLimits, OneKeyInTwoNameSpacesIsTwoObjects) {
  const test::ScratchKey scratch;
  auto here = SemaphoreSet::create(scratch.key(), Values{1});
  auto queue_here = SysvQueue::create(scratch.key());
  ASSERT_TRUE(here && queue_here);
  expect_done(in_a_name_space([&] {
    const auto none = SemaphoreSet::open(scratch.key(), 0, Deadline::immediate());
    if (none || none.error().code != Errc::not_found) return 1;
    auto there = SemaphoreSet::create(scratch.key(), Values{5});
    if (!there || there->value(0) != 5) return 2;
    if (SysvQueue::open(scratch.key())) return 3;
    return there->apply({take(0, 5)}, Deadline::immediate()) ? 0 : 4;
  }));
  EXPECT_EQ(here->value(0), 1);
}

}  // namespace
}  // namespace signalbox::os
