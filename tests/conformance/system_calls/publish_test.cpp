// Goal: publish makes no system call while nobody sleeps, and with WakeSleepers::no never.
// Method: a forked child publishes under a seccomp filter that lets only exit_group through and
// kills whatever else enters the kernel; the cases with a sleeper show that it does.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <optional>
#include <vector>

#include "base/must.hpp"
#include "signalbox/os/timer.hpp"
#include "signalbox/topic.hpp"
#include "signalbox/wait_set.hpp"
#include "topic/scratch_domain.hpp"

namespace test {
struct Small {
  std::uint64_t value;
};
struct Large {
  std::uint64_t words[1000];
};
}  // namespace test
SBX_DESCRIBE(test::Small, value);
SBX_DESCRIBE(test::Large, words);

namespace signalbox {
namespace {

using test::Large;
using test::Small;
using namespace std::chrono_literals;

void kill_who_enters_the_kernel() {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog program{.len = std::size(rules), .filter = rules};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    ::_exit(2);
  }
}

enum class End { published, entered_the_kernel, other };

// What a child did that ran `open` and then, under the filter, a thousand times what it answered.
template <class Open>
End end_of(Open open) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto publish = open();
    kill_who_enters_the_kernel();
    bool all = true;
    for (int i = 0; i < 1'000; ++i) all = publish() && all;
    ::_exit(all ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return End::published;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) return End::entered_the_kernel;
  return End::other;
}

enum class Subscribed { nobody, awake, in_wait, in_a_set };

// Long enough to sleep in it even where the processor is taken away on the way there.
Deadline a_sleep() { return Deadline::after(50ms); }

// A publisher, and a subscriber that sleeps as asked: its wait is over, but since nobody answered
// it stands announced, as if it slept on, and no race with a second process spoils the test.
template <class T>
auto publishing(WakeSleepers wake, Subscribed subscribed) {
  return [=] {
    auto out = must(Publisher<T>::open("topic", {.depth = 4, .wake = wake}));
    auto in = subscribed == Subscribed::nobody ? std::optional<Subscriber<T>>()
                                               : must(Subscriber<T>::open("topic", Start::next));
    // The first touches memory, binds functions and meets the subscriber.
    const auto publish = [](Publisher<T>& to) {
      auto loan = to.loan();
      return loan && to.publish(std::move(loan)) && to.send(T{});
    };
    publish(out);
    if (subscribed == Subscribed::in_wait) {
      while (in->take()) {
      }
      static_cast<void>(in->wait(a_sleep()));
    }
    auto set = must(WaitSet::create(2));
    auto timer = must(os::Timer::once(Deadline::never()));
    std::vector<Watch> watches;
    if (subscribed == Subscribed::in_a_set) {
      watches.push_back(must(set.watch(in->waitable(), 1)));
      watches.push_back(must(set.watch(timer.waitable(), 2)));
      // Beside a timer the subscriber sleeps on a descriptor, and a publisher looks at who sleeps
      // so once, as it looks at who joins.
      static_cast<void>(set.wait(a_sleep()));
      publish(out);
      while (in->take()) {
      }
      static_cast<void>(set.wait(a_sleep()));
    }
    return
        [publish, out = std::move(out), in = std::move(in), set = std::move(set),
         timer = std::move(timer), watches = std::move(watches)]() mutable { return publish(out); };
  };
}

class PublishCalls : public ::testing::TestWithParam<Subscribed> {
 public:
  // What the dead child left is removed by who comes next.
  ~PublishCalls() override { static_cast<void>(Subscriber<Large>::open("topic")); }

 protected:
  ScratchDomain domain_;
};
INSTANTIATE_TEST_SUITE_P(With, PublishCalls,
                         ::testing::Values(Subscribed::nobody, Subscribed::awake,
                                           Subscribed::in_wait, Subscribed::in_a_set));

TEST_P(PublishCalls, OnlyASleeperIsWorthASystemCall) {
  const bool sleeps = GetParam() == Subscribed::in_wait || GetParam() == Subscribed::in_a_set;
  const End expected = sleeps ? End::entered_the_kernel : End::published;
  EXPECT_EQ(end_of(publishing<Small>(WakeSleepers::yes, GetParam())), expected);
  EXPECT_EQ(end_of(publishing<Large>(WakeSleepers::yes, GetParam())), expected);
}

TEST_P(PublishCalls, NoneAtAllWhenNobodyIsToBeWoken) {
  EXPECT_EQ(end_of(publishing<Small>(WakeSleepers::no, GetParam())), End::published);
  EXPECT_EQ(end_of(publishing<Large>(WakeSleepers::no, GetParam())), End::published);
}

}  // namespace
}  // namespace signalbox
