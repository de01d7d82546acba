// live_topic.hpp: a topic in full use, whose files can be damaged from outside, and everything the
// API can do on it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "signalbox/topic.hpp"

namespace damage {

struct Reading {
  static constexpr bool sbx_tail = true;
  std::uint64_t number;
};

}  // namespace damage

SBX_DESCRIBE(damage::Reading, number);

namespace damage {

inline constexpr char topic_name[] = "damaged";
inline constexpr std::uint64_t tail_bytes = 100;
inline const signalbox::PublisherOptions small_ring{
    .depth = 4, .loans_max = 2, .held_max = 2, .tail_bytes_max = 256, .grown_tail_bytes_max = 3000};
inline constexpr std::uint64_t grown_bytes = 3000;

// Reads every byte that a sample shows: a place or length out of bounds ends here.
std::uint64_t read_whole(const signalbox::Sample<Reading>& sample);

// A file of the topic, mapped for writing as only a peer that means harm would.
class OpenFile {
 public:
  explicit OpenFile(const std::string& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  std::size_t bytes() const { return bytes_; }
  unsigned char* data() const { return data_; }

 private:
  std::size_t bytes_ = 0;
  unsigned char* data_ = nullptr;
};

// The kinds of segments.
enum class Kind { topic, bell, publisher, subscriber, arena };
inline constexpr Kind kinds[] = {Kind::topic, Kind::bell, Kind::publisher, Kind::subscriber,
                                 Kind::arena};
const char* name_of(Kind kind);
// The control part of a segment: all but the frames.
std::size_t control_bytes(Kind kind, std::size_t file_bytes);

// Can two who come now exchange a message?
bool newcomers_are_served();

class LiveTopic {
 public:
  LiveTopic();
  std::string file_of(Kind kind) const { return files_[static_cast<int>(kind)]; }
  // Newcomers on both sides, and those who are there: loan, publish, take, wait, hold, close.
  void use_everything();

 private:
  void publish_grown();
  void fill_ring();
  std::string files_[5];
  std::optional<signalbox::Publisher<Reading>> out_;
  std::optional<signalbox::Subscriber<Reading>> lossy_;
  std::optional<signalbox::Subscriber<Reading>> reliable_;
  std::vector<signalbox::Sample<Reading>> held_;
};

}  // namespace damage
