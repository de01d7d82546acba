// Goal: the files of a topic in use are, byte by byte, what they were when layout 2 was laid down,
// and what was laid down then is read by this library.
// Method: golden/layout-2.txt holds the files of a small topic in the middle of its work: messages
// in slots and in frames, a held sample, a reliable cursor. One test plays the same again and
// compares; the other lays the committed files into a domain and opens them. What differs from run
// to run (who, when, the incarnations) is set to fixed values first.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "shm/pins.hpp"
#include "signalbox/os/file_lock.hpp"
#include "signalbox/topic.hpp"
#include "topic/layout.hpp"
#include "topic/scratch_domain.hpp"

namespace golden {

struct Reading {
  static constexpr bool sbx_tail = true;
  std::uint64_t number;
  double value;
};

}  // namespace golden
SBX_DESCRIBE(golden::Reading, number, value);

namespace golden {
namespace {

namespace fs = std::filesystem;
namespace topic = signalbox::topic;
using signalbox::Publisher;
using signalbox::PublisherOptions;
using signalbox::Sample;
using signalbox::Start;
using signalbox::Subscriber;
using signalbox::SubscriberOptions;

constexpr char kTopic[] = "golden";
constexpr std::uint64_t kPublisher = 0x1111222233334444;
constexpr std::uint64_t kSubscriber = 0x5555666677778888;
constexpr std::uint64_t kMessages = 6;
constexpr std::uint64_t kDepth = 4;
constexpr std::size_t kRow = 16;

using Bytes = std::vector<unsigned char>;
using Files = std::map<std::string, Bytes>;  // by name

std::string hex(std::uint64_t value, int digits) {
  char text[24];
  std::snprintf(text, sizeof(text), "%0*llx", digits, static_cast<unsigned long long>(value));
  return text;
}

// Every second message has a tail, and so lies in a frame.
std::size_t tail_bytes(std::uint64_t number) { return number % 2 == 0 ? 0 : 100 + number; }
std::byte tail_byte(std::uint64_t number, std::size_t i) {
  return static_cast<std::byte>(number * 16 + i % 16);
}

void publish(Publisher<Reading>& out, std::uint64_t number) {
  auto loan = out.loan(tail_bytes(number));
  loan->number = number;
  loan->value = static_cast<double>(number) / 4;
  for (std::size_t i = 0; i < loan.tail().size(); ++i) loan.tail()[i] = tail_byte(number, i);
  ASSERT_TRUE(out.publish(std::move(loan)));
}

void expect_message(const Sample<Reading>& sample, std::uint64_t number) {
  ASSERT_TRUE(sample) << number;
  EXPECT_EQ(sample->number, number);
  EXPECT_EQ(sample->value, static_cast<double>(number) / 4);
  EXPECT_EQ(sample.position(), number);
  EXPECT_EQ(sample.publisher(), kPublisher);
  ASSERT_EQ(sample.tail().size(), tail_bytes(number));
  for (std::size_t i = 0; i < sample.tail().size(); ++i) {
    ASSERT_EQ(sample.tail()[i], tail_byte(number, i)) << "byte " << i << " of tail " << number;
  }
}

// ---- what differs from run to run ---------------------------------------------------------------

void settle_header(topic::SegmentHeader& header, std::uint64_t incarnation) {
  header.incarnation = incarnation;
  header.pid = header.uid = 1;
  header.start_ticks = header.pid_namespace = header.created_wall_ns = 1;
  std::memset(header.boot_id, 1, sizeof(header.boot_id));
  std::memset(header.program, 0, sizeof(header.program));
  std::memcpy(header.program, "golden", 6);
}

Bytes read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Whether this kernel has the heavy barrier is no part of the layout.
template <class Page>
Page& settled(Bytes& bytes, std::uint64_t incarnation) {
  auto& page = *reinterpret_cast<Page*>(bytes.data());
  settle_header(page.header, incarnation);
  page.asymmetric = 0;
  return page;
}

Files files_of(const fs::path& folder) {
  Files files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    Bytes bytes = read_file(entry.path());
    if (name.starts_with("pub-")) {
      settled<topic::PublisherPage>(bytes, kPublisher);
      files["pub-" + hex(kPublisher, 16)] = bytes;
    } else if (name.starts_with("sub-")) {
      auto& page = settled<topic::SubscriberPage>(bytes, kSubscriber);
      for (auto& cursor : page.cursors) {
        if (cursor.publisher.load() != 0) cursor.publisher.store(kPublisher);
      }
      for (auto& pin : page.pins.words) {
        constexpr std::uint64_t kChunk = (1 << 24) - 1;
        const std::uint64_t owner = signalbox::shm::pin_word(kPublisher, 0) & ~kChunk;
        if (pin.load() != 0) pin.store(owner | (pin.load() & kChunk));
      }
      files["sub-" + hex(kSubscriber, 16)] = bytes;
    } else {
      settle_header(*reinterpret_cast<topic::SegmentHeader*>(bytes.data()), 0);
      files[name] = bytes;
    }
  }
  return files;
}

// Plays the topic to the middle of its work.
Files play(const signalbox::ScratchDomain& domain) {
  auto out =
      Publisher<Reading>::open(
          kTopic,
          PublisherOptions{.depth = kDepth, .loans_max = 1, .held_max = 2, .tail_bytes_max = 200})
          .value();
  auto in = Subscriber<Reading>::open(kTopic, SubscriberOptions{.reliable = true}).value();
  for (std::uint64_t number = 0; number < 3; ++number) publish(out, number);
  EXPECT_TRUE(in.take());
  const auto held = in.take();  // a frame, so that a pin stands in the page
  EXPECT_TRUE(held);
  EXPECT_TRUE(in.take());
  for (std::uint64_t number = 3; number < kMessages; ++number) publish(out, number);
  return files_of(domain.topic_path(kTopic));
}

// ---- the golden text ----------------------------------------------------------------------------

// A line for each sixteen bytes that are not all zero.
std::string text_of(const Files& files) {
  std::string text;
  for (const auto& [name, bytes] : files) {
    text += "file " + name + " " + std::to_string(bytes.size()) + "\n";
    for (std::size_t at = 0; at < bytes.size(); at += kRow) {
      const std::size_t end = std::min(at + kRow, bytes.size());
      if (std::all_of(&bytes[at], bytes.data() + end, [](auto byte) { return byte == 0; })) {
        continue;
      }
      text += hex(at, 6);
      for (std::size_t i = at; i < end; ++i) text += " " + hex(bytes[i], 2);
      text += '\n';
    }
  }
  return text;
}

Files files_from(std::istream& in) {
  Files files;
  Bytes* bytes = nullptr;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "file") {
      std::size_t size = 0;
      words >> word >> size;
      bytes = &files[word];
      bytes->resize(size);
      continue;
    }
    std::size_t at = std::stoul(word, nullptr, 16);
    while (words >> word)
      bytes->at(at++) = static_cast<unsigned char>(std::stoul(word, nullptr, 16));
  }
  return files;
}

