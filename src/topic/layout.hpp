// layout.hpp: the bytes that different programs share. docs/formats/layout-2.md draws them too.
//
// Every file of a topic begins with a SegmentHeader. Fields are fixed-width and naturally aligned,
// there are no pointers, and regions are found by the offsets in the header, so that a later
// layout can move them.
//
//   file            kind        one writer          who maps it
//   topic           topic       its creator, once   everybody, read-only
//   bell            bell        everybody: hints    everybody who may
//   pub-<hex16>     publisher   that publisher      subscribers, read-only
//   sub-<hex16>     subscriber  that subscriber     publishers, read-only
//   sub-<hex16>.fifo            (named pipe: wakes an event loop)
//   pub-<hex16>.frames-<n>      a further arena of that publisher, kind arena; read-only
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "shm/pins.hpp"
#include "signalbox/raw_topic.hpp"
#include "signalbox/shm/atomics.hpp"
#include "signalbox/shm/cursors.hpp"
#include "signalbox/shm/doorbell.hpp"
#include "signalbox/shm/ring.hpp"

namespace signalbox::topic {

static_assert(std::endian::native == std::endian::little, "shared layout 2 is little-endian");

using Atomics = shm::RealAtomics;
using Slot = shm::Slot<Atomics>;
using AtomicU32 = std::atomic<std::uint32_t>;
using AtomicU64 = std::atomic<std::uint64_t>;

inline constexpr std::uint64_t segment_magic = 0x0a31584f424c4753;  // "SGLBOX1\n"
inline constexpr std::uint32_t byte_order_mark = 0x01020304;
inline constexpr std::uint16_t layout_major = 2;
inline constexpr std::uint16_t layout_minor = 0;
// Bits a reader must know to read at all. Hardened: what others map is memory without a name, which
// is asked for (introduction.hpp); the file is only its name plate.
inline constexpr std::uint64_t feature_hardened = 1;
// A publisher's only: its slots may name frames of further arenas.
inline constexpr std::uint64_t feature_growing = 2;

enum class SegmentKind : std::uint32_t {
  topic = 1,
  bell = 2,
  publisher = 3,
  subscriber = 4,
  arena = 5
};

//    0  magic (8)            | 8  byte order (4)     | 12 major (2)   | 14 minor (2)
//   16  kind (4)             | 20 header bytes (4)   | 24 total bytes (8)
//   32  features compatible  | 40 read-only compatible | 48 incompatible      (8 each)
//   56  incarnation (8)      | 64 pid (4) | 68 uid (4) | 72 start ticks (8)
//   80  pid name space (8)   | 88 boot id (16)       | 104 created, wall ns (8)
//  112  program (32)         | 144 reserved (48)     | 192 the kind's own header
struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t byte_order;
  std::uint16_t major;
  std::uint16_t minor;
  SegmentKind kind;
  std::uint32_t header_bytes;  // of this struct and the kind's own header together
  std::uint64_t total_bytes;   // of the file
  std::uint64_t features_compatible;
  std::uint64_t features_read_only_compatible;
  std::uint64_t features_incompatible;
  std::uint64_t incarnation;
  // Who made it: for people and for a pidfd, never to decide whether it lives (locks do).
  std::uint32_t pid;
  std::uint32_t uid;
  std::uint64_t start_ticks;
  std::uint64_t pid_namespace;
  std::uint8_t boot_id[16];
  std::uint64_t created_wall_ns;
  char program[32];
  std::uint8_t reserved[48];
};
static_assert(sizeof(SegmentHeader) == 192 && offsetof(SegmentHeader, program) == 112);

//  192 type hash (16) | 208 name bytes (4) | 212 description bytes (4) | 216 text offset (8)
//  at the text offset: the type's name, then its canonical description, not terminated
struct TopicPage {
  SegmentHeader header;
  std::uint64_t type_hash[2];
  std::uint32_t name_bytes;
  std::uint32_t description_bytes;
  std::uint64_t text_offset;
};
static_assert(sizeof(TopicPage) == 224);

//  192 epoch (8) ... | 256 sleepers (4) ... | 320 ticket (4) ...          a cache line each
struct BellPage {
  SegmentHeader header;
  shm::Bell<Atomics> bell;
};
static_assert(sizeof(BellPage) == 384 && offsetof(BellPage, bell) == 192);

enum class Stage : std::uint32_t { joining = 0, ready = 1, closed = 2 };

