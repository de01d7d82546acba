// Goal: kill -9 in the middle of an introduction leaves nobody waiting and nothing to clean up by
// hand; fork() takes nothing of the parent's with it; the library's thread is there only while it
// is needed, and takes no signals.
// Method: processes that join and leave without end, killed at random moments, beside a pair that
// goes on. The seed is printed and can be given by SIGNALBOX_SEED.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "../proof_counts.hpp"
#include "../stop/participant.hpp"
#include "topic/scratch_domain.hpp"

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using signalbox::Publisher;
using signalbox::Subscriber;
using signalbox::Tier;
using stop::Beat;
using stop::eventually;
using stop::Participant;

constexpr char kTopic[] = "hard/topic";
const signalbox::PublisherOptions kGives{.depth = 8, .tier = Tier::hardened};
const signalbox::SubscriberOptions kTakes{.start = signalbox::Start::next, .tier = Tier::hardened};

std::set<std::string> names_in(const signalbox::ScratchDomain& domain) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(domain.topic_path("hard+topic"))) {
    names.insert(entry.path().filename());
  }
  return names;
}

int come_and_go_for_ever(bool as_publisher) {
  for (;;) {
    if (as_publisher) {
      auto out = Publisher<Beat>::open(kTopic, kGives);
      if (!out || !out->send({1'000'000})) return 1;
    } else if (auto in = Subscriber<Beat>::open(kTopic, kTakes); !in || !in->descriptor()) {
      return 2;
    }
  }
}

TEST(KilledWhileMeeting, LeavesNobodyWaitingAndNothingBehind) {
  const std::uint64_t seed =
      proof::number_from_environment("SIGNALBOX_SEED", std::random_device{}());
  const std::uint64_t kills = proof::number_from_environment("SIGNALBOX_KILLS", 400);
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  const signalbox::ScratchDomain domain;
  {
    auto out = Publisher<Beat>::open(kTopic, kGives).value();
    auto in = Subscriber<Beat>::open(kTopic, kTakes).value();
    const auto ours = names_in(domain);
    std::uint64_t sent = 0;
    for (std::uint64_t i = 0; i < kills && !HasFailure(); ++i) {
      // Two at once, so that newcomers meet each other too.
      Participant gives([] { return come_and_go_for_ever(true); });
      Participant takes([] { return come_and_go_for_ever(false); });
      const timespec while_they_meet{.tv_sec = 0,
                                     .tv_nsec = static_cast<long>(random() % 4'000'000)};
      ::nanosleep(&while_they_meet, nullptr);
      const bool gives_first = random() % 2 == 0;
      for (Participant* const victim :
           {gives_first ? &gives : &takes, gives_first ? &takes : &gives}) {
        victim->signal(SIGKILL);
        EXPECT_EQ(victim->join(), 128 + SIGKILL)
            << "it ended by itself; kill " << i << ", seed " << seed;
      }
      ASSERT_TRUE(out.send({++sent}));
      ASSERT_TRUE(eventually([&] {
        const auto got = in.take();
        return got && got->number == sent;
      })) << "kill "
          << i << ", seed " << seed;
    }
    EXPECT_TRUE(eventually([&] {
      static_cast<void>(Subscriber<Beat>::open(kTopic, kTakes));  // cleans up
      while (in.take()) {
      }
      return names_in(domain) == ours && out.subscriber_count() == 1 && in.publisher_count() == 1;
    })) << "seed "
        << seed;
    proof::count({{"random_kills", 2 * kills}, {"hangs", HasFailure() ? 1U : 0U}});
  }
}

TEST(KilledParent, IsDeadThoughItsChildLives) {
  const signalbox::ScratchDomain domain;
  stop::Report& report = *stop::map_report();
  {
    auto in = Subscriber<Beat>::open(kTopic, kTakes).value();
    Participant parent([&] {
      auto out = Publisher<Beat>::open(kTopic, kGives);
      auto own = Subscriber<Beat>::open(kTopic, kTakes);
      if (!out || !own) return 1;
      if (::fork() == 0) {
        report.mark = 1;
        ::_exit(eventually([&] { return report.mark == 2; }) ? 0 : 1);
      }
      if (!eventually([&] { return report.mark == 1; })) return 2;
      ::raise(SIGKILL);
      return 3;
    });
    EXPECT_EQ(parent.join(), 128 + SIGKILL);
    EXPECT_EQ(in.publisher_count(), 0U);
    // Whoever comes next does not wait for an answer that only the child's copies could promise.
    auto out = Publisher<Beat>::open(kTopic, kGives);
    ASSERT_TRUE(out) << out.error().text;
    EXPECT_EQ(out->subscriber_count(), 1U);
  }
  EXPECT_TRUE(fs::is_empty(domain.root()));
  report.mark = 2;
}

TEST(ForkedChild, ComesAsItself) {
  const signalbox::ScratchDomain domain;
  auto out = Publisher<Beat>::open(kTopic, kGives).value();
  auto in = Subscriber<Beat>::open(kTopic, kTakes).value();
  Participant child([&] {
    if (out.send({1})) return 1;  // the parent's
    auto own_in = Subscriber<Beat>::open(kTopic, kTakes);
    auto own_out = Publisher<Beat>::open(kTopic, kGives);
    if (!own_in || !own_out) return 2;
    if (!own_out->send({2})) return 3;
    return own_in->take() ? 0 : 4;
  });
  EXPECT_EQ(child.join(), 0);
  const auto got = in.take();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->number, 2U);
  EXPECT_EQ(in.publisher_count(), 1U);
}

// The masks of blocked signals of our threads.
std::vector<std::uint64_t> masks_of_our_threads() {
  std::vector<std::uint64_t> masks;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    std::string name;
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("Name:")) name = line.substr(6);
      if (line.starts_with("SigBlk:") && name == "signalbox") {
        masks.push_back(std::stoull(line.substr(8), nullptr, 16));
      }
    }
  }
  return masks;
}

TEST(OurThread, IsOneThatTakesNoSignalsAndGoesWithTheLastParticipant) {
  const signalbox::ScratchDomain domain;
  EXPECT_TRUE(masks_of_our_threads().empty());
  {
    const auto plain = Publisher<Beat>::open("plain").value();
  }
  EXPECT_TRUE(masks_of_our_threads().empty());
  for (int round = 0; round < 3; ++round) {
    auto out = Publisher<Beat>::open(kTopic, kGives).value();
    auto in = std::make_unique<Subscriber<Beat>>(Subscriber<Beat>::open(kTopic, kTakes).value());
    ASSERT_TRUE(eventually([] { return masks_of_our_threads().size() == 1; }));
    for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGALRM, SIGCHLD, SIGUSR1, SIGUSR2, SIGIO}) {
      EXPECT_NE(masks_of_our_threads().at(0) >> (number - 1) & 1, 0U) << "signal " << number;
    }
    in.reset();
    EXPECT_EQ(masks_of_our_threads().size(), 1U);
  }
  // The kernel lists a thread a little longer than pthread_join(3) waits for it.
  EXPECT_TRUE(eventually([] { return masks_of_our_threads().empty(); }));
}

}  // namespace
