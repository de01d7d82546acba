// Goal: a segment that is not what it should be gives one error that names the file and what is
// wrong with it; nobody crashes, hangs or loses a message, and nobody removes what he did not make.
// Method: a topic with a living publisher and subscriber; each test damages one file in place, lets
// newcomers try in processes of their own, repairs the file, and sees that the topic still works.
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "attempt.hpp"
#include "signalbox/topic.hpp"
#include "topic/layout.hpp"
#include "topic/scratch_domain.hpp"

struct Reading {
  static constexpr bool sbx_tail = true;
  std::uint64_t number;
};
SBX_DESCRIBE(Reading, number);

namespace signalbox {
namespace {

namespace fs = std::filesystem;
using topic::PublisherPage;
using topic::SegmentHeader;
using topic::TopicPage;

const PublisherOptions small{.depth = 4, .tail_bytes_max = 256};

std::string open_subscriber() { return outcome(Subscriber<Reading>::open("readings")); }
std::string open_publisher() { return outcome(Publisher<Reading>::open("readings", small)); }

// Everything a newcomer does: joins both sides, publishes and takes a few.
std::string join_and_use() {
  auto in = Subscriber<Reading>::open("readings", Start::oldest);
  auto out = Publisher<Reading>::open("readings", small);
  if (in) {
    for (int i = 0; i < 10; ++i) {
      const auto sample = in->take();
      if (!sample) break;
      // Reads what the sample shows: a length or place out of bounds would end here.
      std::uint64_t sum = sample->number;
      for (const std::byte byte : sample.tail()) sum += static_cast<std::uint64_t>(byte);
      if (sum == UINT64_MAX) return "unlikely";
    }
    static_cast<void>(in->wait(Deadline::after(std::chrono::milliseconds(1))));
  }
  for (std::uint64_t i = 0; out && i < 10; ++i) {
    auto loan = out->loan(i % 2 == 0 ? 0 : 100);
    if (loan) static_cast<void>(out->publish(std::move(loan)));
  }
  return outcome(in) + "\n" + outcome(out);
}

class DamagedSegment : public testing::Test {
 protected:
  void SetUp() override {
    out_ = Publisher<Reading>::open("readings", small);
    in_ = Subscriber<Reading>::open("readings");
    ASSERT_TRUE(*out_ && *in_);
    publish(0);
    EXPECT_EQ((*in_)->take()->number, 0u);
    for (const auto& entry : fs::directory_iterator(domain_.topic_path("readings"))) {
      const std::string name = entry.path().filename();
      if (name.starts_with("pub-")) publisher_ = entry.path();
      if (name.starts_with("sub-") && !name.ends_with(".fifo")) subscriber_ = entry.path();
    }
    topic_ = domain_.topic_path("readings") + "/topic";
    bell_ = domain_.topic_path("readings") + "/bell";
  }

  void publish(std::uint64_t number) {
    auto loan = (*out_)->loan(100);
    ASSERT_TRUE(loan) << (*out_)->why().text;
    loan->number = number;
    ASSERT_TRUE((*out_)->publish(std::move(loan)));
  }

  // The files are repaired: those who were there all the time go on, and newcomers are welcome.
  void expect_all_well() {
    publish(7);
    const auto sample = (*in_)->take();
    ASSERT_TRUE(sample);
    EXPECT_EQ(sample->number, 7u);
    expect_outcome(attempt(open_subscriber), "ok");
    expect_outcome(attempt(open_publisher), "ok");
  }

  static std::string content_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // Writes through a descriptor, as a stray program would; the file keeps its inode and locks.
  static void overwrite(const fs::path& path, const std::string& content) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::ftruncate(fd, static_cast<off_t>(content.size())), 0);
    ASSERT_EQ(::pwrite(fd, content.data(), content.size(), 0), std::ssize(content));
    ::close(fd);
  }

  // Damages a file for as long as it lives.
  class Damage {
   public:
    explicit Damage(fs::path path) : path_(std::move(path)), before_(content_of(path_)) {}
    Damage(const Damage&) = delete;
    Damage& operator=(const Damage&) = delete;
    ~Damage() { overwrite(path_, before_); }
    const std::string& before() const { return before_; }
    void write(const std::string& content) { overwrite(path_, content); }
    template <class T>
    void set(std::size_t offset, T value) {
      std::string content = before_;
      std::memcpy(content.data() + offset, &value, sizeof(value));
      write(content);
    }

   private:
    fs::path path_;
    std::string before_;
  };

  ScratchDomain domain_;
  std::optional<Result<Publisher<Reading>>> out_;
  std::optional<Result<Subscriber<Reading>>> in_;
  fs::path topic_, bell_, publisher_, subscriber_;
};

struct HeaderCase {
  const char* what;
  std::size_t offset;
  std::uint64_t value;
  std::size_t bytes;
  const char* code;
  const char* says;
};

