// units.hpp: a counting semaphore of which every unit names its holder.
//
// A count can be given back twice or never when a holder dies between two steps. Here each unit is
// a word, and there is nothing between two steps: one exchange takes a unit under one's own name,
// one gives it back, and whoever finds the holder dead does the latter in his name.
//
//   unit word    token | 4   held by that process
//                        4   free
//                        6   absent: used up, or not there yet
//                        0   a lost page
//
//   Threads  any; a unit belongs to the one who took it
//   Crash    recover() by anybody, exactly once for each unit
//   Limits   a look at all units is linear in their number: units_limit
#pragma once

#include <cstdint>

#include "shm/lock_word.hpp"

namespace signalbox::shm {

inline constexpr std::uint64_t unit_free = 4;
inline constexpr std::uint64_t unit_absent = 6;
inline constexpr std::uint32_t units_limit = 4096;
inline constexpr std::uint32_t no_unit = UINT32_MAX;

constexpr std::uint64_t unit_held_by(std::uint64_t token) noexcept { return token | unit_free; }
constexpr std::uint64_t unit_holder(std::uint64_t word) noexcept { return word & lock_token_mask; }

//   0 waiting (4): 1 = somebody is in line | 64 line | then the units, 8 bytes each
template <class P, std::size_t places = line_places>
struct alignas(64) UnitsState {
  typename P::template atomic<std::uint32_t> waiting;
  Line<P, places> line;
};

template <class P, std::size_t places = line_places>
struct Units {
  UnitsState<P, places>& state;
  typename P::template atomic<std::uint64_t>* words;
  std::uint32_t count;
};

// Turns a free unit into what `next` says, the first from `hint` on. no_unit: none is free.
template <class P, std::size_t places>
std::uint32_t take_unit(const Units<P, places>& units, std::uint64_t next,
                        std::uint32_t hint) noexcept {
  std::uint32_t i = hint;
  for (std::uint32_t looked = 0; looked < units.count; ++looked, ++i) {
    if (i >= units.count) i = 0;
    std::uint64_t expected = unit_free;
    if (units.words[i].load() != unit_free) continue;
    // sync[unit.word] acquire: meets give_back(); what its last holder wrote is seen.
    // relaxed[unit.word]: somebody else took it, and we look on.
    if (units.words[i].compare_exchange_strong(expected, next, std::memory_order_acquire,
                                               std::memory_order_relaxed)) {
      return i;
    }
  }
  return no_unit;
}

// May we take one?
template <class P, std::size_t places>
bool is_our_turn(const Units<P, places>& units, Fairness fairness, std::uint32_t place) noexcept {
  return units.state.waiting.load() == 0 || is_turn_of(units.state.line, fairness, place);
}

// Gives a unit back, or away for good; false if it is not ours: lost pages.
template <class P, std::size_t places>
bool give_back(const Units<P, places>& units, std::uint32_t unit, std::uint64_t token,
               std::uint64_t next = unit_free) noexcept {
  std::uint64_t expected = unit_held_by(token);
  // sync[unit.word] release: what we wrote is seen by the next holder. Sequentially consistent
  // besides, because the look into the line comes after it.
  return units.words[unit].compare_exchange_strong(expected, next);
}

// Adds one that was absent; no_unit: all are there.
template <class P, std::size_t places>
std::uint32_t add_unit(const Units<P, places>& units) noexcept {
  for (std::uint32_t i = 0; i < units.count; ++i) {
    std::uint64_t expected = unit_absent;
    if (units.words[i].load() == unit_absent &&
        units.words[i].compare_exchange_strong(expected, unit_free)) {
      return i;
    }
  }
  return no_unit;
}

template <class P, std::size_t places>
std::uint32_t free_units(const Units<P, places>& units) noexcept {
  std::uint32_t found = 0;
  for (std::uint32_t i = 0; i < units.count; ++i) found += units.words[i].load() == unit_free;
  return found;
}

// Whoever makes a unit free from now on looks into the line.
template <class P, std::size_t places>
void announce_waiting(const Units<P, places>& units) noexcept {
  if (units.state.waiting.load() == 0) units.state.waiting.store(1);
}

// After a unit was made free: calls the first of those who are not called yet. An announcement for
// nobody is taken back, and who came just then is looked for after that.
template <class P, std::size_t places, class Wake>
void call_for_unit(const Units<P, places>& units, Wake wake) noexcept {
  if (units.state.waiting.load() == 0) return;
  if (!anybody(units.state.line)) {
    units.state.waiting.store(0);
    if (!anybody(units.state.line)) return;
    units.state.waiting.store(1);
  }
  call_first(units.state.line, Called::next_of_them, wake);
}

// After leaving the line, in whatever way: we may have had a call that we did not use.
template <class P, std::size_t places, class Wake>
void pass_on(const Units<P, places>& units, Wake wake) noexcept {
  if (anybody(units.state.line) && free_units(units) != 0) call_for_unit(units, wake);
}

// What anybody does once somebody has died. True if anything was the dead one's.
template <class P, std::size_t places, class IsDead, class Wake>
bool recover(const Units<P, places>& units, std::uint64_t our_token, IsDead is_dead,
             Wake wake) noexcept {
  bool changed = false;
  for (std::uint32_t i = 0; i < units.count; ++i) {
    std::uint64_t seen = units.words[i].load();
    const std::uint64_t holder = unit_holder(seen);
    if (holder == 0 || !is_dead(holder)) continue;
    if (!units.words[i].compare_exchange_strong(seen, unit_free)) continue;
    changed = true;
    call_for_unit(units, wake);
  }
  changed = clear_the_dead(units.state.line, our_token, is_dead, wake) || changed;
  if (anybody(units.state.line)) announce_waiting(units);  // as lock_word.hpp
  pass_on(units, wake);
  return changed;
}

}  // namespace signalbox::shm
