// Goal: a process that is stopped is alive. Nobody takes it for dead, the others go on or time out
// with a clear error, and once it goes on all is as it was. One that is killed and not reaped is
// dead. Method: publishers and subscribers in processes of their own; any of them is stopped in a
// random moment of its work (0.1 s in the short form, 10 s in the long), then let go on.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <random>
#include <thread>

#include "../proof_counts.hpp"
#include "participant.hpp"
#include "topic/scratch_domain.hpp"

namespace {

using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Publisher;
using signalbox::Subscriber;
using stop::Beat;
using stop::eventually;
using stop::Participant;
using stop::Report;
using namespace std::chrono_literals;

std::chrono::milliseconds pause_length() {
  return std::chrono::milliseconds(proof::long_form() ? 10'000 : 100);
}

// The span that somebody is stopped for is what is tested here, so it is slept.
void sleep_for(std::chrono::microseconds span) {
  const Deadline until = Deadline::after(span);
  eventually([&] { return until.passed(); });
}

std::size_t files_of(const signalbox::ScratchDomain& domain, const char* prefix) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(domain.topic_path("stop+beats"))) {
    const std::string name = entry.path().filename();
    count += name.starts_with(prefix) && !name.ends_with(".fifo") ? 1 : 0;
  }
  return count;
}

struct Crew {
  Report& out = *stop::map_report();
  Report& reliable = *stop::map_report();
  Report& lossy = *stop::map_report();
  Report& looping = *stop::map_report();
  Participant publisher{[this] { return stop::publish_beats(out); }};
  Participant takes_all{[this] { return stop::take_beats(reliable, true, false); }};
  Participant takes_some{[this] { return stop::take_beats(lossy, false, false); }};
  Participant in_a_loop{[this] { return stop::take_beats(looping, false, true); }};

  bool everybody_goes_on() const {
    const auto before = {out.published.load(), reliable.taken.load(), lossy.taken.load(),
                         looping.taken.load()};
    const std::vector<std::uint64_t> then(before);
    return eventually([&] {
      return out.published > then[0] && reliable.taken > then[1] && lossy.taken > then[2] &&
             looping.taken > then[3];
    });
  }
};

TEST(Stopped, IsAliveAndGoesOn) {
  const std::uint64_t seed =
      proof::number_from_environment("SIGNALBOX_SEED", std::random_device{}());
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  const signalbox::ScratchDomain domain;
  std::uint64_t stops = 0;
  {
    Crew crew;
    ASSERT_TRUE(crew.everybody_goes_on());
    // Opened by us, so that there is somebody who looks for the dead all the time.
    auto in = Subscriber<Beat>::open(stop::beats).value();
    auto out = Publisher<Beat>::open(stop::beats, {.depth = 16}).value();
    ASSERT_TRUE(
        eventually([&] { return in.publisher_count() == 2 && out.subscriber_count() == 4; }));
    const Participant* const all[] = {&crew.publisher, &crew.takes_all, &crew.takes_some,
                                      &crew.in_a_loop};
    const std::uint64_t rounds = proof::long_form() ? 200 : 24;
    for (std::uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
      sleep_for(std::chrono::microseconds(random() % 3000));
      // Several in parallel: each bit of the choice is one of them; never nobody.
      const std::uint64_t chosen = random() % 15 + 1;
      for (std::size_t i = 0; i < 4; ++i) {
        if ((chosen >> i & 1) == 0) continue;
        all[i]->signal(SIGSTOP);
        all[i]->wait_until_stopped();
        ++stops;
      }
      sleep_for(pause_length());
      EXPECT_EQ(in.publisher_count(), 2U) << "a stopped publisher was taken for dead";
      EXPECT_EQ(out.subscriber_count(), 4U) << "a stopped subscriber was taken for dead";
      EXPECT_EQ(files_of(domain, "pub-"), 2U);
      EXPECT_EQ(files_of(domain, "sub-"), 4U);
      while (in.take()) {
      }
      for (const Participant* one : all) one->signal(SIGCONT);
      EXPECT_TRUE(crew.everybody_goes_on()) << "round " << round << ", seed " << seed;
    }
    EXPECT_EQ(crew.reliable.lost, 0U);
    EXPECT_EQ(crew.reliable.disordered + crew.lossy.disordered + crew.looping.disordered, 0U);
    EXPECT_EQ(crew.out.errors + crew.reliable.errors + crew.lossy.errors + crew.looping.errors, 0U);
  }
  static_cast<void>(Subscriber<Beat>::open(stop::beats));  // cleans up after the killed crew
  proof::count({{"tries", stops}, {"hangs", HasFailure() ? 1U : 0U}});
}