constexpr HeaderCase header_cases[] = {
    {"magic", offsetof(SegmentHeader, magic), 0x1234, 8, "damaged", "magic number"},
    {"byte order", offsetof(SegmentHeader, byte_order), 0x04030201, 4, "damaged", "byte order"},
    {"newer", offsetof(SegmentHeader, major), 3, 2, "layout_mismatch", "layout 3.0"},
    {"older", offsetof(SegmentHeader, major), 1, 2, "layout_mismatch", "layout 1.0"},
    {"kind", offsetof(SegmentHeader, kind), 9, 4, "damaged", "kind"},
    {"short header", offsetof(SegmentHeader, header_bytes), 8, 4, "damaged", "header"},
    {"long header", offsetof(SegmentHeader, header_bytes), 0xffffffff, 4, "damaged", "bytes"},
    {"long file", offsetof(SegmentHeader, total_bytes), 1ULL << 40, 8, "damaged", "bytes"},
    {"unknown feature", offsetof(SegmentHeader, features_incompatible), 4, 8, "layout_mismatch",
     "feature"},
};

TEST_F(DamagedSegment, WithAWrongHeaderIsRefusedWithBothSides) {
  for (const fs::path& path : {topic_, bell_, publisher_}) {
    for (const HeaderCase& wrong : header_cases) {
      SCOPED_TRACE(path.filename().string() + ": " + wrong.what);
      Damage damage(path);
      std::string content = damage.before();
      std::memcpy(content.data() + wrong.offset, &wrong.value, wrong.bytes);
      damage.write(content);
      const Attempt result = attempt(open_subscriber);
      expect_outcome(result, wrong.code, {path.string(), wrong.says});
      if (std::string_view(wrong.code) == "layout_mismatch") {
        expect_outcome(result, wrong.code, {"layout 2.0"});
      }
    }
  }
  expect_all_well();
}

// A newer minor version and features that are compatible only add what we need not know.
TEST_F(DamagedSegment, OfANewerCompatibleLayoutIsUsed) {
  for (const fs::path& path : {topic_, bell_, publisher_}) {
    Damage damage(path);
    damage.set<std::uint16_t>(offsetof(SegmentHeader, minor), 9);
    expect_outcome(attempt(open_subscriber), "ok");
    damage.set<std::uint64_t>(offsetof(SegmentHeader, features_compatible), ~0ULL);
    expect_outcome(attempt(open_subscriber), "ok");
  }
  expect_all_well();
}

TEST_F(DamagedSegment, ThatWasTruncatedIsRefusedWithItsSize) {
  for (const fs::path& path : {topic_, bell_, publisher_}) {
    Damage damage(path);
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{191},
                                    std::size_t{192}, damage.before().size() - 1}) {
      SCOPED_TRACE(path.filename().string() + " cut to " + std::to_string(bytes));
      damage.write(damage.before().substr(0, bytes));
      expect_outcome(attempt(open_subscriber), "damaged",
                     {path.string(), " " + std::to_string(bytes)});
    }
  }
  expect_all_well();
}

TEST_F(DamagedSegment, FullOfGarbageIsRefused) {
  std::mt19937_64 random(1);
  for (const fs::path& path : {topic_, bell_, publisher_}) {
    Damage damage(path);
    std::string garbage = damage.before();
    for (char& byte : garbage) byte = static_cast<char>(random());
    damage.write(garbage);
    expect_outcome(attempt(open_subscriber), "damaged", {path.string(), "magic number"});
    damage.write(std::string(damage.before().size(), '\0'));
    expect_outcome(attempt(open_subscriber), "damaged", {path.string(), "magic number"});
  }
  expect_all_well();
}

TEST_F(DamagedSegment, ThatContradictsItselfIsRefused) {
  const std::pair<std::size_t, std::uint64_t> fields32[] = {
      {offsetof(PublisherPage, depth), 0},
      {offsetof(PublisherPage, depth), 3},
      {offsetof(PublisherPage, depth), 1U << 31},
      {offsetof(PublisherPage, frames), 0xffffffff},
  };
  const std::pair<std::size_t, std::uint64_t> fields64[] = {
      {offsetof(PublisherPage, type_hash), 1},
      {offsetof(PublisherPage, ring_offset), 1},
      {offsetof(PublisherPage, ring_offset), ~0ULL},
      {offsetof(PublisherPage, ring_offset), ~63ULL},
      {offsetof(PublisherPage, frames_offset), ~63ULL},
      {offsetof(PublisherPage, frame_bytes), 0},
      {offsetof(PublisherPage, frame_bytes), 64},
      {offsetof(PublisherPage, frame_bytes), ~63ULL},
      {offsetof(PublisherPage, fixed_bytes), 1ULL << 50},
      {offsetof(PublisherPage, tail_bytes_max), ~0ULL},
  };
  Damage damage(publisher_);
  for (const auto& [offset, value] : fields32) {
    SCOPED_TRACE(offset);
    damage.set(offset, static_cast<std::uint32_t>(value));
    expect_outcome(attempt(open_subscriber), "damaged", {publisher_.string()});
  }
  for (const auto& [offset, value] : fields64) {
    SCOPED_TRACE(offset);
    damage.set(offset, value);
    expect_outcome(attempt(open_subscriber), "damaged", {publisher_.string()});
  }
}

