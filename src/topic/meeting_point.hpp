// meeting_point.hpp: what one participant of the hardened tier hands to others, and what others
// have handed to it.
//
// Its owner never waits for a newcomer: what the newcomer sends is taken in here by the server's
// thread, and lies ready when the owner looks who is there.
//
//   Threads  any: what was handed in is behind a mutex; the rest does not change
//   Crash    what it holds of a peer lives on when that peer dies, until it was looked at
//   Fork     a child closes the socket and touches nothing else
//   Limits   one descriptor for each peer, two until it was looked at; one more for each further
//            arena that was not looked at
#pragma once

#include <cstdint>
#include <map>
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
  // Judges a request of this process and what came with it. `give` are descriptors of the point's.
  Answer answer(const Request& request, std::uint32_t pid, std::vector<os::Fd> received,
                std::vector<int>& give);

  // ---- for the participant
  // Checks a peer's memory and keeps it. `pid` is who sent it, as the kernel says. Errors: damaged,
  // layout_mismatch, not_found (it has gone), and what the kernel says.
  Result<void> keep(const Participant& peer, os::Fd memory, std::uint32_t pid);
  // The same of a publisher's further arena, which must come from the same process.
  Result<void> keep_arena(const Participant& peer, os::Fd arena, std::uint32_t pid);
  // Which arenas were handed over and not mapped yet: a bit for each. And maps one of them.
  std::uint32_t arenas_of(std::uint64_t publisher) noexcept;
  Result<OpenSegment> arena_of(std::uint64_t publisher, std::uint32_t number);
  // A further arena of ours, from now on given to all newcomers; and which it was.
  void offer_arena(std::uint32_t number, os::Fd arena);
  int offered_arena(std::uint32_t number) const;
  // Maps a peer's memory. Error not_found: it has not handed us any.
  Result<OpenSegment> segment_of(const Participant& peer);
  // Adds to those whose files were listed the publishers that handed us their memory, have lost
  // their file since, and were not looked at yet. `before` is from before the list was made.
  std::vector<Participant> kept() const;
  void settle(const std::vector<Participant>& before, std::vector<Participant>& listed);

 private:
  struct Kept {
    Participant peer;
    os::Fd plate;   // its file; moved out with the first look
    os::Fd memory;  // not open: only arenas have come so far
    std::uint32_t pid;
    bool was_mapped = false;
    std::map<std::uint32_t, os::Fd> arenas{};  // by number, until they are mapped
  };
  Kept* find(std::uint64_t incarnation) noexcept;
  Answer take_in(const Request& request, std::uint32_t pid, os::Fd memory);
  Result<os::Fd> living_plate_of(const Participant& peer) const;
  bool concerns_us(const Request& request) const noexcept;

  Own own_;
  mutable std::mutex mutex_;
  std::vector<Kept> kept_;
  std::map<std::uint32_t, os::Fd> arenas_;  // our own, by number
};

}  // namespace signalbox::topic
