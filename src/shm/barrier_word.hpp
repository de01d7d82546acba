// barrier_word.hpp: how all who meet at a barrier agree on how their meeting ended.
//
//   bit 63               32   31         16   15           1       0
//       [ generation       ]  [ outcomes   ]  [ withdrawals ]    valid
//
//   generation   how many meetings have ended
//   outcomes     how the last sixteen did, the last one lowest: 1 = abandoned
//   withdrawals  grows with each party whose deadline passed
//
// A party arrives by standing in line with the meeting's generation beside its place. Whoever
// counts enough of them ends the meeting by one exchange, which fails if anybody withdrew since he
// began to count. Who withdraws leaves the line first and then exchanges the word; if the
// generation has moved, he was counted and the meeting took place. Who finds a dead party ends the
// meeting as abandoned before he takes the dead one out of the line, so nobody can lose that by
// dying himself.
//
//   Threads  any
//   Crash    recover() by anybody
//   Limits   who sleeps through sixteen more meetings does not learn how his own ended
#pragma once

#include <cstdint>

#include "shm/line.hpp"

namespace signalbox::shm {

inline constexpr std::uint64_t barrier_valid = 1;

constexpr std::uint32_t generation_of(std::uint64_t word) noexcept {
  return static_cast<std::uint32_t>(word >> 32);
}
constexpr std::uint64_t ended(std::uint64_t word, bool abandoned) noexcept {
  const std::uint64_t outcomes = ((word >> 15 & 0xfffe) | (abandoned ? 1 : 0)) << 16;
  return (std::uint64_t{generation_of(word) + 1U} << 32) | outcomes | (word & 0xffff);
}
constexpr std::uint64_t withdrawn(std::uint64_t word) noexcept {
  return (word & ~std::uint64_t{0xfffe}) | ((word + 2) & 0xfffe);
}
constexpr bool was_abandoned(std::uint64_t word, std::uint32_t generation) noexcept {
  const std::uint32_t since = generation_of(word) - generation - 1;
  return since < 16 && (word >> (16 + since) & 1) != 0;
}
static_assert(was_abandoned(ended(ended(barrier_valid, true), false), 0));
static_assert(!was_abandoned(ended(ended(barrier_valid, true), false), 1));
static_assert(generation_of(withdrawn(ended(barrier_valid, false))) == 1);

//   0 word (8) | 64 line; `pipe` of a place is the generation it came for, plus one
template <class P, std::size_t places = line_places>
struct alignas(64) BarrierState {
  typename P::template atomic<std::uint64_t> word;
  Line<P, places> line;
};

// Ends the meeting that `word` is of, if that is still on and nobody withdrew. True if it did.
template <class P, std::size_t places, class Wake>
bool end_meeting(BarrierState<P, places>& barrier, std::uint64_t word, bool abandoned,
                 Wake wake) noexcept {
  if (!barrier.word.compare_exchange_strong(word, ended(word, abandoned))) return false;
  call_all(barrier.line, Wants::turn, wake);
  return true;
}

template <class P, std::size_t places>
std::uint32_t arrived(const BarrierState<P, places>& barrier, std::uint32_t generation) noexcept {
  std::uint32_t count = 0;
  for_each_in_line(barrier.line, [&](std::uint32_t i, std::uint64_t, Wants) {
    count += barrier.line.places[i].pipe.load() == std::uint64_t{generation} + 1 ? 1 : 0;
  });
  return count;
}

// Are all there? Then the meeting ends here.
template <class P, std::size_t places, class Wake>
void end_if_all_arrived(BarrierState<P, places>& barrier, std::uint32_t parties,
                        std::uint32_t generation, Wake wake) noexcept {
  for (;;) {
    const std::uint64_t word = barrier.word.load();
    if (generation_of(word) != generation || arrived(barrier, generation) < parties) return;
    if (end_meeting(barrier, word, false, wake)) return;
  }
}

// After leaving the line: is it as if we had not come? False: the meeting ended with us.
template <class P, std::size_t places>
bool withdraw(BarrierState<P, places>& barrier, std::uint32_t generation) noexcept {
  std::uint64_t word = barrier.word.load();
  while (generation_of(word) == generation) {
    if (barrier.word.compare_exchange_strong(word, withdrawn(word))) return true;
  }
  return false;
}

// Stands in line, and says for which meeting. no_place: there is none.
template <class P, std::size_t places>
std::uint32_t arrive(BarrierState<P, places>& barrier, Stand who,
                     std::uint32_t& generation) noexcept {
  for (;;) {
    generation = generation_of(barrier.word.load());
    who.pipe = std::uint64_t{generation} + 1;
    const std::uint32_t place = enter(barrier.line, who);
    if (place == no_place) return place;
    // One that has just ended counted us: it was not complete without us. One that was abandoned
    // may have been so before we stood in line; then we come for the next.
    if (!was_abandoned(barrier.word.load(), generation)) return place;
    leave(barrier.line, place);
  }
}

// Sleeps until the meeting has ended; another answer than not_yet is why it could not.
template <class P, std::size_t places, class Rest>
Turn wait_for_end(BarrierState<P, places>& barrier, std::uint32_t place, std::uint32_t generation,
                  Rest rest) noexcept {
  for (Turn turn = Turn::not_yet;;) {
    barrier.line.places[place].call.store(0);
    const std::uint64_t word = barrier.word.load();
    if ((word & barrier_valid) == 0) return Turn::lost;
    if (turn != Turn::not_yet || generation_of(word) != generation) return turn;
    turn = rest(place);
  }
}

// Arrives and waits for the others. taken: all came; taken_after_death: one died waiting; refused:
// there is no place; else what rest(place) answered, and it is as if we had not come.
template <class P, std::size_t places, class Rest, class Wake>
Turn meet(BarrierState<P, places>& barrier, std::uint32_t parties, const Stand& who, Rest rest,
          Wake wake) noexcept {
  std::uint32_t generation = 0;
  const std::uint32_t place = arrive(barrier, who, generation);
  if (place == no_place) return Turn::refused;
  end_if_all_arrived(barrier, parties, generation, wake);
  const Turn turn = wait_for_end(barrier, place, generation, rest);
  leave(barrier.line, place);
  if (turn == Turn::lost || (turn != Turn::not_yet && withdraw(barrier, generation))) return turn;
  return was_abandoned(barrier.word.load(), generation) ? Turn::taken_after_death : Turn::taken;
}

template <class P, std::size_t places, class IsDead, class Wake>
void recover(BarrierState<P, places>& barrier, std::uint64_t our_token, IsDead is_dead,
             Wake wake) noexcept {
  for_each_in_line(barrier.line, [&](std::uint32_t i, std::uint64_t, Wants) {
    const Place<P>& place = barrier.line.places[i];
    if (!is_dead(place.owner.load())) return;
    for (;;) {
      const std::uint64_t word = barrier.word.load();
      if (std::uint64_t{generation_of(word)} + 1 != place.pipe.load()) return;
      if (end_meeting(barrier, word, true, wake)) return;
    }
  });
  clear_the_dead(barrier.line, our_token, is_dead, wake);
  // He may have ended a meeting and told nobody.
  const std::uint64_t current = std::uint64_t{generation_of(barrier.word.load())} + 1;
  for_each_in_line(barrier.line, [&](std::uint32_t i, std::uint64_t, Wants) {
    if (barrier.line.places[i].pipe.load() != current) call(barrier.line.places[i], wake);
  });
}

}  // namespace signalbox::shm
