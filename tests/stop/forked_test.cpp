// Goal: fork() in any state changes nothing for the parent: its samples, loans and locks are as
// they were, whichever of the two ends first and whatever the child does with what it inherited.
// Method: a parent with every kind of handle forks; the child uses them all, in one order or the
// other. Then a parent with threads at work forks many times.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <optional>
#include <thread>
#include <vector>

#include "../proof_counts.hpp"
#include "participant.hpp"
#include "topic/scratch_domain.hpp"

namespace {

using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Loan;
using signalbox::Publisher;
using signalbox::Sample;
using signalbox::Subscriber;
using stop::eventually;
using stop::Participant;
using stop::Picture;
using namespace std::chrono_literals;

constexpr char pictures[] = "stop/pictures";

// Every state a handle can be in when its process forks.
struct Everything {
  std::optional<Publisher<Picture>> out =
      Publisher<Picture>::open(pictures, {.loans_max = 2}).value();
  std::optional<Subscriber<Picture>> in = Subscriber<Picture>::open(pictures).value();
  Loan<Picture> being_filled;
  Sample<Picture> held;

  Everything() {
    static_cast<void>(in->descriptor());
    publish(1);
    held = in->take();
    being_filled = out->loan();
    being_filled->number = 2;
  }
  void publish(std::uint64_t number) {
    auto loan = out->loan();
    loan->number = number;
    static_cast<void>(out->publish(std::move(loan)));
  }
  bool is_all_well() {
    if (!held || held->number != 1) return false;
    if (!out->publish(std::move(being_filled))) return false;
    const auto waited = in->wait(Deadline::after(60s));
    const auto sample = in->take();
    return waited && sample && sample->number == 2;
  }
};

// What the child may do: everything answers wrong_process, and nothing crashes.
int use_what_was_inherited(Everything& all) {
  if (all.out->loan() || all.out->why().code != Errc::wrong_process) return 1;
  const auto published = all.out->publish(std::move(all.being_filled));
  if (published || published.error().code != Errc::wrong_process) return 2;
  if (all.in->take() || all.in->status()->code != Errc::wrong_process) return 3;
  const auto waited = all.in->wait(Deadline::after(1s));
  if (waited || waited.error().code != Errc::wrong_process) return 4;
  if (all.in->descriptor()) return 5;
  all.held = {};
  all.being_filled = {};
  all.in.reset();
  all.out.reset();
  // A child makes its own.
  auto own = Subscriber<Picture>::open(pictures);
  return own && own->publisher_count() == 1 ? 0 : 6;
}

TEST(Forked, ChildThatUsesEverythingAndEndsFirst) {
  const signalbox::ScratchDomain domain;
  Everything all;
  Participant child([&] { return use_what_was_inherited(all); });
  EXPECT_EQ(child.join(), 0);
  EXPECT_TRUE(all.is_all_well());
}

TEST(Forked, ChildThatOnlyExits) {
  const signalbox::ScratchDomain domain;
  Everything all;
  Participant child([] { return 0; });
  EXPECT_EQ(child.join(), 0);
  EXPECT_TRUE(all.is_all_well());
}

// The child still has copies of everything when the parent closes: the parent's life must not go on
// in them.
TEST(Forked, ParentThatEndsFirst) {
  const signalbox::ScratchDomain domain;
  std::optional<Everything> all(std::in_place);
  Participant child([] {
    ::pause();
    return 0;
  });
  EXPECT_TRUE(all->is_all_well());
  all.reset();
  EXPECT_TRUE(std::filesystem::is_empty(domain.root())) << "the child keeps the topic alive";
}

TEST(Forked, ParentThatIsKilledWhileItsChildLives) {
  const signalbox::ScratchDomain domain;
  stop::Report& report = *stop::map_report();
  auto in = Subscriber<Picture>::open(pictures).value();
  Participant parent([&] {
    Everything all;
    const pid_t child = ::fork();
    if (child == 0) ::pause();
    report.mark = static_cast<std::uint64_t>(child);
    ::pause();
    return 0;
  });
  ASSERT_TRUE(eventually([&] { return report.mark != 0; }));
  EXPECT_EQ(in.publisher_count(), 1U);
  parent.signal(SIGKILL);
  parent.join();
  EXPECT_TRUE(eventually([&] { return in.publisher_count() == 0; })) << "its child counts for it";
  ::kill(static_cast<pid_t>(report.mark.load()), SIGKILL);
  while (in.take()) {
  }
}

TEST(Forked, ManyTimesFromAProcessWithThreadsAtWork) {
  const signalbox::ScratchDomain domain;
  const std::uint64_t forks = proof::long_form() ? 20'000 : 300;
  std::atomic<bool> over = false;
  std::atomic<std::uint64_t> taken = 0;
  std::atomic<std::uint64_t> lost = 0;
  auto in = Subscriber<Picture>::open(pictures, {.reliable = true}).value();
  std::thread publishes([&] {
    auto out = Publisher<Picture>::open(pictures).value();
    for (std::uint64_t number = 0; !over;) {
      auto loan = out.loan();
      if (!loan) continue;
      loan->number = number;
      if (out.publish(std::move(loan), Deadline::after(10ms))) ++number;
    }
  });
  std::thread takes([&] {
    for (std::uint64_t next = 0; !over;) {
      static_cast<void>(in.wait(Deadline::after(10ms)));
      while (const auto sample = in.take()) {
        lost += sample->number - next;
        next = sample->number + 1;
        ++taken;
      }
    }
  });
  // Opens and closes, so that the fork handlers meet it in the middle of that as well.
  std::thread comes_and_goes([&] {
    while (!over) static_cast<void>(Subscriber<Picture>::open(pictures));
  });
  for (std::uint64_t i = 0; i < forks; ++i) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(i % 2 == 0 || in.take().publisher() == 0 ? 0 : 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(status, 0) << "fork " << i;
  }
  const std::uint64_t before = taken;
  EXPECT_TRUE(eventually([&] { return taken > before; }));
  over = true;
  publishes.join();
  takes.join();
  comes_and_goes.join();
  EXPECT_EQ(lost, 0U);
  while (in.take()) {
  }
  proof::count({{"tries", forks}, {"messages", taken}, {"lost", lost}});
}

}  // namespace
