// doorbell.hpp: how a publisher learns, at the price of one load, that somebody sleeps.
//
// The bell is one word a topic. A sleeper notes the ticket, sets its bit, passes a full barrier,
// looks once more and sleeps while the ticket is what it was. A publisher makes its message ready,
// passes its half of the barrier, and looks at the bell: only if a bit is set does it clear the
// word, change the ticket and enter the kernel. A bit is a hint and not a count, so a sleeper that
// dies costs one needless wake.
//
// A hint may be taken by a publisher whose message the sleeper has already had. The ticket is what
// tells the sleeper so: a sleep on the slot alone would go on without a hint (docs/decisions/005).
//
//   Threads  any
//   Crash    a hint left behind by the dead is cleared by the next publish
//   Limits   every sleep is bounded by its caller, so a lost hint costs latency, never a hang
#pragma once

#include <cstdint>

#include "signalbox/shm/atomics.hpp"

namespace signalbox::shm {

// Who sleeps, and so how they must be woken.
enum Sleepers : std::uint32_t {
  sleepers_on_slots = 1,       // on sequence words
  sleepers_on_ticket = 2,      // on the bell's ticket: kernels without futex_waitv
  sleepers_on_descriptors = 4  // in an event loop: their armed word says so
};

template <class P>
struct Bell {
  // Grows whenever a participant joins or leaves, or asks to be looked at anew.
  alignas(64) typename P::template atomic<std::uint64_t> epoch;
  alignas(64) typename P::template atomic<std::uint32_t> sleepers;
  alignas(64) typename P::template atomic<std::uint32_t> ticket;
};
static_assert(sizeof(Bell<RealAtomics>) == 192);

// The sleeper's first step; answers the ticket to sleep on. The caller then passes a full barrier
// (heavy, where publishers rely on it) and must look for messages once more before it sleeps.
template <class P>
std::uint32_t announce(Bell<P>& bell, std::uint32_t who) noexcept {
  // sync[bell.ticket] acquire: noted before the announcement, so that whoever takes the
  // announcement back changes the ticket after this.
  const std::uint32_t ticket = bell.ticket.load(std::memory_order_acquire);
  // sync[bell.sleepers] release acquire: meets answer(); the barrier that follows orders it before
  // the second look.
  bell.sleepers.fetch_or(who, std::memory_order_acq_rel);
  return ticket;
}

// The first step of a sleeper whose bounded sleep on this ticket is over, where sleepers_on_ticket
// is what it announces. True: the announcement has stood ever since, and with it the barrier behind
// it, so the next looks need none. That one is enough because whoever looked at the bell before it
// made its message visible by it, and whoever looked later found the bit; should somebody have
// taken it just now and another sleeper set it again, the ticket noted here is about to change.
// False: `ticket` is the one to sleep on now, and a barrier must be passed as after announce().
template <class P>
bool announce_again(Bell<P>& bell, std::uint32_t& ticket) noexcept {
  const std::uint32_t slept_on = ticket;
  // sync[bell.ticket] acquire: as in announce().
  ticket = bell.ticket.load(std::memory_order_acquire);
  // sync[bell.sleepers] release acquire: as in announce().
  const std::uint32_t before =
      bell.sleepers.fetch_or(sleepers_on_ticket, std::memory_order_acq_rel);
  // The bit alone may be another sleeper's. The ticket alone does not tell that who took the bit
  // was killed before he could change it.
  return ticket == slept_on && (before & sleepers_on_ticket) != 0;
}

// The publisher's look after its ready store and its half of the barrier.
template <class P>
bool somebody_sleeps(const Bell<P>& bell) noexcept {
  // relaxed[bell.sleepers]: the barrier before it does the ordering; the value is only a hint.
  return bell.sleepers.load(std::memory_order_relaxed) != 0;
}

// Takes the hints: who is returned must now be woken.
template <class P>
std::uint32_t answer(Bell<P>& bell) noexcept {
  // sync[bell.sleepers] release acquire: meets announce(); a later announcement finds the message.
  const std::uint32_t who = bell.sleepers.exchange(0, std::memory_order_acq_rel);
  // sync[bell.ticket] release: whoever announced himself before the exchange does not fall asleep
  // on the old ticket any more.
  if ((who & sleepers_on_ticket) != 0) bell.ticket.fetch_add(1, std::memory_order_release);
  return who;
}

}  // namespace signalbox::shm
