#include "live_topic.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "topic/layout.hpp"

namespace damage {

namespace {

using signalbox::Deadline;
using signalbox::Publisher;
using signalbox::Start;
using signalbox::Subscriber;
using signalbox::SubscriberOptions;
using namespace std::chrono_literals;

void publish(Publisher<Reading>& out) {
  for (std::uint64_t i = 0; i < 5; ++i) {
    auto loan = out.loan(i % 2 == 0 ? tail_bytes : 0);
    if (!loan) continue;
    loan->number = i;
    for (std::byte& byte : loan.tail()) byte = std::byte{0x5a};
    static_cast<void>(out.publish(std::move(loan)));
  }
}

void take(Subscriber<Reading>& in) {
  for (int i = 0; i < 8; ++i) {
    const auto sample = i % 4 == 3 ? in.take_latest() : in.take();
    if (sample) read_whole(sample);
  }
  static_cast<void>(in.wait(Deadline::after(50us)));
}

}  // namespace

std::uint64_t read_whole(const signalbox::Sample<Reading>& sample) {
  std::uint64_t sum = sample->number;
  for (const std::byte byte : sample.tail()) sum += static_cast<std::uint64_t>(byte);
  asm volatile("" : : "r"(sum));  // so that no read is left out
  return sum;
}

bool newcomers_are_served() {
  auto in = Subscriber<Reading>::open(topic_name, Start::next);
  auto out = Publisher<Reading>::open(topic_name, small_ring);
  if (!in || !out || !out->send({77})) return false;
  for (int i = 0; i < 10; ++i) {
    if (!in->wait(Deadline::after(10s))) return false;
    const auto sample = in->take();
    if (sample && sample->number == 77) return true;
  }
  return false;
}

OpenFile::OpenFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  struct stat facts{};
  if (fd < 0 || ::fstat(fd, &facts) != 0) std::abort();
  bytes_ = static_cast<std::size_t>(facts.st_size);
  void* const place = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (place == MAP_FAILED) std::abort();
  data_ = static_cast<unsigned char*>(place);
  ::close(fd);
}

OpenFile::~OpenFile() { ::munmap(data_, bytes_); }

const char* name_of(Kind kind) {
  constexpr const char* names[] = {"topic", "bell", "publisher", "subscriber", "arena"};
  return names[static_cast<int>(kind)];
}

std::size_t control_bytes(Kind kind, std::size_t file_bytes) {
  using namespace signalbox::topic;
  if (kind == Kind::publisher)
    return sizeof(PublisherPage) + signalbox::shm::ring_lines(small_ring.depth) * sizeof(Slot);
  if (kind == Kind::subscriber) return sizeof(SubscriberPage);
  if (kind == Kind::arena) return sizeof(ArenaPage);
  return file_bytes;
}

LiveTopic::LiveTopic() {
  out_ = Publisher<Reading>::open(topic_name, small_ring).value();
  publish_grown();
  lossy_ = Subscriber<Reading>::open(topic_name).value();
  const char* const root = std::getenv("SIGNALBOX_DIR");
  if (root == nullptr) std::abort();  // a ScratchDomain has set it
  const std::string folder = std::string(root) + "/default/" + topic_name;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.find(".frames-") != name.npos) {
      files_[static_cast<int>(Kind::arena)] = entry.path();
      continue;
    }
    if (name.starts_with("pub-")) files_[static_cast<int>(Kind::publisher)] = entry.path();
    if (name.starts_with("sub-")) files_[static_cast<int>(Kind::subscriber)] = entry.path();
  }
  files_[static_cast<int>(Kind::topic)] = folder + "/topic";
  files_[static_cast<int>(Kind::bell)] = folder + "/bell";
  reliable_ = Subscriber<Reading>::open(topic_name, SubscriberOptions{.reliable = true}).value();
  static_cast<void>(lossy_->descriptor());
  publish(*out_);
  held_.push_back(lossy_->take());
}

// So that the ring always shows a frame of the further arena to those who come.
void LiveTopic::publish_grown() {
  auto loan = out_->loan(grown_bytes);
  if (!loan) return;
  loan->number = 5;
  for (std::byte& byte : loan.tail()) byte = std::byte{0x5a};
  static_cast<void>(out_->publish(std::move(loan)));
}

// What is harmed next is a ring of frames of both arenas, in turn: which of them is in which slot
// changes from round to round, because a round publishes an odd number of messages.
void LiveTopic::fill_ring() {
  take(*reliable_);
  for (std::uint32_t i = 0; i < small_ring.depth; i += 2) {
    auto loan = out_->loan(tail_bytes);
    if (loan) static_cast<void>(out_->publish(std::move(loan)));
    publish_grown();
  }
}

void LiveTopic::use_everything() {
  {
    auto out = Publisher<Reading>::open(topic_name, small_ring);
    auto in = Subscriber<Reading>::open(topic_name, Start::oldest);
    if (in) take(*in);  // what stands in the ring, before more is published
    take(*reliable_);
    publish(*out_);
    publish_grown();
    if (out) publish(*out);
    take(*lossy_);
    take(*reliable_);
    if (in) take(*in);
    if (in) static_cast<void>(in->descriptor());
    if (out) static_cast<void>(out->subscriber_count());
    static_cast<void>(out_->subscriber_count());
    static_cast<void>(lossy_->publisher_count());
    auto loan = out_->loan(tail_bytes);
    if (loan) static_cast<void>(out_->publish(std::move(loan), Deadline::after(50us)));
  }
  held_.clear();
  take(*lossy_);
  fill_ring();
  auto sample = lossy_->take();
  if (sample) held_.push_back(std::move(sample));
}

}  // namespace damage
