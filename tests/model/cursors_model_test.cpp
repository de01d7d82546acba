// Goal: a publisher that sleeps until its reliable subscriber made room is woken when there is
// room, and nothing is overwritten before it was taken. Method: the steps of PublisherCore's
// wait_for_room() against SubscriberCore's advance() and wait(), over the shipped ring and cursors,
// with a kernel whose sleeps never time out. Both sides sleep, so a wake-up that is lost on either
// side ends with both asleep.
#include "kernel_model.hpp"
#include "model_run.hpp"

#include <algorithm>
#include <array>

#include "signalbox/shm/cursors.hpp"
#include "signalbox/shm/doorbell.hpp"
#include "signalbox/shm/ring.hpp"

namespace signalbox::model {
namespace {

using P = RelacyAtomics<>;

// Who pays for the order of "advance, then look who waits" and "ask to be woken, then look again".
enum class Barrier { asymmetric, symmetric };
enum class Bug {
  none,
  no_publishers_barrier,     // the publisher asks and looks without a barrier between
  no_second_look,            // the publisher asks and sleeps, without looking once more
  look_before_advancing,     // the subscriber looks who waits and advances then
  wants_more_than_there_is,  // the publisher asks for more room than the ring has
  advance_before_reading     // the subscriber gives the slot back and reads it then
};

constexpr std::uint64_t incarnation = 7;
template <std::uint64_t depth>
struct SharedCursor {
  shm::Bell<P> bell;
  std::array<shm::Slot<P>, shm::ring_lines(depth)> slots;
  shm::Cursor<P> cursor;
  P::atomic<std::uint64_t> wanted;  // in the publisher's page
};

template <Barrier barrier, Bug bug, std::uint64_t depth>
struct RoomModel : rl::test_suite<RoomModel<barrier, bug, depth>, 2> {
  static constexpr std::uint64_t messages = depth + 2;
  Placed<SharedCursor<depth>> shared;
  KernelModel<2> kernel;

  void before() { shm::begin_cursor(shared->cursor, incarnation, 0); }
  void thread(unsigned index) { index == 0 ? publish_all() : take_all(); }

  // ---- PublisherCore

  void publish_all() {
    shm::RingWriter<P> ring(shared->slots.data(), depth);
    for (std::uint64_t i = 0; i < messages; ++i) {
      while (!has_room(i)) wait_for_room(i);
      const std::array<std::uint64_t, shm::slot_words> words{i};
      ring.publish(0, reinterpret_cast<const std::byte*>(words.data()));
      P::full_fence();
      if (shm::somebody_sleeps(shared->bell)) {
        shm::answer(shared->bell);
        kernel.futex_wake_all(&shared->bell.ticket);
      }
    }
  }
  std::uint64_t slowest(std::uint64_t next) {
    return shm::clamp_cursor(shm::cursor_position(shared->cursor), next, depth);
  }
  bool has_room(std::uint64_t next) { return next < slowest(next) + depth; }

  void wait_for_room(std::uint64_t next) {
    const std::uint64_t half = bug == Bug::wants_more_than_there_is ? depth + 1 : depth / 2;
    shared->wanted.store(slowest(next) + std::max<std::uint64_t>(1, half));
    if (bug != Bug::no_publishers_barrier) {
      P::full_fence();
      if (barrier == Barrier::asymmetric) heavy_barrier<2>();
    }
    const auto& word = shared->cursor.position;
    const std::uint64_t seen = word.load();
    if (bug == Bug::no_second_look || !has_room(next)) {
      kernel.futex_wait({futex_word(word, seen)});
    }
    shared->wanted.store(0);
  }

  // ---- SubscriberCore

  void take_all() {
    std::uint64_t position = 0;
    while (position < messages) {
      if (bug == Bug::advance_before_reading) advance(position + 1);
      if (take(position)) {
        ++position;
        if (bug != Bug::advance_before_reading) advance(position);
      } else {
        wait(position);
      }
    }
  }
  bool take(std::uint64_t position) {
    const shm::RingReader<P> ring(shared->slots.data(), depth);
    shm::SlotImage image;
    const shm::Read outcome = ring.read(position, image);
    RL_ASSERT(outcome != shm::Read::lapped);
    RL_ASSERT(outcome != shm::Read::ready || image.words[0] == position);
    return outcome == shm::Read::ready;
  }
  void advance(std::uint64_t position) {
    std::uint64_t wanted = 0;
    if (bug == Bug::look_before_advancing) wanted = shared->wanted.load();
    shm::advance_cursor(shared->cursor, position);
    barrier == Barrier::asymmetric ? P::compiler_fence() : P::full_fence();
    if (bug != Bug::look_before_advancing) wanted = shared->wanted.load();
    if (wanted != 0 && position >= wanted) kernel.futex_wake_all(&shared->cursor.position);
  }
  void wait(std::uint64_t position) {
    const std::uint32_t ticket = shm::announce(shared->bell, shm::sleepers_on_ticket);
    P::full_fence();
    const shm::RingReader<P> ring(shared->slots.data(), depth);
    if (ring.is_ready(position)) return;
    kernel.futex_wait({futex_word(shared->bell.ticket, ticket)});
  }
};

// Whoever finds the owner of a cursor finds where it begins.
template <class Policy>
struct BeginModel : rl::test_suite<BeginModel<Policy>, 2> {
  Placed<shm::Cursor<Policy>> cursor;

