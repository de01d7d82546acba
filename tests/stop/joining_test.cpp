// Goal: whoever is counted is served: what is published after subscriber_count() has counted a
// subscriber reaches it, whenever the two came, or is counted as lost.
// Method: one of them stands still at the entry and at the return of each system call of its open()
// (ptrace), while the other opens, counts and publishes at once where it may.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "../crash/stepper.hpp"
#include "../proof_counts.hpp"
#include "participant.hpp"
#include "topic/scratch_domain.hpp"

namespace {

using kill_driver::Stepper;
using signalbox::Deadline;
using signalbox::Publisher;
using signalbox::PublisherOptions;
using signalbox::Start;
using signalbox::Subscriber;
using signalbox::SubscriberOptions;
using signalbox::Tier;
using stop::Beat;
using stop::eventually;
using stop::Report;
using namespace std::chrono_literals;

constexpr std::uint32_t kDepth = 4;

struct Meeting {
  const char* name;
  bool is_reliable;
  bool publisher_is_first;
  Tier tier = Tier::plain;
  Start start = Start::next;
  std::uint64_t messages = 2;
  SubscriberOptions takes() const {
    return {.start = start, .reliable = is_reliable, .tier = tier};
  }
  // Newcomers to the hardened tier give one that stands still two seconds.
  std::uint64_t stride() const { return tier == Tier::hardened && !proof::long_form() ? 3 : 1; }
  PublisherOptions gives() const { return {.depth = kDepth, .tier = tier}; }
};

class Joining : public testing::TestWithParam<Meeting> {};

enum Mark : std::uint64_t { opening, opened, refused };

// At stop number `at` of its open(); false if that is over before.
bool stand_still(Stepper& opens, const Report& report, std::uint64_t at) {
  EXPECT_EQ(opens.run_to_rest(), Stepper::Stop::rested);
  for (std::uint64_t i = 0; i <= at && report.mark == opening; ++i) {
    EXPECT_EQ(opens.run_to_system_call(), Stepper::Stop::stepped);
  }
  EXPECT_NE(report.mark, refused) << "open() failed";
  return report.mark == opening;
}

void take_for_ever(const Meeting& meeting, Report& report) {
  ::raise(SIGSTOP);
  auto in = Subscriber<Beat>::open(stop::beats, meeting.takes());
  report.mark = in ? opened : refused;
  while (in && in->wait(Deadline::after(100ms))) {
    while (const auto sample = in->take()) {
      report.lost = in->lost_count();
      if (sample->number != report.taken + report.lost) report.disordered += 1;
      report.taken += 1;
    }
  }
}

// In the hardened tier a newcomer does not pass by one that stands still as it introduces itself.
template <class Handle>
std::optional<Handle> unless_kept_out(const Meeting& meeting, signalbox::Result<Handle> opened) {
  if (opened) return std::move(*opened);
  EXPECT_EQ(meeting.tier, Tier::hardened) << opened.error().text;
  EXPECT_EQ(opened.error().code, signalbox::Errc::timed_out) << opened.error().text;
  return std::nullopt;
}

std::optional<Publisher<Beat>> open_publisher(const Meeting& meeting) {
  return unless_kept_out(meeting, Publisher<Beat>::open(stop::beats, meeting.gives()));
}

std::optional<Subscriber<Beat>> open_subscriber(const Meeting& meeting) {
  return unless_kept_out(meeting, Subscriber<Beat>::open(stop::beats, meeting.takes()));
}

// Whoever visits a topic next removes what the killed have left.
void clean_up(const Meeting& meeting) {
  static_cast<void>(Subscriber<Beat>::open(stop::beats, meeting.takes()));
}

void send_all(const Meeting& meeting, Publisher<Beat>& out) {
  for (std::uint64_t i = 0; i < meeting.messages; ++i) {
    ASSERT_TRUE(out.send({i}, Deadline::after(60s)));
  }
}

enum class Counted { early, late, never };

// Never: open() has no such place any more, or the test has failed.
Counted meet_a_stopped_subscriber(const Meeting& meeting, std::uint64_t at) {
  Report& report = *stop::map_report();
  // Who makes a topic of the hardened tier is waited for: here that is none of the two.
  std::optional<Publisher<Beat>> host;
  if (meeting.tier == Tier::hardened) host = open_publisher(meeting);
  std::optional<Publisher<Beat>> out;
  if (meeting.publisher_is_first) out = open_publisher(meeting);
  Stepper joiner([&] { take_for_ever(meeting, report); });
  if (!stand_still(joiner, report, at)) return Counted::never;
  if (!out) out = open_publisher(meeting);
  const bool is_early = out && out->subscriber_count() == 1;
  if (is_early) send_all(meeting, *out);
  joiner.let_go();
  if (!out) out = open_publisher(meeting);
  if (!is_early) {
    const bool is_late = out && eventually([&] { return out->subscriber_count() == 1; });
    EXPECT_TRUE(is_late);
    if (!is_late) return Counted::never;
    send_all(meeting, *out);
  }
  EXPECT_TRUE(eventually([&] { return report.taken + report.lost == meeting.messages; }))
      << report.taken << " of " << meeting.messages << " messages taken, " << report.lost
      << " lost";
  EXPECT_TRUE(report.lost == 0 || meeting.messages > kDepth);
  EXPECT_EQ(report.disordered, 0U);
  return is_early ? Counted::early : Counted::late;
}

TEST_P(Joining, SubscriberMissesNothingOnceItIsCounted) {
  std::uint64_t counted[2] = {};
  for (std::uint64_t at = 0; !HasFailure(); at += GetParam().stride()) {
    SCOPED_TRACE("stop " + std::to_string(at) + " of open()");
    const signalbox::ScratchDomain domain;
    const Counted when = meet_a_stopped_subscriber(GetParam(), at);
    clean_up(GetParam());
    if (when == Counted::never) break;
    ++counted[static_cast<int>(when)];
  }
  std::printf("%llu stops after it was counted, %llu before\n",
              static_cast<unsigned long long>(counted[0]),
              static_cast<unsigned long long>(counted[1]));
  EXPECT_GT(counted[0], 0U) << "open() was over before a stop at which the subscriber counted";
  proof::count({{"tries", counted[0] + counted[1]}, {"lost", HasFailure() ? 1U : 0U}});
}

void count_and_send(const Meeting& meeting, Report& report) {
  ::raise(SIGSTOP);
  auto out = Publisher<Beat>::open(stop::beats, meeting.gives());
  report.mark = out ? opened : refused;
  if (out && eventually([&] { return out->subscriber_count() == 1; })) send_all(meeting, *out);
  ::pause();
}

// False: open() has no such place any more, or the test has failed.
bool meet_a_stopped_publisher(const Meeting& meeting, std::uint64_t at) {
  Report& report = *stop::map_report();
  std::optional<Publisher<Beat>> host;
  if (meeting.tier == Tier::hardened) host = open_publisher(meeting);
  std::optional<Subscriber<Beat>> in;
  if (!meeting.publisher_is_first) in = open_subscriber(meeting);
  Stepper joiner([&] { count_and_send(meeting, report); });
  if (!stand_still(joiner, report, at)) return false;
  if (!in) in = open_subscriber(meeting);
  joiner.let_go();
  if (!in) in = open_subscriber(meeting);
  EXPECT_TRUE(in);
  if (!in) return false;
  std::uint64_t taken = 0;
  const bool has_all = eventually([&] {
    while (const auto sample = in->take()) EXPECT_EQ(sample->number, in->lost_count() + taken++);
    return taken + in->lost_count() == meeting.messages;
  });
  EXPECT_TRUE(has_all) << taken << " of " << meeting.messages << " messages taken";
  return has_all;
}

TEST_P(Joining, PublisherReachesWhomItCounts) {
  std::uint64_t stops = 0;
  for (std::uint64_t at = 0; !HasFailure(); at += GetParam().stride()) {
    SCOPED_TRACE("stop " + std::to_string(at) + " of open()");
    const signalbox::ScratchDomain domain;
    const bool goes_on = meet_a_stopped_publisher(GetParam(), at);
    clean_up(GetParam());
    if (!goes_on) break;
    ++stops;
  }
  EXPECT_GT(stops, 0U);
  proof::count({{"tries", stops}, {"lost", HasFailure() ? 1U : 0U}});
}

INSTANTIATE_TEST_SUITE_P(
    , Joining,
    testing::Values(Meeting{"lossy_came_first", false, false},
                    Meeting{"lossy_came_second", false, true},
                    Meeting{"reliable_came_first", true, false},
                    Meeting{"reliable_came_second", true, true},
                    Meeting{"latest_came_first", false, false, Tier::plain, Start::latest},
                    Meeting{"overrun_came_first", false, false, Tier::plain, Start::next, 7},
                    Meeting{"overrun_came_second", false, true, Tier::plain, Start::next, 7},
                    Meeting{"hardened_came_first", true, false, Tier::hardened},
                    Meeting{"hardened_came_second", true, true, Tier::hardened}),
    [](const auto& meeting) { return meeting.param.name; });

}  // namespace
