// condition.hpp: how one waits in a line until he is told that something has changed, and how
// whoever changed it tells him.
//
// He stands in line before he gives the mutex back, so whoever changes afterwards what he waits for
// finds him there, and sleeps until he is called. A notification is a call, of the first who is not
// called yet or of all; he looks himself at what has changed, under the mutex.
//
// Whoever dies may have changed something and told nobody, or some and not all; or he was told, and
// cannot look any more, perhaps no longer standing in line. So each process that may do any of that
// has a place there from the start, in which nobody stands: its death is seen by it, and then all
// are called. One who looks in vain stands in line again.
//
//   Threads  any
//   Crash    recover_waiters() by anybody
//   Limits   so many waiters and processes as the line has places
#pragma once

#include "shm/line.hpp"

namespace signalbox::shm {

// Claims the place in which the death of this process is seen, until it leaves it. no_place: there
// is none.
template <class P, std::size_t n>
std::uint32_t attend(Line<P, n>& line, std::uint64_t token) noexcept {
  return claim(line, token);
}

// Waits until called: taken. refused: there is no place, and nothing was released. Else what
// rest(place) answered, which sleeps on the place's call word while that is 0.
template <class P, std::size_t n, class Release, class Rest>
Turn wait_for_call(Line<P, n>& line, const Stand& who, Release release, Rest rest) noexcept {
  const std::uint32_t place = enter(line, who);
  if (place == no_place) return Turn::refused;
  release();
  Turn turn = Turn::not_yet;
  while (turn == Turn::not_yet) {
    turn = line.places[place].call.load() != 0 ? Turn::taken : rest(place);
  }
  leave(line, place);
  return turn;
}

template <class P, std::size_t n, class Wake>
void notify_one(Line<P, n>& line, Wake wake) noexcept {
  call_first(line, Called::next_of_them, wake);
}

template <class P, std::size_t n, class Wake>
void notify_all(Line<P, n>& line, Wake wake) noexcept {
  call_all(line, Wants::turn, wake);
}

// What anybody does once somebody has died, as often as he likes.
template <class P, std::size_t n, class IsDead, class Wake>
void recover_waiters(Line<P, n>& line, std::uint64_t our_token, IsDead is_dead,
                     Wake wake) noexcept {
  clear_the_dead(line, our_token, is_dead, wake, [&] { notify_all(line, wake); });
}

}  // namespace signalbox::shm
