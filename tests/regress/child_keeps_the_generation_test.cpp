// Goal: a forked child has another fork generation also in a program that uses nothing of the
// library but the word. The handlers that count it lay in a part of the archive that only who
// called another function of it linked, so a guard of the parent was left by the child as well.
// Method: links the os layer alone and asks for the word and nothing else.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/process.hpp"

namespace signalbox::os {
namespace {

TEST(ChildKeepsTheGeneration, ItIsAnotherInAChild) {
  const unsigned mine = fork_generation();
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(fork_generation() == mine ? 1 : 0);
  int status = -1;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0) << "the child has its parent's generation";
  EXPECT_EQ(fork_generation(), mine);
}

}  // namespace
}  // namespace signalbox::os
