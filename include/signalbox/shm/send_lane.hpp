// send_lane.hpp: the shortest way of a message into its slot, in line where it is sent.
//
// A message that was just put together is in registers as long as nobody asks for its address. Sent
// in line it goes from there into its slot, with nine stores; handed to a function it is stored
// once more before. A processor has room for some sixty stores under way, and each that is not for
// a slot keeps the next slot's line waiting (docs/decisions/033).
//
//   Threads  one writer thread
//   Crash    as ring.hpp
//   Fork     whoever owns it makes room_until 0 in a child
//   Limits   messages that lie in slots, as their type says: of one line, or of several
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "signalbox/shm/doorbell.hpp"
#include "signalbox/shm/ring.hpp"

namespace signalbox::shm {

// The words of a message, zeroes behind its own bytes. Read 8 bytes at a time (atomics.hpp).
struct MessageWords {
  std::uint64_t words[slot_words];
};
template <class T>
MessageWords words_of(const T& message) noexcept {
  static_assert(sizeof(T) <= sizeof(MessageWords));
  const auto* const from = reinterpret_cast<const std::byte*>(&message);
  const auto word = [from]<std::size_t index>() noexcept {
    constexpr std::size_t begin = index * sizeof(std::uint64_t);
    constexpr std::size_t left = begin < sizeof(T) ? sizeof(T) - begin : 0;
    std::uint64_t bits = 0;
    std::memcpy(&bits, from + begin, left < sizeof(bits) ? left : sizeof(bits));
    return bits;
  };
  return [&]<std::size_t... index>(std::index_sequence<index...>) noexcept {
    return MessageWords { {word.template operator()<index>()...} };
  }(std::make_index_sequence<slot_words>());
}

enum class Shown {
  yes,
  to_sleepers,  // yes, and somebody sleeps, who has to be woken
  no            // it has to go another way
};

// All that such a publish looks at, on one cache line.
template <class P>
struct alignas(64) SendLane {
  static constexpr std::uint64_t no_epoch = UINT64_MAX;

  RingWriter<P> ring;
  Bell<P>* bell;
  std::uint64_t known_epoch = 0;
  // The same if messages lie in slots and sleepers pass the heavy half of the barrier; if not,
  // no_epoch.
  std::uint64_t short_epoch = no_epoch;
  // Positions below this need no look at the cursors of reliable subscribers, nor at who we are.
  std::uint64_t room_until = 0;

  // True while a message can be shown at once: nobody came or went, nobody to wait for, no fork.
  // The bell comes last: a forked child has no mapping of it.
  bool is_fast() const noexcept {
    return ring.next() < room_until && bell->epoch.load() == known_epoch;
  }

  // Shows a message as number `position`, if it can be shown at once.
  template <class T>
  Shown show(const T& message, std::uint64_t& position) noexcept {
    Bell<P>* const at = bell;  // the compiler cannot know that no slot overlaps it
    position = ring.next();
    if (position >= room_until || at->epoch.load() != short_epoch) [[unlikely]]
      return Shown::no;
    if constexpr (sizeof(T) <= sizeof(MessageWords)) {
      ring.publish_at(position, meta_of_message_in_slot, words_of(message).words);
    } else {
      publish_long(message);
    }
    P::compiler_fence();
    return somebody_sleeps(*at) ? Shown::to_sleepers : Shown::yes;
  }

 private:
  // Words travel in pairs: what is no whole number of pairs gets zeroes behind it.
  template <class T>
  void publish_long(const T& message) noexcept {
    constexpr std::size_t pair = 2 * sizeof(std::uint64_t);
    constexpr std::size_t pairs = (sizeof(T) + pair - 1) / pair;
    const auto* bytes = reinterpret_cast<const std::byte*>(&message);
    std::byte padded[sizeof(T) % pair == 0 ? 1 : pairs * pair]{};
    if constexpr (sizeof(T) % pair != 0) {
      std::memcpy(padded, bytes, sizeof(T));
      bytes = padded;
    }
    ring.publish_long(meta_of_message_in_slot, bytes, 2 * pairs);
  }
};

}  // namespace signalbox::shm
