// Goal: between processes, tails that outgrow what a publisher was opened for arrive whole and in
// order, one by one and in batches, in both tiers; and when the publisher is killed, what it had
// published is still taken and nothing of it is left behind.
// Method: a publisher process grows at random moments; subscribers that were there, and one that
// comes in the middle, check each message against its sum. The seed is printed.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <random>
#include <string>

#include "../delivery/messages.hpp"
#include "../regress/used_up_descriptors.hpp"
#include "../stop/participant.hpp"
#include "topic/scratch_domain.hpp"

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Loan;
using signalbox::Publisher;
using signalbox::Start;
using signalbox::Subscriber;
using signalbox::Tier;
using signalbox::delivery::Large;
using signalbox::delivery::sum_of;
using stop::eventually;
using stop::Participant;

constexpr char kTopic[] = "growing";
constexpr std::uint64_t kMessages = 600;
constexpr std::size_t kMost = 1 << 20;

signalbox::Result<Publisher<Large>> open_publisher(Tier tier) {
  return Publisher<Large>::open(kTopic, {.depth = 8,
                                         .loans_max = 4,
                                         .held_max = 2,
                                         .tail_bytes_max = 1000,
                                         .grown_tail_bytes_max = kMost,
                                         .tier = tier});
}

signalbox::Result<Subscriber<Large>> open_subscriber(Tier tier, Start start) {
  return Subscriber<Large>::open(kTopic, {.start = start, .reliable = true, .tier = tier});
}

void write(Loan<Large>& loan, std::uint64_t number) {
  signalbox::delivery::fill(number, loan.tail());
  loan->number = number;
  loan->sum = sum_of(number, loan.tail());
}

// Mostly short ones, so that each size comes up for the first time somewhere on the way.
std::size_t random_size(std::mt19937_64& random, std::uint64_t number) {
  const std::size_t bound = std::min<std::size_t>(kMost, 500 + number * number * 4);
  return random() % 3 == 0 ? random() % bound : random() % 900;
}

int publish_all(Tier tier, std::uint64_t seed, std::uint32_t subscribers,
                std::atomic<std::uint64_t>& published) {
  auto out = open_publisher(tier);
  if (!out) return 1;
  if (!eventually([&] { return out->subscriber_count() == subscribers; })) return 2;
  std::mt19937_64 random(seed);
  for (std::uint64_t number = 0; number < kMessages;) {
    // The one who comes late must find somebody.
    const bool is_half = number > kMessages / 2;
    if (is_half && !eventually([&] { return out->subscriber_count() > subscribers; })) return 5;
    std::array<Loan<Large>, 4> loans;
    const std::size_t count = 1 + random() % loans.size();
    const auto some = std::span(loans).first(std::min<std::uint64_t>(count, kMessages - number));
    std::size_t lent = 0;
    // A subscriber that takes on may hold frames for a moment; the deadline is a watchdog.
    const bool are_lent = eventually([&] {
      lent += out->loan_batch(some.subspan(lent), random_size(random, number));
      return lent == some.size();
    });
    if (!are_lent) return 3;
    for (std::size_t i = 0; i < some.size(); ++i) write(some[i], number + i);
    if (out->publish_batch(some, Deadline::after(60s)) != some.size()) return 4;
    number += some.size();
    published.store(number);
  }
  return 0;
}

// Takes from message `from` on, all of them.
int take_all(Tier tier, Start start, std::optional<std::uint64_t> from) {
  auto in = open_subscriber(tier, start);
  if (!in) return 11;
  std::optional<std::uint64_t> next = from;
  const Deadline watchdog = Deadline::after(120s);
  while (!next || *next < kMessages) {
    if (watchdog.passed()) return 12;
    const auto sample = in->take();
    if (!sample) {
      if (in->status() != nullptr) {
        std::fprintf(stderr, "%s\n", in->status()->text.c_str());
        return 13;
      }
      static_cast<void>(in->wait(Deadline::after(1s)));
      continue;
    }
    if (!next) next = sample->number;
    if (sample->number != *next) return 14;
    if (sample->sum != sum_of(*next, sample.tail())) return 15;
    ++*next;
  }
  return in->lost_count() == 0 ? 0 : 16;
}

class GrowingExchange : public ::testing::TestWithParam<Tier> {
 protected:
  signalbox::ScratchDomain domain_;
};

