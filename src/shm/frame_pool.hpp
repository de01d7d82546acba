// frame_pool.hpp: the publisher's private book about its frames: free, lent, shown or retired.
//
//            lend                     show                  overwritten              reclaim
//   free  ---------->  lent  --------------------->  shown  ---------->  retired  ----------> free
//                       '------- give_back --------> free                   (no pin names it)
//
// The number of frames is a sum with a reason for each term (frames_needed). Finding free frames
// costs one scan of all pins for a whole batch of retired ones: amortised O(1).
//
// Further arenas of frames may be added. Frames are numbered through, and a frame's number says
// which arena it is of.
//
//   Threads  the publisher's
//   Crash    private memory; the dead publisher's frames vanish with its segment
//   Limits   chunks_limit frames; nothing is allocated but at construction and by add_arena()
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "shm/pins.hpp"

namespace signalbox::shm {

// Frames that are enough for lend() to succeed whenever readers hold no more than held_max.
constexpr std::uint64_t frames_needed(std::uint64_t depth, std::uint64_t loans_max,
                                      std::uint64_t held_max) noexcept {
  return depth        // shown: one for each slot of the ring
         + loans_max  // lent: being filled
         + held_max;  // retired: overwritten, but still held by a reader
}

class FramePool {
 public:
  static constexpr std::uint32_t none = UINT32_MAX;

  // `frames` are those of arena 0; each further one has `arena_frames`.
  FramePool(std::uint32_t frames, std::uint32_t depth, std::uint32_t arena_frames = 0)
      : arena_frames_(arena_frames == 0 ? frames : arena_frames),
        pinned_(frames, false),
        shown_(depth, none) {
    free_.reserve(frames);
    retired_.reserve(frames);
    for (std::uint32_t i = frames; i > 0; --i) free_.push_back(i - 1);
  }

  // The frames of arena `number`, from 1 on, which has none yet. Throws bad_alloc and then has
  // changed nothing.
  void add_arena(std::uint32_t number) {
    std::vector<std::uint32_t> fresh;
    fresh.reserve(arena_frames_);
    const std::uint32_t first = number * arena_frames_;
    for (std::uint32_t i = arena_frames_; i > 0; --i) fresh.push_back(first + i - 1);
    if (grown_.size() < number) grown_.resize(number);
    if (pinned_.size() < first + arena_frames_) pinned_.resize(first + arena_frames_, false);
    retired_.reserve(retired_.capacity() + arena_frames_);
    grown_[number - 1] = std::move(fresh);
  }

  bool has_free() const noexcept { return !free_.empty(); }
  bool has_free(std::uint32_t arena) const noexcept {
    return !(arena == 0 ? free_ : grown_[arena - 1]).empty();
  }

  // A frame to fill, or none. The caller reclaims first when there is none free.
  std::uint32_t lend() noexcept {
    if (free_.empty()) return none;
    const std::uint32_t frame = free_.back();
    free_.pop_back();
    return frame;
  }
  // One of this arena; there must be one.
  std::uint32_t lend_from(std::uint32_t arena) noexcept {
    auto& free = arena == 0 ? free_ : grown_[arena - 1];
    const std::uint32_t frame = free.back();
    free.pop_back();
    return frame;
  }
  // What lend() would answer; there must be one.
  std::uint32_t peek() const noexcept { return free_.back(); }
  void give_back(std::uint32_t frame) noexcept { list_of(frame).push_back(frame); }

  // The slot now shows this frame (or none): what it showed before is retired.
  void show(std::uint64_t slot, std::uint32_t frame) noexcept {
    if (shown_[slot] != none) retired_.push_back(shown_[slot]);
    shown_[slot] = frame;
  }

  // Frees every retired frame that no reader pins. `visit_pins(found)` calls found(frame) for each
  // pin there is; numbers from a foreign page are checked here.
  template <class VisitPins>
  void reclaim(VisitPins visit_pins) noexcept {
    if (retired_.empty()) return;
    pinned_.assign(pinned_.size(), false);
    visit_pins([this](std::uint32_t frame) {
      if (frame < pinned_.size()) pinned_[frame] = true;
    });
    std::size_t kept = 0;
    for (const std::uint32_t frame : retired_) {
      if (pinned_[frame]) {
        retired_[kept++] = frame;
      } else {
        give_back(frame);
      }
    }
    retired_.resize(kept);
  }

 private:
  // Each list has room for all frames of its arena.
  std::vector<std::uint32_t>& list_of(std::uint32_t frame) noexcept {
    return frame < arena_frames_ ? free_ : grown_[frame / arena_frames_ - 1];
  }

  std::uint32_t arena_frames_;
  std::vector<bool> pinned_;
  std::vector<std::uint32_t> shown_;
  std::vector<std::uint32_t> free_;
  std::vector<std::vector<std::uint32_t>> grown_;  // the free frames of the further arenas
  std::vector<std::uint32_t> retired_;
};

}  // namespace signalbox::shm
