// cursors.hpp: how far a reliable subscriber has come in each publisher's ring.
//
// The table lies in the subscriber's control page and is read by publishers, each looking for the
// entry with its own incarnation. A publisher that has run out of room writes the position it waits
// for into its own page (`wanted`), and the subscriber that reaches it wakes the publisher, which
// sleeps on the cursor itself. The entry of any subscriber also says which of the publisher's
// further arenas it has mapped: their names may go only when all have.
//
//   Threads  one subscriber thread writes; publishers read
//   Crash    the table of a dead subscriber is no longer read
//   Limits   cursor_slots publishers
#pragma once

#include <cstddef>
#include <cstdint>

#include "signalbox/shm/atomics.hpp"

namespace signalbox::shm {

inline constexpr std::size_t cursor_slots = 64;

template <class P>
struct alignas(64) Cursor {
  typename P::template atomic<std::uint64_t> publisher;  // incarnation, 0 = free entry
  typename P::template atomic<std::uint64_t> position;   // all before it have been taken
  typename P::template atomic<std::uint32_t> arenas;     // mapped: a bit for each
};
static_assert(sizeof(Cursor<RealAtomics>) == 64);

// Begins an entry for a publisher.
template <class P>
void begin_cursor(Cursor<P>& cursor, std::uint64_t incarnation, std::uint64_t position) noexcept {
  // relaxed[cursor.begin]: made visible by the store below.
  cursor.position.store(position, std::memory_order_relaxed);
  // relaxed[cursor.begin]: nor is anything of an earlier publisher's seen with this one's number.
  cursor.arenas.store(0, std::memory_order_relaxed);
  // sync[cursor.owner] release: whoever finds the owner finds the position.
  cursor.publisher.store(incarnation, std::memory_order_release);
}

template <class P>
void end_cursor(Cursor<P>& cursor) noexcept {
  // sync[cursor.owner] release: the entry means nothing from here on.
  cursor.publisher.store(0, std::memory_order_release);
}

template <class P>
std::uint64_t cursor_owner(const Cursor<P>& cursor) noexcept {
  // sync[cursor.owner] acquire: meets begin_cursor().
  return cursor.publisher.load(std::memory_order_acquire);
}

// The subscriber has copied or pinned everything before `position`.
template <class P>
void advance_cursor(Cursor<P>& cursor, std::uint64_t position) noexcept {
  // sync[cursor.position] release: the reads of the slot come before its reuse.
  cursor.position.store(position, std::memory_order_release);
}

template <class P>
std::uint64_t cursor_position(const Cursor<P>& cursor) noexcept {
  // sync[cursor.position] acquire: meets advance_cursor(); the slot may be overwritten.
  return cursor.position.load(std::memory_order_acquire);
}

// The subscriber needs the names of these arenas no more.
template <class P>
void say_mapped(Cursor<P>& cursor, std::uint32_t arenas) noexcept {
  // sync[cursor.arenas] release: they are mapped before anybody takes their names away.
  cursor.arenas.fetch_or(arenas, std::memory_order_release);
}

template <class P>
std::uint32_t arenas_mapped(const Cursor<P>& cursor) noexcept {
  // sync[cursor.arenas] acquire: meets say_mapped().
  return cursor.arenas.load(std::memory_order_acquire);
}

// What a publisher makes of a foreign cursor: never ahead of what it published, never further
// behind than its ring is long, whatever the page says.
constexpr std::uint64_t clamp_cursor(std::uint64_t position, std::uint64_t next,
                                     std::uint64_t depth) noexcept {
  if (position > next) return next;
  return next - position > depth ? next - depth : position;
}

}  // namespace signalbox::shm
