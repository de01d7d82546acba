// take_lane.hpp: the shortest way of a message out of its slot, in line where it is taken.
//
//   Threads  one reader thread
//   Crash    as ring.hpp
//   Fork     whoever owns it makes turn null in a child
//   Limits   messages that lie in slots
#pragma once

#include <cstddef>
#include <cstdint>

#include "signalbox/shm/cursors.hpp"
#include "signalbox/shm/doorbell.hpp"
#include "signalbox/shm/ring.hpp"

namespace signalbox::shm {

// A publisher, as each take looks at it.
template <class P>
struct TakeLink {
  RingReader<P> ring;
  std::uint64_t position = 0;     // the next message to take
  std::uint64_t incarnation = 0;  // of the publisher
  TakeLink* next = nullptr;       // whose turn comes after this one's
  Cursor<P>* progress = nullptr;  // of a reliable subscriber: what publishers wait for
  const typename P::template atomic<std::uint64_t>* wanted = nullptr;  // who sleeps until when
};

enum class Taken {
  yes,
  from_sleeper,  // yes, and its publisher sleeps until now, and has to be woken
  no,            // nobody has published anything new
  otherwise      // it has to be looked for another way
};

// All that such a take looks at.
template <class P>
struct TakeLane {
  // Whose turn it is while there is nothing else to look after: all publishers live, there is no
  // trouble to tell and no descriptor to arm.
  TakeLink<P>* turn = nullptr;
  Bell<P>* bell;
  std::uint64_t known_epoch = 0;
  bool is_alone = false;          // nothing from whose turn it is means nothing at all
  bool tells_asymmetric = false;  // publishers pass the heavy half of the barrier before they sleep

  bool is_open() const noexcept { return turn != nullptr && bell->epoch.load() == known_epoch; }

  // Copies the next message to `words`, which have room for all that a slot of one line has. `from`
  // is whose it is, and has counted on.
  Taken take(std::byte* words, TakeLink<P>*& from) noexcept {
    return take_by(from, [words](const TakeLink<P>& link, std::uint64_t& meta) noexcept {
      return link.ring.read(link.position, meta, words);
    });
  }
  // The same where slots have several lines, with room for `count` words: an even count.
  Taken take_long(std::byte* words, std::size_t count, TakeLink<P>*& from) noexcept {
    return take_by(from, [words, count](const TakeLink<P>& link, std::uint64_t& meta) noexcept {
      return link.ring.read_long(link.position, meta, words, count);
    });
  }

  // Counts on past a message that was taken. True: its publisher sleeps until now.
  bool pass(TakeLink<P>& link) const noexcept {
    ++link.position;
    return link.progress != nullptr && tell(link);
  }
  // Tells how far we are.
  bool tell(TakeLink<P>& link) const noexcept {
    advance_cursor(*link.progress, link.position);
    if (tells_asymmetric) [[likely]] {
      P::compiler_fence();
    } else {
      P::full_fence();
    }
    const std::uint64_t wanted = link.wanted->load();
    return wanted != 0 && link.position >= wanted;
  }

 private:
  template <class ReadSlot>
  Taken take_by(TakeLink<P>*& from, ReadSlot read) noexcept {
    if (!is_open()) [[unlikely]]
      return Taken::otherwise;
    TakeLink<P>* const link = turn;
    std::uint64_t meta = 0;
    const Read outcome = read(*link, meta);
    if (outcome == Read::nothing && is_alone) return Taken::no;
    if (outcome != Read::ready || meta != meta_of_message_in_slot) [[unlikely]]
      return Taken::otherwise;
    from = link;
    turn = link->next;
    return pass(*link) ? Taken::from_sleeper : Taken::yes;
  }
};

}  // namespace signalbox::shm
