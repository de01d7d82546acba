// Symptom: once a reliable subscriber was killed a whole ring behind, every publish() that did not
// wait answered would_block, until somebody else came by and removed the dead one's file.
// Cause: the deadline was looked at before the life lock.
// Method: a subscriber in a child is killed; the publisher never waits.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"

namespace {

struct Number {
  std::uint64_t value;
};

}  // namespace

SBX_DESCRIBE(Number, value);

namespace {

using signalbox::Publisher;
using signalbox::Subscriber;

TEST(DeadSubscriber, DoesNotBlockAPublisherThatNeverWaits) {
  const signalbox::ScratchDomain domain;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto in = Subscriber<Number>::open("regress/dead", {.reliable = true});
    const char word = in ? 'y' : 'n';
    if (::write(ready[1], &word, 1) == 1) ::pause();
    std::_Exit(1);
  }
  char word = 0;
  ASSERT_EQ(::read(ready[0], &word, 1), 1);
  ASSERT_EQ(word, 'y');
  auto out = Publisher<Number>::open("regress/dead", {.depth = 4}).value();
  for (std::uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(out.send({i}));
  const auto refused = out.send({4});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, signalbox::Errc::would_block);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(out.send({4}));
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
