// Goal: a child of a benchmark ends with its parent, also with one that was dead before the child
// could ask for that.
// Method: the child comes out of fork(2) when its parent is gone.
#include "bench/fork_child.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

namespace {

pid_t parent_of_the_next = 0;

void wait_until_orphaned() {
  while (::getppid() == parent_of_the_next) ::sched_yield();
}

TEST(ForkChild, EndsAlsoWhereItsParentWasDeadBefore) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    parent_of_the_next = ::getpid();
    ::pthread_atfork(nullptr, nullptr, wait_until_orphaned);
    if (bench::fork_child() == 0) static_cast<void>(!::write(ends[1], "x", 1));
    ::_exit(0);
  }
  ::close(ends[1]);
  ASSERT_EQ(::waitpid(parent, nullptr, 0), parent);
  char word = 0;
  EXPECT_EQ(::read(ends[0], &word, 1), 0) << "a child without a parent goes on";
  ::close(ends[0]);
}

}  // namespace