//  192 type hash (16)   | 208 depth (4)      | 212 frames (4)       | 216 frame bytes (8)
//  224 ring offset (8)  | 232 frames offset (8) | 240 fixed bytes (8) | 248 tail bytes max (8)
//  256 stage (4) | 260 barrier (4: 1 = others use a heavy barrier) ...
//  264 silent (4: 1 = wakes nobody) | 268 slot lines (4) ...
//  272 dropped (8): messages given up | 280 evicted (8): subscribers left behind
//  288 grown tail bytes max (8): 0 = it has no further arenas | 296 arenas (4): a bit for each ...
//  320 wanted (8): the cursor this publisher sleeps for, 0 = none ...
//  384 ...ring at its offset: depth slots of 64 bytes a line; frames at theirs, page-aligned
struct PublisherPage {
  SegmentHeader header;
  std::uint64_t type_hash[2];
  std::uint32_t depth;
  std::uint32_t frames;
  std::uint64_t frame_bytes;
  std::uint64_t ring_offset;
  std::uint64_t frames_offset;
  std::uint64_t fixed_bytes;
  std::uint64_t tail_bytes_max;
  alignas(64) std::atomic<Stage> stage;
  AtomicU32 asymmetric;
  AtomicU32 silent;
  std::uint32_t slot_lines;
  alignas(16) AtomicU64 dropped;
  AtomicU64 evicted;
  std::uint64_t grown_tail_bytes_max;
  AtomicU32 arenas;  // bit n: arena n is there, and may be named by a slot
  alignas(64) AtomicU64 wanted;
};
static_assert(sizeof(PublisherPage) == 384 && offsetof(PublisherPage, slot_lines) == 268 &&
              offsetof(PublisherPage, dropped) == 272 && offsetof(PublisherPage, arenas) == 296 &&
              offsetof(PublisherPage, wanted) == 320);

//  192 number (4) | 196 frames (4) | 200 frame bytes (8) | 208 frames offset (8)
//  216 tail bytes max (8) | 224     the frames at their offset, page-aligned
struct ArenaPage {
  SegmentHeader header;
  std::uint32_t number;
  std::uint32_t frames;
  std::uint64_t frame_bytes;
  std::uint64_t frames_offset;
  std::uint64_t tail_bytes_max;
};
static_assert(sizeof(ArenaPage) == 224 && offsetof(ArenaPage, tail_bytes_max) == 216);

//  192 type hash (16) | 208 reliable (4) | 212 asymmetric (4) | 216 pins offset (8)
//  224 cursors offset (8) | 256 stage (4) | 260 armed (4) ...
//  320 pins: 64 words | 832 cursors: 64 entries of 64 bytes | 4928
struct SubscriberPage {
  SegmentHeader header;
  std::uint64_t type_hash[2];
  std::uint32_t reliable;
  std::uint32_t asymmetric;
  std::uint64_t pins_offset;
  std::uint64_t cursors_offset;
  alignas(64) std::atomic<Stage> stage;
  AtomicU32 armed;  // grows with each arming of the descriptor; 0 = never armed
  alignas(64) shm::PinTable<Atomics> pins;
  shm::Cursor<Atomics> cursors[shm::cursor_slots];
};
static_assert(sizeof(SubscriberPage) == 4928 && offsetof(SubscriberPage, pins) == 320 &&
              offsetof(SubscriberPage, cursors) == 832);

constexpr std::uint32_t page_bytes_of(SegmentKind kind) noexcept {
  switch (kind) {
    case SegmentKind::topic:
      return sizeof(TopicPage);
    case SegmentKind::bell:
      return sizeof(BellPage);
    case SegmentKind::publisher:
      return sizeof(PublisherPage);
    case SegmentKind::arena:
      return sizeof(ArenaPage);
    case SegmentKind::subscriber:
      break;
  }
  return sizeof(SubscriberPage);
}

// The lines of a slot: enough for a fixed part of up to inline_bytes_max bytes. Where messages have
// tails, or lie in frames, it is one.
constexpr std::uint32_t slot_lines(std::uint64_t fixed_bytes, bool has_tail) noexcept {
  constexpr std::uint64_t line = 64;
  constexpr std::uint64_t around = 32;  // sequence, meta; an unused word and the mark
  if (has_tail || fixed_bytes <= shm::slot_words * 8) return 1;
  const std::uint64_t lines = (fixed_bytes + around + line - 1) / line;
  return lines <= shm::slot_lines_max ? static_cast<std::uint32_t>(lines) : 1;
}