TEST(GoldenSegment, IsMadeAgainByteByByte) {
  const signalbox::ScratchDomain domain;
  const std::string made = text_of(play(domain));
  if (std::getenv("SBX_WRITE_GOLDEN") != nullptr) {
    std::ofstream(GOLDEN_FILE) << made;
    GTEST_SKIP() << "written: " << GOLDEN_FILE;
  }
  std::ifstream golden(GOLDEN_FILE);
  std::istringstream now(made);
  std::string file;
  for (std::string line, expected; std::getline(now, line);) {
    if (line.starts_with("file")) file = line;
    ASSERT_TRUE(std::getline(golden, expected)) << "more than the golden text has: " << line;
    ASSERT_EQ(line, expected) << "in " << file;
  }
  std::string more;
  EXPECT_FALSE(std::getline(golden, more)) << "less than the golden text has: " << more;
}

// ---- opening it ---------------------------------------------------------------------------------

class GoldenTopic : public testing::Test {
 public:
  GoldenTopic() : folder_(domain_.topic_path(kTopic)) {
    fs::create_directories(folder_);
    std::ifstream golden(GOLDEN_FILE);
    for (const auto& [name, bytes] : files_from(golden)) {
      std::ofstream(folder_ / name, std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()),
                 static_cast<std::streamsize>(bytes.size()));
    }
  }
  ~GoldenTopic() override { fs::remove_all(domain_.root() + "/default"); }

 protected:
  // Its owner seems to live as long as the answer does.
  signalbox::os::Fd lock(const std::string& name) const {
    signalbox::os::Fd file(::open((folder_ / name).c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_TRUE(*signalbox::os::try_lock(file, signalbox::os::LockKind::exclusive)) << name;
    return file;
  }

  signalbox::ScratchDomain domain_;
  fs::path folder_;
};

TEST_F(GoldenTopic, MessagesAreReadExactly) {
  const auto owner = lock("pub-" + hex(kPublisher, 16));
  auto in = Subscriber<Reading>::open(kTopic, Start::oldest);
  ASSERT_TRUE(in) << in.error().text;
  EXPECT_EQ(in->publisher_count(), 1U);
  for (std::uint64_t number = kMessages - kDepth; number < kMessages; ++number) {
    expect_message(in->take(), number);
  }
  EXPECT_FALSE(in->take());
  EXPECT_EQ(in->status(), nullptr);
}

// The page of its reliable subscriber is believed: a new publisher waits for it.
TEST_F(GoldenTopic, SubscribersPageIsRespected) {
  const std::string name = "sub-" + hex(kSubscriber, 16);
  const auto owner = lock(name);
  auto out = Publisher<Reading>::open(
      kTopic, PublisherOptions{.depth = kDepth, .held_max = 1, .tail_bytes_max = 200});
  ASSERT_TRUE(out) << out.error().text;
  EXPECT_EQ(out->subscriber_count(), 1U);
  for (std::uint64_t number = 0; number < kDepth; ++number) publish(*out, number);
  const auto sent = out->publish(out->loan(), signalbox::Deadline::immediate());
  ASSERT_FALSE(sent);
  EXPECT_NE(sent.error().text.find(name), std::string::npos) << sent.error().text;
}

}  // namespace
}  // namespace golden
