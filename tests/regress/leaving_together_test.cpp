// Symptom: a topic's directory stayed behind when its last two participants left at the same time
// (seen as `test_a_launcher_that_is_killed_takes_its_daemons_along`, once in dozens of runs).
// Cause: one that was leaving held, for the moment of a look, the reaper's lock of an ended
// publisher's file; the other, who was the last, took that file for one that lives.
// Method: an ended publisher whom nobody has met, and two who leave at once, many times.
#include <gtest/gtest.h>

#include <barrier>
#include <optional>
#include <thread>

#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"

namespace {

using signalbox::Publisher;
using signalbox::Subscriber;

struct Number {
  std::uint64_t value;
};

}  // namespace

SBX_DESCRIBE(Number, value);

namespace {

TEST(LeavingTogether, LeavesNothing) {
  constexpr int kRounds = 500;
  const signalbox::ScratchDomain domain;
  for (int round = 0; round < kRounds; ++round) {
    std::optional sleeper(Subscriber<Number>::open("regress/leaving").value());
    std::optional stays(Publisher<Number>::open("regress/leaving").value());
    {
      auto ended = Publisher<Number>::open("regress/leaving").value();
      ASSERT_TRUE(ended.send({1}));
    }  // its file waits for the sleeper, who does not look
    std::barrier together(2);
    std::thread other([&] {
      together.arrive_and_wait();
      stays.reset();
    });
    together.arrive_and_wait();
    sleeper.reset();
    other.join();
    ASSERT_FALSE(std::filesystem::exists(domain.topic_path("regress+leaving")))
        << "after round " << round;
  }
}

}  // namespace
