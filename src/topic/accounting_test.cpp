// Goal: a subscriber knows exactly what it did not get. Of every message that was published since
// it joined it is told as taken, skipped or lost, also by a publisher that has evicted it; and of
// every message that was given up since then it is told as dropped, also by one that has left.
// Method: thousands of random steps of several publishers and subscribers beside a model that knows
// what each publisher did; the seed is printed. Then single stories. (Those of publishers that die,
// and of other processes, are in tests/delivery.)
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "signalbox/topic.hpp"
#include "topic/layout.hpp"
#include "topic/scratch_domain.hpp"

namespace test {
struct Entry {
  std::uint64_t life;    // of its publisher
  std::uint64_t number;  // its position there
};
}  // namespace test
SBX_DESCRIBE(test::Entry, life, number);

namespace signalbox {
namespace {

using test::Entry;

constexpr char kTopic[] = "accounts";
constexpr std::uint32_t kDepth = 8;
constexpr std::size_t kPublishers = 3;
constexpr std::size_t kSubscribers = 3;

Publisher<Entry> publisher(WhenBehind when_behind) {
  return Publisher<Entry>::open(kTopic, {.depth = kDepth, .when_behind = when_behind}).value();
}

Subscriber<Entry> subscriber(bool reliable, Start start = Start::next) {
  return Subscriber<Entry>::open(kTopic, {.start = start, .reliable = reliable}).value();
}

// What a publisher has done in its life.
struct Life {
  std::uint64_t published = 0;
  std::uint64_t dropped = 0;
};

struct Writer {
  std::uint64_t life = 0;
  std::optional<Publisher<Entry>> out;
};

struct Reader {
  std::optional<Subscriber<Entry>> in;
  std::map<std::uint64_t, Life> at_join;  // those that began later are not in it
  std::uint64_t taken = 0;
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {}

  void step() {
    Writer& writer = writers_[pick(kPublishers)];
    Reader& reader = readers_[pick(kSubscribers)];
    switch (pick(16)) {
      case 0:
        return reopen(writer);
      case 1:
        return reopen(reader);
      case 2:
      case 3:
        return expect_exact(reader);
      case 4:
        return take_latest(reader);
      case 5:
      case 6:
        return take_batch(reader);
      case 7:
      case 8:
      case 9:
        take(reader);
        return;
      case 10:
        return send_batch(writer);
      default:
        return send(writer);
    }
  }

 private:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  void reopen(Writer& writer) {
    writer.out.reset();
    writer.life = ++last_life_;
    writer.out = publisher(static_cast<WhenBehind>(pick(3)));
  }

  // Where a publisher has left, its last messages stay until all readers have them: they take them
  // first, so that a new one finds only publishers that are there. A reliable one is not promised
  // the oldest of a full ring, so it asks for fewer.
  void reopen(Reader& reader) {
    for (Reader& each : readers_) expect_exact(each);
    reader = {};
    const std::uint64_t back = pick(2) * pick(kDepth);
    reader.at_join = lives_;
    for (auto& [life, done] : reader.at_join) {
      const bool is_there =
          std::ranges::any_of(writers_, [&](const Writer& w) { return w.out && w.life == life; });
      if (is_there) done.published -= std::min(done.published, back);
    }
    reader.in = subscriber(pick(3) != 0, Start::back(back));
  }

  void send(Writer& writer) {
    if (!writer.out) return;
    Life& life = lives_[writer.life];
    for (std::uint64_t count = pick(kDepth) + 1; count > 0; --count) {
      const std::uint64_t dropped = writer.out->dropped_count();
      const auto sent = writer.out->send({writer.life, life.published});
      EXPECT_EQ(sent.value_or(life.published), life.published);
      note(life, writer, sent ? 1 : 0, dropped);
    }
  }

  void send_batch(Writer& writer) {
    if (!writer.out) return;
    Life& life = lives_[writer.life];
    std::vector<Entry> entries(pick(2 * kDepth) + 1);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      entries[i] = {writer.life, life.published + i};
    }
    const std::uint64_t dropped = writer.out->dropped_count();
    note(life, writer, writer.out->send_batch(entries), dropped);
  }

