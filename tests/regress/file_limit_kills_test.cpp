// Symptom: opening a topic ended a program whose RLIMIT_FSIZE (ulimit -f) is smaller than the
// topic's file, by SIGXFSZ. Cause: the bytes were reserved without a look at the limit.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"

struct Number {
  std::uint64_t value;
};
SBX_DESCRIBE(Number, value);

namespace signalbox {
namespace {

TEST(FileLimitKills, ItIsAnErrorThatNamesTheLimit) {
  const ScratchDomain domain;
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto refused = Publisher<Number>::open("regress/limit", {.depth = 4096});
    if (refused || refused.error().code != Errc::too_large) ::_exit(1);
    ::_exit(refused.error().text.find("RLIMIT_FSIZE is 4096") != std::string::npos ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace signalbox
