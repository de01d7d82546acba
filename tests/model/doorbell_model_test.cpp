// Goal: nobody sleeps on while a message is ready for him.
// Method: the steps of SubscriberCore::wait() and arm_again() against those of publish() and
// wake_sleepers(), over the shipped ring and bell, with a kernel whose sleeps never time out: a
// lost wake-up is a deadlock. The library's own sleeps are bounded; this shows they need not be.
#include "kernel_model.hpp"
#include "model_run.hpp"

#include <array>

#include "signalbox/shm/doorbell.hpp"
#include "signalbox/shm/ring.hpp"

namespace signalbox::model {
namespace {

enum class Sleep {
  on_ticket,
  on_descriptor,
  on_slots  // as the library once did: on the sequence words alone
};
// Who pays for the order of "ready, then look at the bell" and "announce, then look at the slot".
enum class Barrier {
  asymmetric,  // the sleeper
  symmetric,   // both
  changing     // the sleeper, until the publisher has met a descriptor and says that it pays too
};
enum class Bug {
  none,
  no_announcement,            // the sleeper does not say that it will sleep
  ticket_after_announcement,  // it notes the ticket only after it said so
  no_second_look,             // it says so and sleeps, without looking once more
  no_sleepers_barrier,        // it looks without a barrier between
  trusting_an_old_barrier,    // after a bounded sleep it passes none, whatever became of its bit
  trusting_any_bit,           // it does so where a bit is set, which may be another's
  no_publishers_fence,    // the publisher looks at the bell without a fence, the sleeper trusts it
  look_before_ready,      // the publisher looks at the bell first and makes the message ready then
  answer_without_waking,  // it clears the bell and forgets to wake
  promise_before_fence    // it says that it pays one message too early
};

template <class P, int publishers>
struct SharedBell {
  shm::Bell<P> bell;
  std::array<std::array<shm::Slot<P>, shm::ring_lines(2)>, publishers> rings;
  typename P::template atomic<std::uint32_t> armed;      // in the subscriber's page
  typename P::template atomic<std::uint32_t> symmetric;  // in the publisher's
};

template <Sleep how, Barrier barrier, Bug bug, int publishers, int sleepers, std::uint64_t messages,
          bool times_out = false>
struct DoorbellModel
    : rl::test_suite<DoorbellModel<how, barrier, bug, publishers, sleepers, messages, times_out>,
                     publishers + sleepers + (times_out ? 1 : 0)> {
  using P = RelacyAtomics<>;
  static constexpr int threads = publishers + sleepers + (times_out ? 1 : 0);
  static constexpr std::uint32_t announcement = how == Sleep::on_slots ? shm::sleepers_on_slots
                                                : how == Sleep::on_ticket
                                                    ? shm::sleepers_on_ticket
                                                    : shm::sleepers_on_descriptors;
  Placed<SharedBell<P, publishers>> shared;
  KernelModel<threads> kernel;

  void thread(unsigned index) {
    if (index < publishers) {
      publish_all(index);
    } else if (index < publishers + sleepers) {
      Subscriber{*this}.take_all();
    } else {
      shm::announce(shared->bell, announcement);  // and is killed
    }
  }

  // ---- PublisherCore::publish() and wake_sleepers()

  void publish_all(unsigned index) {
    shm::RingWriter<P> ring(shared->rings[index].data(), 2);
    std::uint32_t signalled = 0;
    PublishersBarrier half;
    for (std::uint64_t i = 0; i < messages; ++i) {
      if (barrier == Barrier::changing) half.refresh(*this);
      bool somebody = bug == Bug::look_before_ready && shm::somebody_sleeps(shared->bell);
      const std::array<std::uint64_t, shm::slot_words> words{i};
      ring.publish(0, reinterpret_cast<const std::byte*>(words.data()));
      half.pass();
      if (bug != Bug::look_before_ready) somebody = shm::somebody_sleeps(shared->bell);
      if (somebody) wake_sleepers(ring, signalled);
    }
  }

  struct PublishersBarrier {
    bool asymmetric = barrier != Barrier::symmetric;
    bool promised = false;
    std::uint64_t known_epoch = 0;

    void pass() {
      if (asymmetric || bug == Bug::no_publishers_fence) {
        P::compiler_fence();
      } else {
        P::full_fence();
      }
      if (promised) asymmetric = false;
    }
    // PublisherCore::is_fast() and pass_full_fences_if_needed()
    void refresh(DoorbellModel& model) {
      const std::uint64_t epoch = model.shared->bell.epoch.load();
      if (epoch == known_epoch) return;
      known_epoch = epoch;
      if (!asymmetric || model.shared->armed.load() == 0) return;
      bug == Bug::promise_before_fence ? promised = true : asymmetric = false;
      model.shared->symmetric.store(1);
    }
  };

  void wake_sleepers(const shm::RingWriter<P>& ring, std::uint32_t& signalled) {
    const std::uint32_t who = shm::answer(shared->bell);
    if (bug == Bug::answer_without_waking) return;
    if ((who & shm::sleepers_on_slots) != 0) kernel.futex_wake_all(ring.last_sequence());
    if ((who & shm::sleepers_on_ticket) != 0) kernel.futex_wake_all(&shared->bell.ticket);
    if ((who & shm::sleepers_on_descriptors) != 0) {
      const std::uint32_t armed = shared->armed.load();
      if (armed == 0 || armed == signalled) return;
      kernel.write_to(publishers);
      signalled = armed;
    }
  }

  // ---- SubscriberCore

  struct Subscriber {
    DoorbellModel& model;
    std::array<std::uint64_t, publishers> positions{};

    shm::RingReader<P> ring(int i) { return {model.shared->rings[i].data(), 2}; }

    bool take() {
      for (int i = 0; i < publishers; ++i) {
        shm::SlotImage image;
        const shm::Read outcome = ring(i).read(positions[i], image);
        if (outcome == shm::Read::lapped) positions[i] = ring(i).after_lap(positions[i]);
        if (outcome == shm::Read::ready) ++positions[i];
        if (outcome != shm::Read::nothing) return true;
      }
      return false;
    }
    bool anything_ready() {
      for (int i = 0; i < publishers; ++i) {
        if (ring(i).sequence_at(positions[i]) >= shm::ready(positions[i])) return true;
      }
      return false;
    }
    bool has_all() {
      for (const std::uint64_t position : positions) {
        if (position < messages) return false;
      }
      return true;
    }

    void take_all() {
      if (how == Sleep::on_descriptor) {
        run_event_loop();
      } else {
        while (!has_all()) {
          if (!take()) wait();
        }
      }
    }

    // Answers the ticket.
    std::uint32_t announce_and_pass_barrier() {
      shm::Bell<P>& bell = model.shared->bell;
      std::uint32_t ticket = 0;
      if (bug == Bug::no_announcement) {
        ticket = bell.ticket.load();
      } else {
        ticket = shm::announce(bell, announcement);
      }
      if (bug == Bug::ticket_after_announcement) ticket = bell.ticket.load();
      if (bug != Bug::no_sleepers_barrier) pass_barrier();
      return ticket;
    }
    void pass_barrier() {
      P::full_fence();
      const bool relies_on_us = barrier == Barrier::changing ? model.shared->symmetric.load() == 0
                                                             : barrier == Barrier::asymmetric;
      if (relies_on_us) heavy_barrier<threads>();
    }

    // sleep_on_tickets()
    void wait() {
      std::uint32_t ticket = announce_and_pass_barrier();
      if (bug != Bug::no_second_look && anything_ready()) return;
      if (how == Sleep::on_ticket && sleep_a_while(ticket)) return;
      how == Sleep::on_ticket ? sleep_on_ticket(ticket) : sleep_on_slots();
    }
    // Some sleeps end because their time is up. True: there is something by then.
    bool sleep_a_while(std::uint32_t& ticket) {
      if (!times_out || rl::rand(2) == 0) return false;
      if (!stood(ticket)) pass_barrier();
      return anything_ready();
    }
    bool stood(std::uint32_t& ticket) {
      shm::Bell<P>& bell = model.shared->bell;
      const bool any_bit = shm::somebody_sleeps(bell);
      const bool stood = shm::announce_again(bell, ticket);
      if (bug == Bug::trusting_any_bit) return any_bit;
      return stood || bug == Bug::trusting_an_old_barrier;
    }
    void sleep_on_ticket(std::uint32_t ticket) {
      model.kernel.futex_wait({futex_word(model.shared->bell.ticket, ticket)});
    }
    void sleep_on_slots() {
      std::array<FutexWord, 2> words;
      for (int i = 0; i < publishers; ++i) {
        const std::uint64_t seen = ring(i).sequence_at(positions[i]);
        if (seen >= shm::ready(positions[i])) return;
        const auto& slot = model.shared->rings[i][(positions[i] & 1) * shm::slot_pitch(1)];
        words[i] = futex_word(slot.sequence, seen);
      }
      if (publishers == 1) {
        model.kernel.futex_wait({words[0]});
      } else {
        model.kernel.futex_wait({words[0], words[1]});
      }
    }

    // descriptor(), then poll and take until empty.
    void run_event_loop() {
      arm();
      if (barrier == Barrier::changing) model.shared->bell.epoch.fetch_add(1);
      bool signalled_self = anything_ready();
      while (!has_all()) {
        if (!std::exchange(signalled_self, false)) model.kernel.poll_readable();
        while (take_or_arm_again()) {
        }
      }
    }
    void arm() {
      model.shared->armed.store(model.shared->armed.load() + 1);
      announce_and_pass_barrier();
    }
    bool take_or_arm_again() {
      for (;;) {
        if (take()) return true;
        if (!model.kernel.drain()) return false;
        arm();
        if (bug == Bug::no_second_look || !anything_ready()) return false;
      }
    }
  };
};

// One publisher, one sleeper, two messages: the shape that every bug is seeded into.
template <Sleep how, Barrier barrier, Bug bug = Bug::none>
using OneToOne = DoorbellModel<how, barrier, bug, 1, 1, 2>;

// The same with sleeps whose time may be up, beside somebody whose bit stays in the bell.
template <Barrier barrier, Bug bug = Bug::none>
using Bounded = DoorbellModel<Sleep::on_ticket, barrier, bug, 1, 1, 2, true>;

// A hint taken too early shows only when the processor changes hands three times.
constexpr Effort thorough{.switches = 3, .random_schedules = 60'000};

TEST(DoorbellModel, ASleeperIsWoken) {
  expect_green<OneToOne<Sleep::on_ticket, Barrier::asymmetric>>(thorough);
  expect_green<OneToOne<Sleep::on_ticket, Barrier::symmetric>>(thorough);
}
TEST(DoorbellModel, ASleeperIsWokenWhereverItsSleepsHaveEndedBefore) {
  expect_green<Bounded<Barrier::asymmetric>>({.random_schedules = 60'000});
  expect_green<Bounded<Barrier::symmetric>>({.random_schedules = 60'000});
}
TEST(DoorbellModel, AnEventLoopIsWoken) {
  expect_green<OneToOne<Sleep::on_descriptor, Barrier::asymmetric>>(thorough);
  expect_green<OneToOne<Sleep::on_descriptor, Barrier::symmetric>>(thorough);
}
TEST(DoorbellModel, AnEventLoopIsWokenWhileThePublisherTakesOnItsHalfOfTheBarrier) {
  expect_green<DoorbellModel<Sleep::on_descriptor, Barrier::changing, Bug::none, 1, 1, 3>>();
}
TEST(DoorbellModel, TwoPublishersDoNotTakeEachOthersHints) {
  expect_green<DoorbellModel<Sleep::on_ticket, Barrier::asymmetric, Bug::none, 2, 1, 2>>(
      {.switches = 1});
  expect_green<DoorbellModel<Sleep::on_descriptor, Barrier::asymmetric, Bug::none, 2, 1, 2>>(
      {.switches = 1});
}
TEST(DoorbellModel, TwoSleepersAreBothWoken) {
  expect_green<DoorbellModel<Sleep::on_ticket, Barrier::asymmetric, Bug::none, 1, 2, 2>>();
}

template <Sleep how, Barrier barrier, Bug bug>
void expect_somebody_left_asleep() {
  expect_red<OneToOne<how, barrier, bug>>(rl::test_result_deadlock, thorough);
}

TEST(DoorbellModelSeeded, SleepingOnTheSlotAloneOutlastsTheHint) {
  expect_somebody_left_asleep<Sleep::on_slots, Barrier::asymmetric, Bug::none>();
  expect_somebody_left_asleep<Sleep::on_slots, Barrier::symmetric, Bug::none>();
}
TEST(DoorbellModelSeeded, ATicketNotedAfterTheAnnouncementOutlastsTheHint) {
  expect_somebody_left_asleep<Sleep::on_ticket, Barrier::symmetric,
                              Bug::ticket_after_announcement>();
}
TEST(DoorbellModelSeeded, WhoDoesNotAnnounceIsLeftAsleep) {
  expect_somebody_left_asleep<Sleep::on_ticket, Barrier::symmetric, Bug::no_announcement>();
  expect_somebody_left_asleep<Sleep::on_descriptor, Barrier::symmetric, Bug::no_announcement>();
}
TEST(DoorbellModelSeeded, WhoDoesNotLookAgainIsLeftAsleep) {
  expect_somebody_left_asleep<Sleep::on_ticket, Barrier::asymmetric, Bug::no_second_look>();
  expect_somebody_left_asleep<Sleep::on_descriptor, Barrier::asymmetric, Bug::no_second_look>();
}
TEST(DoorbellModelSeeded, WithoutTheHeavyBarrierASleeperIsLeftAsleep) {
  expect_somebody_left_asleep<Sleep::on_ticket, Barrier::asymmetric, Bug::no_sleepers_barrier>();
  expect_somebody_left_asleep<Sleep::on_descriptor, Barrier::asymmetric,
                              Bug::no_sleepers_barrier>();
}
TEST(DoorbellModelSeeded, AnOldBarrierDoesNotServeANewAnnouncement) {
  expect_red<Bounded<Barrier::asymmetric, Bug::trusting_an_old_barrier>>(rl::test_result_deadlock);
}
TEST(DoorbellModelSeeded, AnothersBitDoesNotSayThatOursStood) {
  expect_red<Bounded<Barrier::asymmetric, Bug::trusting_any_bit>>(rl::test_result_deadlock);
}
TEST(DoorbellModelSeeded, WithoutThePublishersFenceASleeperIsLeftAsleep) {
  expect_somebody_left_asleep<Sleep::on_ticket, Barrier::symmetric, Bug::no_publishers_fence>();
}
TEST(DoorbellModelSeeded, APromisedFenceMustBeThereAtOnce) {
  expect_red<
      DoorbellModel<Sleep::on_descriptor, Barrier::changing, Bug::promise_before_fence, 1, 1, 3>>(
      rl::test_result_deadlock, thorough);
}
TEST(DoorbellModelSeeded, LookingBeforeTheMessageIsReadyLeavesASleeper) {
  expect_somebody_left_asleep<Sleep::on_ticket, Barrier::symmetric, Bug::look_before_ready>();
}
TEST(DoorbellModelSeeded, AClearedBellMustWake) {
  expect_somebody_left_asleep<Sleep::on_ticket, Barrier::symmetric, Bug::answer_without_waking>();
}

}  // namespace
}  // namespace signalbox::model