  static void note(Life& life, const Writer& writer, std::uint64_t sent, std::uint64_t dropped) {
    life.published += sent;
    life.dropped += writer.out->dropped_count() - dropped;
  }

  static bool take(Reader& reader) {
    if (!reader.in) return false;
    const auto sample = reader.in->take();
    if (!sample) return false;
    EXPECT_EQ(sample->number, sample.position());
    ++reader.taken;
    return true;
  }

  static void take_latest(Reader& reader) {
    if (reader.in && reader.in->take_latest()) ++reader.taken;
  }

  void take_batch(Reader& reader) {
    std::array<Entry, kDepth> room;
    if (reader.in) reader.taken += reader.in->take_batch(std::span(room).first(pick(kDepth) + 1));
  }

  // Once it has taken what there is.
  void expect_exact(Reader& reader) {
    if (!reader.in) return;
    expect_dropped(reader);
    while (take(reader)) {
    }
    std::uint64_t published = 0;
    for (const auto& [life, done] : lives_) {
      const auto joined = reader.at_join.find(life);
      published += done.published - (joined == reader.at_join.end() ? 0 : joined->second.published);
    }
    EXPECT_EQ(reader.taken + reader.in->lost_count() + reader.in->skipped_count(), published);
    expect_dropped(reader);
  }

  void expect_dropped(Reader& reader) {
    std::uint64_t dropped = 0;
    for (const auto& [life, done] : lives_) {
      const auto joined = reader.at_join.find(life);
      dropped += done.dropped - (joined == reader.at_join.end() ? 0 : joined->second.dropped);
    }
    EXPECT_EQ(reader.in->dropped_count(), dropped);
  }