  void thread(unsigned index) {
    if (index == 0) {
      shm::begin_cursor(*cursor, incarnation, 5);
    } else if (shm::cursor_owner(*cursor) == incarnation) {
      RL_ASSERT(shm::cursor_position(*cursor) == 5);
    }
  }
};

// A slot, here of plain memory, is reused when the cursor says that it was read.
template <class Policy>
struct ReuseModel : rl::test_suite<ReuseModel<Policy>, 2> {
  Placed<shm::Cursor<Policy>> cursor;
  rl::var<std::uint64_t> slot;

  void before() {
    slot(RL_INFO) = 0;
    shm::begin_cursor(*cursor, incarnation, 0);
  }
  void thread(unsigned index) {
    if (index == 0) {
      while (shm::cursor_position(*cursor) == 0) rl::yield(1, RL_INFO);
      slot(RL_INFO) = 1;
    } else {
      RL_ASSERT(slot(RL_INFO) == 0);
      shm::advance_cursor(*cursor, 1);
    }
  }
};

using WithoutRelease = RelacyAtomics<Weakened::release_stores>;
using WithoutAcquire = RelacyAtomics<Weakened::acquire_loads>;

TEST(CursorsModel, TheStartIsFoundWithTheOwner) { expect_green<BeginModel<P>>(); }
TEST(CursorsModel, ASlotIsReusedAfterItWasRead) { expect_green<ReuseModel<P>>(); }

TEST(CursorsModelSeeded, WithoutReleaseOrAcquireTheStartIsNotFound) {
  expect_red<BeginModel<WithoutRelease>>(rl::test_result_user_assert_failed);
  expect_red<BeginModel<WithoutAcquire>>(rl::test_result_user_assert_failed);
}
TEST(CursorsModelSeeded, WithoutReleaseOrAcquireASlotIsReusedWhileItIsRead) {
  expect_red<ReuseModel<WithoutRelease>>(rl::test_result_data_race);
  expect_red<ReuseModel<WithoutAcquire>>(rl::test_result_data_race);
}

TEST(CursorsModel, NeitherSideIsLeftAsleep) {
  expect_green<RoomModel<Barrier::asymmetric, Bug::none, 1>>();
  expect_green<RoomModel<Barrier::asymmetric, Bug::none, 2>>();
  expect_green<RoomModel<Barrier::symmetric, Bug::none, 1>>();
  expect_green<RoomModel<Barrier::symmetric, Bug::none, 2>>();
}

TEST(CursorsModelSeeded, WithoutThePublishersBarrierItIsLeftAsleep) {
  expect_red<RoomModel<Barrier::asymmetric, Bug::no_publishers_barrier, 1>>(
      rl::test_result_deadlock);
}
TEST(CursorsModelSeeded, WhoDoesNotLookAgainIsLeftAsleep) {
  expect_red<RoomModel<Barrier::symmetric, Bug::no_second_look, 1>>(rl::test_result_deadlock);
}
TEST(CursorsModelSeeded, LookingBeforeAdvancingLeavesThePublisherAsleep) {
  expect_red<RoomModel<Barrier::symmetric, Bug::look_before_advancing, 1>>(
      rl::test_result_deadlock);
}
TEST(CursorsModelSeeded, WantingMoreThanThereIsLeavesThePublisherAsleep) {
  expect_red<RoomModel<Barrier::symmetric, Bug::wants_more_than_there_is, 2>>(
      rl::test_result_deadlock);
}
TEST(CursorsModelSeeded, ASlotGivenBackBeforeItWasReadIsOverwritten) {
  expect_red<RoomModel<Barrier::symmetric, Bug::advance_before_reading, 2>>(
      rl::test_result_user_assert_failed);
}

}  // namespace
}  // namespace signalbox::model