TEST_F(DamagedSegment, WithoutAReadableTypeIsRefused) {
  Damage damage(topic_);
  for (const std::size_t offset :
       {offsetof(TopicPage, name_bytes), offsetof(TopicPage, description_bytes)}) {
    damage.set<std::uint32_t>(offset, 0xffffffff);
    expect_outcome(attempt(open_subscriber), "damaged", {topic_.string()});
  }
  for (const std::uint64_t offset : {std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    damage.set(offsetof(TopicPage, text_offset), offset);
    expect_outcome(attempt(open_subscriber), "damaged", {topic_.string()});
  }
  std::string content = damage.before();
  content.back() = '\x01';
  damage.write(content);
  expect_outcome(attempt(open_subscriber), "damaged", {topic_.string(), "column"});
}

// The publisher's own page is fine, what it published is not: said through status(), and the next
// good message arrives.
TEST_F(DamagedSegment, WithImpossibleMessagesIsReportedAndPassedOver) {
  publish(1);
  publish(2);
  std::optional<Damage> damage(publisher_);
  std::string content = damage->before();
  // Message 1 of a ring of 4 claims a frame and a tail that do not exist.
  auto* slot = reinterpret_cast<std::uint64_t*>(content.data() + sizeof(PublisherPage) +
                                                shm::slot_pitch(1) * sizeof(topic::Slot));
  slot[2] = 0xffffffff;
  slot[3] = ~0ULL;
  damage->write(content);
  const Attempt result = attempt([] {
    auto in = Subscriber<Reading>::open("readings", Start::oldest);
    if (!in) return outcome(in);
    std::string seen;
    for (int i = 0; i < 4; ++i) {
      const auto sample = in->take();
      seen += sample ? std::to_string(sample->number)
                     : std::string(in->status() == nullptr ? "empty" : in->status()->text);
      seen += ' ';
    }
    return seen;
  });
  expect_outcome(result, "0 ", {"impossible frame", " 2 ", "empty"});
}

TEST_F(DamagedSegment, OfASubscriberDoesNotStopThePublisher) {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{100}, std::size_t{4096}}) {
    SCOPED_TRACE(bytes);
    Damage damage(subscriber_);
    damage.write(damage.before().substr(0, bytes));
    expect_outcome(attempt(open_publisher), "ok");
  }
  Damage damage(subscriber_);
  damage.write(std::string(damage.before().size(), '\xff'));
  expect_outcome(attempt(open_publisher), "ok");
}

// A file that looks like a dead participant's by its name only is not ours to remove.
TEST_F(DamagedSegment, ThatIsNoSegmentIsNeverRemoved) {
  const fs::path stranger = fs::path(domain_.topic_path("readings")) / "sub-00000000deadbeef";
  std::ofstream(stranger) << "somebody's notes";
  expect_outcome(attempt(join_and_use), "ok");
  EXPECT_EQ(content_of(stranger), "somebody's notes");
  fs::remove(stranger);
}

TEST_F(DamagedSegment, InAnyWayNeverCrashesOrHangsANewcomer) {
  constexpr unsigned seed = 20250301;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const fs::path paths[] = {topic_, bell_, publisher_, subscriber_};
  for (int round = 0; round < 200; ++round) {
    const fs::path& path = paths[random() % std::size(paths)];
    Damage damage(path);
    std::string content = damage.before();
    // Mostly where something is decided: headers, and the ring behind the publisher's.
    const std::size_t reach =
        random() % 4 == 0 ? content.size() : std::min<std::size_t>(700, content.size());
    for (auto changes = 1 + random() % 8; changes > 0; --changes) {
      const std::uint64_t values[] = {random(), 0, ~0ULL, 1ULL << (random() % 64)};
      const std::size_t at = random() % reach;
      const std::size_t bytes =
          std::min<std::size_t>(std::size_t{1} << random() % 4, content.size() - at);
      std::memcpy(content.data() + at, &values[random() % 4], bytes);
    }
    if (random() % 8 == 0) content.resize(random() % content.size());
    damage.write(content);
    const Attempt result = attempt(join_and_use);
    ASSERT_TRUE(result.ended) << "round " << round << ", " << path << ": " << how_it_died(result);
  }
}

}  // namespace
}  // namespace signalbox