  std::mt19937_64 random_;
  std::uint64_t last_life_ = 0;
  std::map<std::uint64_t, Life> lives_;
  Writer writers_[kPublishers];
  Reader readers_[kSubscribers];
};

TEST(Accounting, EveryMessageIsTakenSkippedLostOrDropped) {
  const char* const given = std::getenv("SIGNALBOX_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("SIGNALBOX_SEED=" + std::to_string(seed));
  for (std::uint64_t run = 0; run < 5 && !::testing::Test::HasFailure(); ++run) {
    const ScratchDomain domain;
    World world(seed + run);
    for (int i = 0; i < 2'000 && !::testing::Test::HasFailure(); ++i) world.step();
  }
}

class Accounts : public ::testing::Test {
 protected:
  // Answers how many were published.
  static std::uint64_t send(Publisher<Entry>& out, std::uint64_t count) {
    std::uint64_t sent = 0;
    for (std::uint64_t i = 0; i < count; ++i) sent += out.send({}) ? 1 : 0;
    return sent;
  }
  ScratchDomain domain_;
};

TEST_F(Accounts, EverybodyWhoIsThereIsToldWhatWasDropped) {
  auto out = publisher(WhenBehind::drop_new);
  auto slow = subscriber(true);
  auto lossy = subscriber(false);
  ASSERT_EQ(send(out, kDepth + 3), kDepth);
  // Also before they have met the publisher, and after it has left.
  EXPECT_EQ(slow.dropped_count(), 3U);
  EXPECT_EQ(lossy.dropped_count(), 3U);
  auto late = subscriber(true, Start::oldest);
  EXPECT_EQ(late.dropped_count(), 0U);
  ASSERT_EQ(send(out, 2), 0U);
  out = publisher(WhenBehind::drop_new);
  ASSERT_EQ(send(out, kDepth + 1), kDepth);
  for (auto* in : {&slow, &lossy, &late}) {
    const std::uint64_t expected = in == &late ? 3U : 6U;
    EXPECT_EQ(in->dropped_count(), expected);
    std::uint64_t taken = 0;
    while (in->take()) ++taken;
    EXPECT_EQ(taken, 2 * kDepth);
    EXPECT_EQ(in->dropped_count(), expected);
    EXPECT_EQ(in->lost_count(), 0U);
  }
}

TEST_F(Accounts, WhatAnEvictedSubscriberMissesGoesOnBeingCounted) {
  auto elsewhere = subscriber(false);  // meets nobody, so that their files stay, until it looks
  auto out = publisher(WhenBehind::evict);
  auto other = publisher(WhenBehind::evict);
  auto slow = subscriber(true);
  ASSERT_EQ(send(out, kDepth + 1), kDepth + 1);
  EXPECT_FALSE(slow.take());
  EXPECT_EQ(slow.lost_count(), kDepth + 1);
  for (std::uint64_t more = 1; more <= 3 * kDepth; ++more) {
    ASSERT_EQ(send(out, 1), 1U);
    EXPECT_EQ(slow.lost_count(), kDepth + 1 + more);
  }
  ASSERT_EQ(send(other, 2), 2U);
  EXPECT_TRUE(slow.take() && slow.take());
  EXPECT_EQ(slow.lost_count(), 4 * kDepth + 1);
  // The same when the one has left, and when its file is gone.
  {
    const auto leaves = std::move(out);
  }
  EXPECT_EQ(slow.lost_count(), 4 * kDepth + 1);
  EXPECT_FALSE(slow.take());
  EXPECT_EQ(slow.publisher_count(), 1U);
  EXPECT_EQ(slow.lost_count(), 4 * kDepth + 1);
  while (elsewhere.take()) {
  }
  EXPECT_EQ(elsewhere.publisher_count() + slow.publisher_count(), 2U);
  EXPECT_EQ(slow.lost_count(), 4 * kDepth + 1);
}

// Writes this number where the topic's publishers that count no drops keep theirs.
void lie_about_drops(const std::string& topic_path, std::uint64_t number) {
  for (const auto& entry : std::filesystem::directory_iterator(topic_path)) {
    if (!entry.path().filename().string().starts_with("pub-")) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    std::uint64_t counted = 0;
    file.seekg(offsetof(topic::PublisherPage, dropped));
    file.read(reinterpret_cast<char*>(&counted), sizeof(counted));
    if (counted != 0) continue;
    file.seekp(offsetof(topic::PublisherPage, dropped));
    file.write(reinterpret_cast<const char*>(&number), sizeof(number));
  }
}

TEST_F(Accounts, APublisherThatLiesMakesNoCountSmaller) {
  auto honest = publisher(WhenBehind::drop_new);
  auto in = subscriber(true);
  ASSERT_EQ(send(honest, kDepth + 3), kDepth);
  EXPECT_EQ(in.dropped_count(), 3U);
  {
    auto liar = publisher(WhenBehind::drop_new);
    EXPECT_EQ(in.dropped_count(), 3U);  // it has met the liar
    lie_about_drops(domain_.topic_path(kTopic), UINT64_MAX);
    EXPECT_EQ(in.dropped_count(), UINT64_MAX);
  }
  std::uint64_t taken = 0;
  while (in.take()) ++taken;
  EXPECT_EQ(taken, kDepth);
  EXPECT_EQ(in.dropped_count(), UINT64_MAX);
}

// From the last sample of the one life to the first of the other nobody counts but the positions.
TEST_F(Accounts, OpenedAgainItKnowsFromThePositionsWhatItMissed) {
  for (const std::uint64_t between : {0U, 1U, 5U, 3 * kDepth}) {
    auto out = publisher(WhenBehind::evict);
    auto in = std::optional(subscriber(true));
    ASSERT_EQ(send(out, 3), 3U);
    std::uint64_t last = 0;
    for (int i = 0; i < 2; ++i) last = in->take().position();
    ASSERT_EQ(send(out, 2 * kDepth), 2 * kDepth);
    EXPECT_FALSE(in->take());
    EXPECT_EQ(in->status()->code, Errc::evicted);
    const std::uint64_t lost = in->lost_count();
    in.reset();
    ASSERT_EQ(send(out, between), between);
    in = subscriber(true);
    ASSERT_EQ(send(out, 1), 1U);
    const auto first = in->take();
    ASSERT_TRUE(first);
    EXPECT_EQ(first.position() - last - 1, lost + between);
    EXPECT_EQ(in->lost_count(), 0U);
  }
}

}  // namespace
}  // namespace signalbox