// A slot holds a fixed part, or where there is no fixed part a tail of 48 bytes, but not both.
constexpr bool fits_in_place(std::uint32_t lines, std::uint64_t fixed_bytes,
                             std::uint64_t tail_bytes) noexcept {
  return fixed_bytes + tail_bytes <= shm::words_in(lines) * 8 &&
         (fixed_bytes == 0 || tail_bytes == 0);
}
static_assert(fits_in_place(slot_lines(inline_bytes_max, false), inline_bytes_max, 0));
static_assert(slot_lines(inline_bytes_max + 1, false) == 1);

// The words that are copied of a message in a slot of several lines: an even count.
constexpr std::size_t words_of(std::uint64_t fixed_bytes) noexcept {
  return padded_bytes(fixed_bytes) / 8;
}

// How a slot's meta word says what the slot holds: the kind in the low byte, and for a message in
// place the bytes of its tail above that.
enum class SlotKind : std::uint8_t { in_place = 1, frame = 2 };

//   meta      kind (8 bits) | tail bytes of a message in place (56)
//   words[0]  frame: chunk (32) | arena (32, 0 = the publisher's own file)
//   words[1]  frame: tail bytes
constexpr std::uint64_t slot_meta(SlotKind kind, std::uint64_t tail_bytes) noexcept {
  return static_cast<std::uint64_t>(kind) | tail_bytes << 8;
}
static_assert(slot_meta(SlotKind::in_place, 0) == shm::meta_of_message_in_slot);
constexpr SlotKind slot_kind(std::uint64_t meta) noexcept {
  return static_cast<SlotKind>(meta & 0xff);
}

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) noexcept {
  return (value + unit - 1) / unit * unit;
}
inline constexpr std::uint64_t cache_line = 64;
inline constexpr std::uint64_t page_bytes = 4096;

// The tail of a framed message starts on the next cache line behind the fixed part.
constexpr std::uint64_t tail_offset(std::uint64_t fixed_bytes) noexcept {
  return round_up(fixed_bytes, cache_line);
}
// Of a frame, what such a message takes up.
constexpr std::uint64_t framed_bytes(std::uint64_t fixed_bytes, std::uint64_t tail_bytes) noexcept {
  return tail_bytes == 0 ? fixed_bytes : tail_offset(fixed_bytes) + tail_bytes;
}

// ---- growing ------------------------------------------------------------------------------------

// The further arenas of a publisher that grows, from 1 on, are a ladder: each is for tails twice as
// long as the one before it, the last for the longest there may be. Which are there depends on what
// was asked for; how large each is does not, so all together never take more than twice the last.
inline constexpr std::uint32_t arenas_max = 29;
inline constexpr std::uint64_t least_ladder_bytes = 2048;  // no arena has frames below a page

constexpr std::uint64_t arena_tail_bytes(std::uint32_t number, std::uint64_t tail_bytes_max,
                                         std::uint64_t grown_tail_bytes_max) noexcept {
  const std::uint64_t least =
      tail_bytes_max < least_ladder_bytes ? least_ladder_bytes : tail_bytes_max;
  return least > grown_tail_bytes_max >> number ? grown_tail_bytes_max : least << number;
}

// The smallest for such a tail, which is above tail_bytes_max and not above grown_tail_bytes_max.
constexpr std::uint32_t arena_for(std::uint64_t tail_bytes, std::uint64_t tail_bytes_max,
                                  std::uint64_t grown_tail_bytes_max) noexcept {
  std::uint32_t number = 1;
  while (arena_tail_bytes(number, tail_bytes_max, grown_tail_bytes_max) < tail_bytes) ++number;
  return number;
}
static_assert(arena_for(std::uint64_t{1} << 40, 0, std::uint64_t{1} << 40) == arenas_max);

// How many there can be.
constexpr std::uint32_t arenas_of(std::uint64_t tail_bytes_max,
                                  std::uint64_t grown_tail_bytes_max) noexcept {
  if (grown_tail_bytes_max <= tail_bytes_max) return 0;
  return arena_for(grown_tail_bytes_max, tail_bytes_max, grown_tail_bytes_max);
}

// The bits of the arenas from 1 to `most`.
constexpr std::uint32_t arena_bits(std::uint32_t most) noexcept { return (2U << most) - 2; }

// Chunk numbers go on from one arena to the next: those of arena n begin at n times the frames that
// each of them has. A slot and a pin say the same number.
constexpr std::uint64_t frame_word(std::uint32_t arena, std::uint32_t chunk) noexcept {
  return std::uint64_t{arena} << 32 | chunk;
}

}  // namespace signalbox::topic