TEST(Stopped, ReliableSubscriberIsNamedInATimeout) {
  const signalbox::ScratchDomain domain;
  Report& report = *stop::map_report();
  {
    auto out = Publisher<Beat>::open(stop::beats, {.depth = 4}).value();
    Participant slow([&] { return stop::take_beats(report, true, false); });
    ASSERT_TRUE(eventually([&] { return out.subscriber_count() == 1; }));
    slow.signal(SIGSTOP);
    slow.wait_until_stopped();
    std::uint64_t sent = 0;
    signalbox::Result<std::uint64_t> last = 0;
    while (sent < 100 && (last = out.send({sent}, Deadline::after(150ms)))) ++sent;
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error().code, Errc::timed_out);
    EXPECT_NE(last.error().text.find("pid " + std::to_string(slow.pid())), std::string::npos)
        << last.error().text;
    slow.signal(SIGCONT);
    EXPECT_TRUE(out.send({sent}, Deadline::after(60s)));
    ++sent;
    EXPECT_TRUE(eventually([&] { return report.taken == sent; })) << report.taken << " of " << sent;
    EXPECT_EQ(report.lost, 0U);
  }
  static_cast<void>(Subscriber<Beat>::open(stop::beats));
}

// Killed, but its parent has not asked for its status: there is still a process with its number.
TEST(Zombie, IsDeadAtOnce) {
  const signalbox::ScratchDomain domain;
  Report& report = *stop::map_report();
  auto in = Subscriber<Beat>::open(stop::beats).value();
  Participant publisher([&] { return stop::publish_beats(report); });
  ASSERT_TRUE(eventually([&] { return in.publisher_count() == 1; }));
  static_cast<void>(in.descriptor());
  publisher.signal(SIGKILL);
  publisher.wait_until_dead();
  EXPECT_TRUE(eventually([&] { return in.publisher_count() == 0; }));
  while (in.take()) {
  }
  EXPECT_EQ(files_of(domain, "pub-"), 0U) << "what it left was not removed";
}

// Sixteen busy loops on few cores must not keep a death from being noticed, nor traffic from going
// on with the next publisher.
TEST(Killed, IsNoticedBesideBusyLoops) {
  const signalbox::ScratchDomain domain;
  const std::uint64_t rounds = proof::long_form() ? 100 : 5;
  std::uint64_t longest_notice_ms = 0;
  std::uint64_t longest_traffic_ms = 0;
  {
    std::vector<std::unique_ptr<Participant>> busy;
    for (int i = 0; i < 16; ++i) {
      busy.push_back(std::make_unique<Participant>([] {
        for (;;) asm volatile("");
        return 0;
      }));
    }
    auto in = Subscriber<Beat>::open(stop::beats).value();
    for (std::uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
      Report& report = *stop::map_report();
      Participant first([&] { return stop::publish_beats(report); });
      ASSERT_TRUE(eventually([&] { return static_cast<bool>(in.take()); }));
      first.signal(SIGKILL);
      first.wait_until_dead();
      const std::int64_t died = signalbox::monotonic_now_ns();
      ASSERT_TRUE(eventually([&] {
        while (in.take()) {
        }
        return in.publisher_count() == 0;
      }));
      const std::int64_t noticed = signalbox::monotonic_now_ns();
      Participant second([&] { return stop::publish_beats(report); });
      ASSERT_TRUE(eventually([&] { return static_cast<bool>(in.take()); }));
      const std::int64_t traffic = signalbox::monotonic_now_ns();
      const auto ms = [](std::int64_t ns) { return static_cast<std::uint64_t>(ns / 1'000'000); };
      longest_notice_ms = std::max(longest_notice_ms, ms(noticed - died));
      longest_traffic_ms = std::max(longest_traffic_ms, ms(traffic - died));
    }
  }
  static_cast<void>(Publisher<Beat>::open(stop::beats));
  std::printf(
      "%llu deaths beside 16 busy loops: noticed after at most %llu ms, traffic after %llu\n",
      static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(longest_notice_ms),
      static_cast<unsigned long long>(longest_traffic_ms));
  proof::count({{"true_kills", rounds}});
}

}  // namespace
