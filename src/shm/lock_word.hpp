// lock_word.hpp: a lock in one word that names its owner.
//
//   bit 63                                       3     2       1        0
//       [ token of the owner, 0: nobody          ]  valid    told    in line
//
//   valid    always 1: a page that was lost reads as zeroes, and is then no free lock
//   told     1: the last owner died and nobody has been told; whoever takes it next is, and the
//            bit goes; he puts it back if he did not repair what the dead one left
//   in line  1: somebody waits; whoever releases looks into the line
//
// Taken by one exchange of "free" for one's own name, and given back by one. Because the word names
// its owner, whoever finds him dead gives it back in his name: one exchange, which can succeed for
// one only and only once, as a token is never used again.
//
//   Threads  any
//   Crash    recover() by anybody; only a token is looked at, never a number that may come again
//   Limits   none
#pragma once

#include <cstdint>

#include "shm/line.hpp"

namespace signalbox::shm {

inline constexpr std::uint64_t lock_in_line = 1;
inline constexpr std::uint64_t lock_owner_died = 2;
inline constexpr std::uint64_t lock_valid = 4;
inline constexpr std::uint64_t lock_token_mask = ~std::uint64_t{7};
inline constexpr std::uint64_t lock_free = lock_valid;

constexpr std::uint64_t lock_owner(std::uint64_t word) noexcept { return word & lock_token_mask; }
constexpr std::uint64_t lock_held_by(std::uint64_t token) noexcept { return token | lock_valid; }

//   0 word (8) | 8 thread of the owner (4) | 64 line
template <class P, std::size_t places = line_places>
struct alignas(64) LockState {
  typename P::template atomic<std::uint64_t> word;
  typename P::template atomic<std::uint32_t> thread;
  Line<P, places> line;
};

// The short way: free, nobody in line, nobody died.
template <class Word>
bool take_if_free(Word& word, std::uint64_t token) noexcept {
  std::uint64_t expected = lock_free;
  // sync[lock.word] acquire: meets the release of whoever had it before; what he wrote is seen.
  // relaxed[lock.word]: nothing was taken, and the long way looks again.
  return word.compare_exchange_strong(expected, lock_held_by(token), std::memory_order_acquire,
                                      std::memory_order_relaxed);
}

template <class P, std::size_t places>
Turn take(LockState<P, places>& lock, std::uint64_t token, Fairness fairness,
          std::uint32_t place) noexcept {
  std::uint64_t seen = lock.word.load();
  for (;;) {
    if ((seen & lock_valid) == 0) return Turn::lost;
    if (lock_owner(seen) != 0) return Turn::not_yet;
    if ((seen & lock_in_line) != 0 && !is_turn_of(lock.line, fairness, place)) {
      return Turn::not_yet;
    }
    const std::uint64_t ours = lock_held_by(token) | (seen & lock_in_line);
    if (lock.word.compare_exchange_strong(seen, ours)) break;
  }
  return (seen & lock_owner_died) != 0 ? Turn::taken_after_death : Turn::taken;
}

// Says in the word that somebody stands in line.
template <class Word>
void announce_line(Word& word) noexcept {
  if ((word.load() & lock_in_line) == 0) word.fetch_or(lock_in_line);
}

// The short way of release: nobody in line.
template <class Word>
bool release_if_alone(Word& word, std::uint64_t token) noexcept {
  std::uint64_t expected = lock_held_by(token);
  // sync[lock.word] release: what we wrote is seen by the next owner.
  // relaxed[lock.word]: it was not given back, and the long way looks again.
  return word.compare_exchange_strong(expected, lock_free, std::memory_order_release,
                                      std::memory_order_relaxed);
}

// Gives it back; true if the next in line has then to be called. An announcement for nobody is
// taken back, and who came into the line just then is looked for after that.
template <class Word, class Queue>
bool release(Word& word, const Queue& line, std::uint64_t token, bool unrepaired) noexcept {
  std::uint64_t seen = word.load();
  bool somebody = false;
  do {
    if (lock_owner(seen) != token) return false;  // lost pages: nothing of ours is left
    somebody = (seen & lock_in_line) != 0 && anybody(line);
    const std::uint64_t next =
        lock_free | (unrepaired ? lock_owner_died : 0) | (somebody ? lock_in_line : 0);
    if (word.compare_exchange_strong(seen, next)) break;
  } while (true);
  if (!somebody && (seen & lock_in_line) != 0 && anybody(line)) {
    word.fetch_or(lock_in_line);
    somebody = true;
  }
  return somebody;
}

// Calls the next, if the lock is free. One who is on his way already will do: he looks at the word
// after this, and whoever takes it before him calls again when he releases.
template <class P, std::size_t places, class Wake>
void call_next(LockState<P, places>& lock, Wake wake) noexcept {
  if (lock_owner(lock.word.load()) == 0) call_first(lock.line, Called::stays_called, wake);
}

// Gives it back in the name of an owner who died. True if this call did.
template <class Word, class IsDead>
bool recover_word(Word& word, IsDead is_dead) noexcept {
  std::uint64_t seen = word.load();
  const std::uint64_t owner = lock_owner(seen);
  if (owner == 0 || !is_dead(owner)) return false;
  while (lock_owner(seen) == owner) {
    const std::uint64_t next = lock_free | lock_owner_died | (seen & lock_in_line);
    if (word.compare_exchange_strong(seen, next)) return true;
  }
  return false;
}

// What anybody does once somebody has died, as often as he likes: the lock, then the line, then
// whoever is first in it. The dead one may have been called and never looked, or have taken back an
// announcement that somebody else relied on.
template <class P, std::size_t places, class IsDead, class Wake>
bool recover(LockState<P, places>& lock, std::uint64_t our_token, IsDead is_dead,
             Wake wake) noexcept {
  bool changed = recover_word(lock.word, is_dead);
  changed = clear_the_dead(lock.line, our_token, is_dead, wake) || changed;
  if (anybody(lock.line)) {
    announce_line(lock.word);
    call_next(lock, wake);
  }
  return changed;
}

}  // namespace signalbox::shm
