// meeting_point.hpp: what one participant of the hardened tier hands to others, and what others
// have handed to it.
//
// Its owner never waits for a newcomer: what the newcomer sends is taken in here by the server's
// thread, and lies ready when the owner looks who is there.
//
//   Threads  any: what was handed in is behind a mutex; the rest does not change
//   Crash    what it holds of a peer lives on when that peer dies, until it was looked at
//   Fork     a child closes the socket and touches nothing else
//   Limits   one descriptor for each peer, two until it was looked at
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "os/file.hpp"
#include "os/process.hpp"
#include "os/unix_calls.hpp"
#include "topic/introduction.hpp"
#include "topic/place.hpp"
#include "topic/segment.hpp"

namespace signalbox::topic {

class MeetingPoint {
 public:
  // All descriptors are the point's own.
  struct Own {
    os::Fd directory;
    std::string path;  // of the directory, for messages
    Sharing sharing;
    std::uint64_t topic_inode;
    Participant who;
    os::Fd text;
    os::Fd bell;
    os::Fd memory;
    os::LifeFd listener;
  };
  explicit MeetingPoint(Own own) : own_(std::move(own)) {}

  // ---- for the server
  int listener() const noexcept { return own_.listener.fd().get(); }
  const Sharing& sharing() const noexcept { return own_.sharing; }
  const Own& own() const noexcept { return own_; }
  // Judges a request and what came with it. `give` are descriptors of the point's.
  Answer answer(const Request& request, std::vector<os::Fd> received, std::vector<int>& give);

  // ---- for the participant
  // Checks a peer's memory and keeps it. Errors: damaged, layout_mismatch, not_found (it has gone),
  // and what the kernel says.
  Result<void> keep(const Participant& peer, os::Fd memory);
  // Maps a peer's memory. Error not_found: it has not handed us any.
  Result<OpenSegment> segment_of(const Participant& peer);
  // Adds to those whose files were listed the publishers that handed us their memory, have lost
  // their file since, and were not looked at yet. `before` is from before the list was made.
  std::vector<Participant> kept() const;
  void settle(const std::vector<Participant>& before, std::vector<Participant>& listed);

 private:
  struct Kept {
    Participant peer;
    os::Fd plate;  // its file; moved out with the first look
    os::Fd memory;
    bool was_mapped = false;
  };
  Kept* find(std::uint64_t incarnation) noexcept;
  bool concerns_us(const Request& request) const noexcept;

  Own own_;
  mutable std::mutex mutex_;
  std::vector<Kept> kept_;
};

}  // namespace signalbox::topic
