// Goal: whoever stands still while he opens a lock keeps nobody waiting; while he has it, those who
// want it; while he closes it, those who come, if he was the last. When he goes on it is the lock
// of all.
// Method: one stands still at the entry and at the return of each system call of all that (ptrace),
// while another does the same. A third asks while the first holds it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>

#include "../crash/lock_crew.hpp"
#include "../crash/stepper.hpp"
#include "../proof_counts.hpp"
#include "participant.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/os/pidfd.hpp"
#include "topic/scratch_domain.hpp"

namespace {

using kill_driver::Stepper;
using lock_crew::Kind;
using signalbox::Deadline;
using stop::Participant;
using stop::Report;
using namespace std::chrono_literals;

enum Mark : std::uint64_t { opening, holding, closing, done, failed };

// Stands still twice: before all, and while he holds it.
[[noreturn]] void visit_with_rests(Kind kind, Report& report) {
  ::raise(SIGSTOP);
  const std::string wrong = lock_crew::visit(kind, [&] {
    report.mark = holding;
    ::raise(SIGSTOP);
    report.mark = closing;
  });
  if (!wrong.empty()) std::fprintf(stderr, "who stood still: %s\n", wrong.c_str());
  report.mark = wrong.empty() ? done : failed;
  std::_Exit(0);
}

int come_and_go(Kind kind) {
  const std::string wrong = lock_crew::visit(kind);
  if (!wrong.empty()) std::fprintf(stderr, "the other: %s\n", wrong.c_str());
  return wrong.empty() ? 0 : 1;
}

bool is_free(Kind kind) {
  constexpr int kTaken = 7;
  Participant third([kind] { return lock_crew::visit(kind, {}, 0s).empty() ? kTaken : 0; });
  return third.join() == kTaken;
}

// Whether it has ended or waits then is not for this test to say: both go on as they must.
void give_time_to(const Participant& other) {
  const auto process = signalbox::os::Pidfd::open(static_cast<std::uint32_t>(other.pid()));
  ASSERT_TRUE(process);
  static_cast<void>(process->wait_until_ended(Deadline::after(20ms)));
}

// Somebody who has the mutex open until this object goes.
class Host {
 public:
  Host()
      : process_([this] {
          const auto mutex = signalbox::Mutex::open("crew");
          report_.mark = 1;
          return mutex && stop::eventually([this] { return report_.mark == 2; }) ? 0 : 1;
        }) {
    EXPECT_TRUE(stop::eventually([this] { return report_.mark == 1; }));
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() {
    report_.mark = 2;
    EXPECT_EQ(process_.join(), 0);
  }

 private:
  Report& report_ = *stop::map_report();
  Participant process_;
};

enum class Before { nobody, a_host };

// False: there is no such stop any more.
bool meet_at(Kind kind, Before before, std::uint64_t at) {
  using Stop = Stepper::Stop;
  const signalbox::ScratchDomain domain;
  Report& report = *stop::map_report();
  std::optional<Host> host;
  if (before == Before::a_host) host.emplace();
  Stepper one([&] { visit_with_rests(kind, report); });
  EXPECT_EQ(one.run_to_rest(), Stop::rested);
  Stop last = Stop::stepped;
  bool has_rested = false;
  for (std::uint64_t i = 0; i <= at && last != Stop::ended; ++i) {
    last = one.run_to_system_call();
    has_rested = has_rested || last == Stop::rested;
  }
  if (last == Stop::ended) {
    EXPECT_EQ(report.mark, done);
    return false;
  }
  host.reset();
  // Who opens it may have it already, a moment before he says so.
  const bool must_pass = report.mark == opening && is_free(kind);
  Participant other([kind] { return come_and_go(kind); });
  if (must_pass) {
    EXPECT_EQ(other.join(), 0) << "the other came to grief";
  } else {
    give_time_to(other);
  }
  if (!has_rested) {
    EXPECT_EQ(one.run_to_rest(), Stop::rested);
    EXPECT_FALSE(is_free(kind)) << "two have it";
  }
  EXPECT_EQ(one.run_to_rest(), Stop::ended);
  EXPECT_EQ(report.mark, done) << "who stood still came to grief";
  if (!must_pass) {
    EXPECT_EQ(other.join(), 0) << "the other came to grief";
  }
  return true;
}

void meet_at_every_stop(Kind kind, Before before) {
  std::uint64_t stops = 0;
  for (; !testing::Test::HasFailure(); ++stops) {
    SCOPED_TRACE("stop " + std::to_string(stops));
    if (!meet_at(kind, before, stops)) break;
  }
  EXPECT_GT(stops, 10U);
  std::printf("%llu stops\n", static_cast<unsigned long long>(stops));
  proof::count({{"tries", stops}, {"hangs", testing::Test::HasFailure() ? 1U : 0U}});
}

class JoiningLocks : public testing::TestWithParam<Kind> {};

TEST_P(JoiningLocks, StandingStillIsNobodysHarm) { meet_at_every_stop(GetParam(), Before::nobody); }

TEST(JoiningLock, IsOneThatTheLastIsLeaving) { meet_at_every_stop(Kind::mutex, Before::a_host); }

INSTANTIATE_TEST_SUITE_P(Of, JoiningLocks,
                         testing::Values(Kind::mutex, Kind::fair_mutex, Kind::semaphore,
                                         Kind::fair_semaphore, Kind::read_write),
                         [](const auto& kind) { return lock_crew::name_of(kind.param); });

}  // namespace
