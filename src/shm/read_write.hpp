// read_write.hpp: a lock that many may hold to read, or one to write.
//
// The writer's word is that of a mutex. Each reader holds a slot of its own, a cache line that
// names it, so readers do not take one line from each other and a dead one's slot is known. A
// reader claims a slot and then looks at the word; a writer takes the word and then looks at the
// slots: each announces first and looks second, so at least one of them sees the other. The reader
// gives way; the writer waits, as the one in line who wants silence, until the last slot is free.
//
// In line everybody goes in the order in which he came: a reader waits for the writers before him,
// a writer for all before him. So neither can starve the other.
//
//   Threads  any; a slot belongs to the one who claimed it
//   Crash    recover() by anybody. A writer that dies while it waits for readers to leave has held
//            the word, so the next writer is told
//   Limits   reader_slots readers at once; the next one waits in line
#pragma once

#include <cstdint>

#include "shm/lock_word.hpp"

namespace signalbox::shm {

inline constexpr std::size_t reader_slots = 128;
inline constexpr std::uint32_t no_slot = UINT32_MAX;

//   0 reader (8): its token, 0: free | 8 thread (4) | 64
template <class P>
struct alignas(64) ReaderSlot {
  typename P::template atomic<std::uint64_t> reader;
  typename P::template atomic<std::uint32_t> thread;
};

//   0 the writer's word and the line | slots used (4) in a line of its own | slots
template <class P, std::size_t slots = reader_slots, std::size_t places = line_places>
struct alignas(64) ReadWriteState {
  LockState<P, places> lock;
  alignas(64) typename P::template atomic<std::uint32_t> slots_used;
  ReaderSlot<P> readers[slots];
};

template <class P, std::size_t slots, std::size_t places>
std::uint32_t claim_slot(ReadWriteState<P, slots, places>& rw, std::uint64_t token,
                         std::uint32_t hint) noexcept {
  for (std::uint32_t looked = 0; looked < slots; ++looked) {
    const auto i = static_cast<std::uint32_t>((hint + looked) % slots);
    // A writer looks at the slots below this mark only, so it is raised before the slot is claimed.
    for (std::uint32_t used = rw.slots_used.load(); used <= i;) {
      if (rw.slots_used.compare_exchange_strong(used, i + 1)) break;
    }
    std::uint64_t nobody = 0;
    if (rw.readers[i].reader.load() == 0 &&
        rw.readers[i].reader.compare_exchange_strong(nobody, token)) {
      return i;
    }
  }
  return no_slot;
}

template <class P, std::size_t slots, std::size_t places>
std::uint32_t slots_used(const ReadWriteState<P, slots, places>& rw) noexcept {
  return std::min(rw.slots_used.load(), static_cast<std::uint32_t>(slots));
}

template <class P, std::size_t slots, std::size_t places>
bool nobody_reads(const ReadWriteState<P, slots, places>& rw) noexcept {
  const std::uint32_t used = slots_used(rw);
  for (std::uint32_t i = 0; i < used; ++i) {
    if (rw.readers[i].reader.load() != 0) return false;
  }
  return true;
}

// Calls who may go next: the readers before the first writer, else that writer. While one holds the
// word, whoever of those waits for silence.
template <class P, std::size_t slots, std::size_t places, class Wake>
void call_next(ReadWriteState<P, slots, places>& rw, Wake wake) noexcept {
  Line<P, places>& line = rw.lock.line;
  if (lock_owner(rw.lock.word.load()) != 0) {
    call_all(line, Wants::silence, wake);
    return;
  }
  std::uint64_t first_writer = UINT64_MAX;
  for_each_in_line(line, [&](std::uint32_t, std::uint64_t arrival, Wants wants) {
    if (wants == Wants::turn) first_writer = std::min(first_writer, arrival);
  });
  bool any_reader = false;
  for_each_in_line(line, [&](std::uint32_t i, std::uint64_t arrival, Wants wants) {
    if (wants == Wants::news) call(line.places[i], wake);
    if (wants != Wants::to_read || arrival > first_writer) return;
    any_reader = true;
    call(line.places[i], wake);
  });
  if (!any_reader) call_first(line, Called::stays_called, wake);
}

// Gives the slot back, and calls the writer who waits for that, or whoever found no slot.
template <class P, std::size_t slots, std::size_t places, class Wake>
void stop_reading(ReadWriteState<P, slots, places>& rw, std::uint32_t slot, Wake wake) noexcept {
  rw.readers[slot].reader.exchange(0);
  std::uint64_t seen = rw.lock.word.load();
  if ((seen & lock_in_line) == 0) return;
  // An announcement for nobody is taken back, or every reader would look into the line. Who came
  // just then is looked for after that.
  if (lock_owner(seen) == 0 && !anybody(rw.lock.line)) {
    if (!rw.lock.word.compare_exchange_strong(seen, seen & ~lock_in_line)) return;
    if (!anybody(rw.lock.line)) return;
    rw.lock.word.fetch_or(lock_in_line);
  }
  call_next(rw, wake);
}

// `slot` is the one claimed where the answer is taken.
template <class P, std::size_t slots, std::size_t places, class Wake>
Turn start_reading(ReadWriteState<P, slots, places>& rw, std::uint64_t token, std::uint32_t place,
                   std::uint32_t hint, std::uint32_t& slot, Wake wake) noexcept {
  const std::uint64_t before = rw.lock.word.load();
  if ((before & lock_valid) == 0) return Turn::lost;
  if (lock_owner(before) != 0) return Turn::not_yet;
  if ((before & lock_in_line) != 0 && !is_first(rw.lock.line, place, takes_turns)) {
    return Turn::not_yet;
  }
  slot = claim_slot(rw, token, hint);
  if (slot == no_slot) return Turn::not_yet;
  const std::uint64_t seen = rw.lock.word.load();
  if (lock_owner(seen) == 0 && (seen & lock_valid) != 0) return Turn::taken;
  stop_reading(rw, slot, wake);
  return (seen & lock_valid) == 0 ? Turn::lost : Turn::not_yet;
}

// What anybody does once somebody has died. True if anything was the dead one's.
template <class P, std::size_t slots, std::size_t places, class IsDead, class Wake>
bool recover(ReadWriteState<P, slots, places>& rw, std::uint64_t our_token, IsDead is_dead,
             Wake wake) noexcept {
  bool changed = recover_word(rw.lock.word, is_dead);
  const std::uint32_t used = slots_used(rw);
  for (std::uint32_t i = 0; i < used; ++i) {
    std::uint64_t reader = rw.readers[i].reader.load();
    if (reader == 0 || !is_dead(reader)) continue;
    changed = rw.readers[i].reader.compare_exchange_strong(reader, 0) || changed;
  }
  changed = clear_the_dead(rw.lock.line, our_token, is_dead, wake) || changed;
  if (anybody(rw.lock.line)) {
    announce_line(rw.lock.word);  // as lock_word.hpp
    call_next(rw, wake);
  }
  return changed;
}

}  // namespace signalbox::shm
