// Goal: a child that inherits a wait set is told wrong_process also where the parent never opened a
// topic. The handlers that tell a child were installed by the first topic only, so parent and child
// shared an epoll and took each other's events.
// Method: fork in a process that has nothing but a set; the only case of its program, because any
// topic opened before would hide it.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "signalbox/wait_set.hpp"

namespace signalbox {
namespace {

TEST(ForkedBeforeAnyTopic, AWaitSetKnowsTheChild) {
  auto set = WaitSet::create(1);
  ASSERT_TRUE(set);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const auto waited = set->wait(Deadline::immediate());
    ::_exit(!waited && waited.error().code == Errc::wrong_process ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0) << "the child waited in the parent's set";
  EXPECT_TRUE(set->wait(Deadline::immediate())) << "the parent may";
}

}  // namespace
}  // namespace signalbox