TEST_P(GrowingExchange, AllOfThemArriveInAllOfThem) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  auto& report = *stop::map_report();
  const Tier tier = GetParam();
  Participant first([&] { return take_all(tier, Start::oldest, 0); });
  Participant second([&] { return take_all(tier, Start::oldest, 0); });
  Participant out([&] { return publish_all(tier, seed, 2, report.published); });
  ASSERT_TRUE(eventually([&] { return report.published.load() > kMessages / 3; }));
  Participant late([&] { return take_all(tier, Start::oldest, std::nullopt); });
  EXPECT_EQ(first.join(), 0);
  EXPECT_EQ(second.join(), 0);
  EXPECT_EQ(late.join(), 0);
  EXPECT_EQ(out.join(), 0);
}

TEST_P(GrowingExchange, WhatTheKilledHadPublishedIsTaken) {
  auto& report = *stop::map_report();
  const Tier tier = GetParam();
  auto in = open_subscriber(tier, Start::oldest);
  ASSERT_TRUE(in) << in.error().text;
  {
    Participant out([&] {
      auto publisher = open_publisher(tier);
      for (std::uint64_t number = 0; publisher && number < 5; ++number) {
        auto loan = publisher->loan(std::size_t{3000} << number);
        if (!loan) return 1;
        write(loan, number);
        if (!publisher->publish(std::move(loan))) return 2;
        report.published.store(number + 1);
      }
      ::raise(SIGKILL);
      return 3;
    });
    EXPECT_EQ(out.join(), 128 + SIGKILL);
  }
  EXPECT_EQ(report.published.load(), 5U);
  // Somebody cleans up before we have looked.
  ASSERT_TRUE(open_subscriber(tier, Start::next));
  for (std::uint64_t number = 0; number < 5; ++number) {
    const auto sample = in->take();
    ASSERT_TRUE(sample) << number << (in->status() == nullptr ? "" : in->status()->text);
    EXPECT_EQ(sample->number, number);
    EXPECT_EQ(sample.tail().size(), std::size_t{3000} << number);
    EXPECT_EQ(sample->sum, sum_of(number, sample.tail()));
  }
  EXPECT_FALSE(in->take());
  EXPECT_EQ(in->status(), nullptr);
  for (const auto& entry : fs::directory_iterator(domain_.topic_path(kTopic))) {
    EXPECT_FALSE(entry.path().filename().string().starts_with("pub-")) << entry.path();
  }
}

INSTANTIATE_TEST_SUITE_P(Tiers, GrowingExchange, ::testing::Values(Tier::plain, Tier::hardened),
                         [](const auto& which) {
                           return which.param == Tier::plain ? "Plain" : "Hardened";
                         });

// Neither is lost for want of a descriptor.
TEST(GrowingWithoutDescriptors, TheMessageStaysAndSoDoesTheLoan) {
  const signalbox::ScratchDomain domain;
  auto out = open_publisher(Tier::plain).value();
  auto in = open_subscriber(Tier::plain, Start::oldest).value();
  const auto publish = [&](std::uint64_t number, std::size_t bytes) {
    auto loan = out.loan(bytes);
    if (!loan) return false;
    write(loan, number);
    return out.publish(std::move(loan)).has_value();
  };
  const auto take = [&](std::uint64_t number) {
    const auto sample = in.take();
    return sample && sample->number == number && sample->sum == sum_of(number, sample.tail());
  };
  ASSERT_TRUE(publish(0, 10));
  ASSERT_TRUE(take(0));
  ASSERT_TRUE(publish(1, 5000));
  std::optional<signalbox::Error> taking;
  signalbox::Error lending{};
  bool was_taken = true;
  bool was_lent = true;
  {
    const signalbox::UsedUpDescriptors none(0);
    was_taken = static_cast<bool>(in.take());
    if (in.status() != nullptr) taking = *in.status();
    was_lent = static_cast<bool>(out.loan(50'000));
    lending = out.why();
  }
  EXPECT_FALSE(was_taken);
  ASSERT_TRUE(taking);
  EXPECT_EQ(taking->code, Errc::limit_reached) << taking->text;
  EXPECT_FALSE(was_lent);
  EXPECT_EQ(lending.code, Errc::limit_reached) << lending.text;
  EXPECT_TRUE(take(1));
  EXPECT_EQ(in.status(), nullptr);
  EXPECT_EQ(in.lost_count(), 0U);
  EXPECT_TRUE(publish(2, 50'000)) << out.why().text;
  EXPECT_TRUE(take(2));
}

}  // namespace
