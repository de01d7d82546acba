// line.hpp: the line in which those wait who could not have what they wanted at once.
//
// Each waiter claims a place, one word of which names him; so it is known who waits, whoever dies
// in line is taken out of it, and who came first is a number. He says that he stands in line, looks
// once more, and sleeps on the word of his own place. Whoever makes something free looks into the
// line after that and calls the first, who looks again: a call is a hint, never a hand-over, so
// nothing is lost with a called one who dies. Only the one called is woken.
//
// Every operation here is sequentially consistent, by default and without a tag: "make free, then
// look into the line" against "stand in line, then look whether it is free" needs one order of all
// four, and all of this is beside a system call.
//
//   place   free -> claimed (owner) -> in line (arrival) -> called, again and again -> free
//
//   Threads  any; a place belongs to the one who claimed it
//   Crash    a dead owner's place is taken over under the clearer's own name, then freed
//   Limits   so many places; who finds none looks by himself, a bounded time apart
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "signalbox/shm/atomics.hpp"

namespace signalbox::shm {

// For what only people read.
// relaxed[line.thread]: nothing follows from it in another thread.
inline constexpr auto unordered = std::memory_order_relaxed;

inline constexpr std::uint32_t no_place = UINT32_MAX;
inline constexpr std::size_t line_places = 256;

// What somebody in line waits for.
enum class Wants : std::uint32_t {
  turn = 0,     // the lock, a unit, to write
  to_read = 1,  // with others who read
  silence = 2,  // holds the lock, and waits until the last reader has left
  news = 3      // an event loop that only wants to know: it takes nothing, and overtakes nobody
};

// Who stands there. `token` names the process, never 0; the rest is for people and for the caller.
struct Stand {
  std::uint64_t token;
  std::uint32_t thread;
  Wants wants = Wants::turn;
  std::uint64_t pipe = 0;  // of an event loop: which pipe wakes it
};

//   0 owner (8)   | 8 arrival (8)  | 16 call (4) | 20 wants (4) | 24 thread (4) | 32 pipe (8) | 64
template <class P>
struct alignas(64) Place {
  typename P::template atomic<std::uint64_t> owner;    // 0: free
  typename P::template atomic<std::uint64_t> arrival;  // 0: not in line
  typename P::template atomic<std::uint32_t> call;     // 1: called; what the owner sleeps on
  typename P::template atomic<std::uint32_t> wants;
  typename P::template atomic<std::uint32_t> thread;
  typename P::template atomic<std::uint64_t> pipe;
};
static_assert(sizeof(Place<RealAtomics>) == 64);

//   0 arrivals (8) | 8 used (4) | 12 barred (4) | 64 places, 64 bytes each
template <class P, std::size_t places_max = line_places>
struct alignas(64) Line {
  typename P::template atomic<std::uint64_t> arrivals;
  typename P::template atomic<std::uint32_t> used;    // no place from here on was ever claimed
  typename P::template atomic<std::uint32_t> barred;  // 1: for a while nobody overtakes
  Place<P> places[places_max];
};

template <class P, std::size_t n>
std::uint32_t places_used(const Line<P, n>& line) noexcept {
  return std::min(line.used.load(), static_cast<std::uint32_t>(n));
}

// Claims a place, in which nobody stands in line yet. no_place: there is none.
template <class P, std::size_t n>
std::uint32_t claim(Line<P, n>& line, std::uint64_t token) noexcept {
  for (std::uint32_t i = 0; i < n; ++i) {
    Place<P>& place = line.places[i];
    std::uint64_t nobody = 0;
    if (place.owner.load() != 0 || !place.owner.compare_exchange_strong(nobody, token)) continue;
    for (std::uint32_t used = line.used.load(); used <= i;) {
      if (line.used.compare_exchange_strong(used, i + 1)) break;
    }
    return i;
  }
  return no_place;
}

// Claims a place and stands in line. no_place: there is none.
template <class P, std::size_t n>
std::uint32_t enter(Line<P, n>& line, const Stand& who) noexcept {
  const std::uint32_t index = claim(line, who.token);
  if (index == no_place) return index;
  Place<P>& place = line.places[index];
  place.call.store(0);
  place.wants.store(static_cast<std::uint32_t>(who.wants));
  place.thread.store(who.thread);
  place.pipe.store(who.pipe);
  place.arrival.store(line.arrivals.fetch_add(1) + 1);
  return index;
}

template <class P, std::size_t n>
void leave(Line<P, n>& line, std::uint32_t index) noexcept {
  if (index == no_place) return;
  line.places[index].arrival.store(0);
  line.places[index].owner.store(0);
}

// Looks at each who stands in line: visit(index, arrival, wants).
template <class P, std::size_t n, class Visit>
void for_each_in_line(const Line<P, n>& line, Visit visit) noexcept {
  const std::uint32_t used = places_used(line);
  for (std::uint32_t i = 0; i < used; ++i) {
    const std::uint64_t arrival = line.places[i].arrival.load();
    if (arrival != 0) visit(i, arrival, static_cast<Wants>(line.places[i].wants.load()));
  }
}

template <class P, std::size_t n>
bool anybody(const Line<P, n>& line) noexcept {
  bool found = false;
  for_each_in_line(line, [&](std::uint32_t, std::uint64_t, Wants) { found = true; });
  return found;
}

// Did nobody who wants one of these come before the one at `index`? no_place came last.
template <class P, std::size_t n, class Counts>
bool is_first(const Line<P, n>& line, std::uint32_t index, Counts counts) noexcept {
  const std::uint64_t mine = index == no_place ? UINT64_MAX : line.places[index].arrival.load();
  bool first = true;
  for_each_in_line(line, [&](std::uint32_t, std::uint64_t arrival, Wants wants) {
    if (arrival < mine && counts(wants)) first = false;
  });
  return first;
}
inline bool takes_turns(Wants wants) noexcept { return wants == Wants::turn; }
inline bool waits_for_it(Wants wants) noexcept {
  return wants == Wants::turn || wants == Wants::to_read;
}

// Calls one, unless he is called already: wake(place) then has to wake him. True if this call did.
template <class P, class Wake>
bool call(Place<P>& place, Wake wake) noexcept {
  if (place.call.exchange(1) != 0) return false;
  wake(place);
  return true;
}

template <class P, std::size_t n, class Wake>
void call_all(Line<P, n>& line, Wants whom, Wake wake) noexcept {
  for_each_in_line(line, [&](std::uint32_t i, std::uint64_t, Wants wants) {
    if (wants == whom) call(line.places[i], wake);
  });
}

// May those who come later take what is free before those in line?
enum class Fairness : std::uint32_t {
  newcomers_may_overtake = 0,  // faster: whoever runs goes on running
  first_come_first_served = 1  // nobody, once one stands in line
};
// Also where newcomers may: after so many looks in vain one in line bars them until he has had his
// turn. Else whoever runs could take it again and again before a sleeper has woken up.
inline constexpr int looks_in_vain = 4;

// May the one at `index` (no_place: a newcomer) take what is free?
template <class P, std::size_t n>
bool is_turn_of(const Line<P, n>& line, Fairness fairness, std::uint32_t index) noexcept {
  if (fairness == Fairness::newcomers_may_overtake && line.barred.load() == 0) return true;
  return is_first(line, index, waits_for_it);
}

enum class Called {
  stays_called,  // the first was called before and is on his way: that will do
  next_of_them   // he is on his way to something else: call the first of those who sleep
};

// The first who waits for his turn. no_place: nobody does.
template <class P, std::size_t n>
std::uint32_t first_to_call(const Line<P, n>& line, Called called) noexcept {
  std::uint32_t first = no_place;
  std::uint64_t earliest = UINT64_MAX;
  for_each_in_line(line, [&](std::uint32_t i, std::uint64_t arrival, Wants wants) {
    if (wants != Wants::turn || arrival >= earliest) return;
    if (called == Called::next_of_them && line.places[i].call.load() != 0) return;
    first = i;
    earliest = arrival;
  });
  return first;
}

// Calls the first who waits for his turn, and every event loop. Two that call at once may choose
// the same one: then the slower of them has still to call the next.
template <class P, std::size_t n, class Wake>
void call_first(Line<P, n>& line, Called called, Wake wake) noexcept {
  call_all(line, Wants::news, wake);
  for (;;) {
    const std::uint32_t first = first_to_call(line, called);
    if (first == no_place || call(line.places[first], wake)) return;
    if (called == Called::stays_called) return;
  }
}

// Takes the dead out of the line. The place is taken over first, under the name of whoever clears
// it: a clearer who is slow, or dies himself, must not free what somebody else has claimed since.
// gone() is told of each while he can no longer be called, and the place still shows that he died:
// what it does is done again if this clearer dies as well.
// Then wakes those again who are called: whoever called them may have died before he woke them, and
// nobody else would, because they count as being on their way.
template <class P, std::size_t n, class IsDead, class Wake, class Gone>
bool clear_the_dead(Line<P, n>& line, std::uint64_t our_token, IsDead is_dead, Wake wake,
                    Gone gone) noexcept {
  bool cleared = false;
  const std::uint32_t used = places_used(line);
  for (std::uint32_t i = 0; i < used; ++i) {
    Place<P>& place = line.places[i];
    std::uint64_t owner = place.owner.load();
    if (owner == 0 || !is_dead(owner)) continue;
    if (!place.owner.compare_exchange_strong(owner, our_token)) continue;
    place.arrival.store(0);
    gone();
    place.owner.store(0);
    cleared = true;
  }
  if (cleared) line.barred.store(0);  // it may have been the dead one's; else it is set again
  for_each_in_line(line, [&](std::uint32_t i, std::uint64_t, Wants) {
    if (line.places[i].call.load() != 0) wake(line.places[i]);
  });
  return cleared;
}

template <class P, std::size_t n, class IsDead, class Wake>
bool clear_the_dead(Line<P, n>& line, std::uint64_t our_token, IsDead is_dead, Wake wake) noexcept {
  return clear_the_dead(line, our_token, is_dead, wake, [] {});
}

// How a wait ended.
enum class Turn {
  taken,
  taken_after_death,  // and whoever had it last died having it
  not_yet,
  timed_out,
  interrupted,
  lost,    // the shared words are not what they must be
  refused  // it was not to be waited for (the caller knows why)
};
constexpr bool is_taken(Turn turn) noexcept {
  return turn == Turn::taken || turn == Turn::taken_after_death;
}

// Waits in line until attempt(place) answers anything but not_yet, or rest(place) does, which
// sleeps on the place's call word while that is 0. announce() makes whoever frees something look
// into the line; it comes before each attempt, because he may have seen the line empty before we
// came and taken the announcement back. The caller passes on a call that we may have had and not
// used.
template <class P, std::size_t n, class Attempt, class Announce, class Rest>
Turn stand_in_line(Line<P, n>& line, const Stand& who, Attempt attempt, Announce announce,
                   Rest rest) noexcept {
  std::uint32_t place = no_place;
  bool has_barred = false;
  for (int looks = 0;; ++looks) {
    if (looks >= looks_in_vain) {
      line.barred.store(1);
      has_barred = true;
    }
    if (place == no_place) place = enter(line, who);
    if (place != no_place) line.places[place].call.store(0);
    announce();
    Turn turn = attempt(place);
    if (turn == Turn::not_yet) turn = rest(place);
    if (turn == Turn::not_yet) continue;
    leave(line, place);
    if (has_barred) line.barred.store(0);
    return turn;
  }
}

}  // namespace signalbox::shm
