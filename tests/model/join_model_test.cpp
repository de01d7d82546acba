// Goal: a reliable subscriber that joins while a full ring wraps loses nothing from its settled
// start on, and whoever meets a publisher only on the way to sleep is woken by it all the same.
// Method: the steps of SubscriberCore::join() and wait() against PublisherCore's publish() and
// refresh(), over the shipped ring, bell and cursors.
#include "kernel_model.hpp"
#include "model_run.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "signalbox/shm/cursors.hpp"
#include "signalbox/shm/doorbell.hpp"
#include "signalbox/shm/ring.hpp"

namespace signalbox::model {
namespace {

using P = RelacyAtomics<>;

enum class Barrier { asymmetric, symmetric };
enum class Bug {
  none,
  settle_before_epoch,  // the start is settled before publishers are told to look
  no_barrier,           // ... and without a barrier after telling them
  no_allowance,         // the one message that may be under the publisher's pen counts as promised
  epoch_is_old_news     // the publisher looks at the epoch only when it has no room
};

constexpr std::uint64_t incarnation = 7;
constexpr std::uint64_t depth = 2;
constexpr std::uint64_t total = depth + 2;

// A name in the topic's directory: made and found by system calls, each a full barrier.
class DirectoryEntry {
 public:
  void link() {
    const InKernel call;
    linked_ = true;
  }
  bool is_linked() const {
    const InKernel call;
    return linked_;
  }

 private:
  bool linked_ = false;
};

struct SharedTopic {
  shm::Bell<P> bell;
  std::array<shm::Slot<P>, shm::ring_lines(depth)> slots;
  shm::Cursor<P> cursor;  // the subscriber's entry for this publisher
  P::atomic<std::uint32_t> subscriber_is_ready;
};

void publish_number(shm::RingWriter<P>& ring) {
  const std::array<std::uint64_t, shm::slot_words> words{ring.next()};
  ring.publish(0, reinterpret_cast<const std::byte*>(words.data()));
}

template <Barrier barrier, Bug bug>
struct JoinModel : rl::test_suite<JoinModel<barrier, bug>, 2> {
  Placed<SharedTopic> shared;
  DirectoryEntry subscriber_file;
  shm::RingWriter<P> writer{shared->slots.data(), depth};

  void before() {
    while (writer.next() < depth) publish_number(writer);
  }
  void thread(unsigned index) { index == 0 ? Publisher{*this}.run() : Subscriber{*this}.run(); }

  struct Publisher {
    JoinModel& model;
    std::uint64_t known_epoch = 0;
    bool has_link = false;
    bool has_cursor = false;
    std::uint64_t room_until = 0;

    void run() {
      while (model.writer.next() < total) {
        if (!publish()) rl::yield(1, RL_INFO);
      }
    }
    bool publish() {
      shm::RingWriter<P>& ring = model.writer;
      if (bug != Bug::epoch_is_old_news) look_at_epoch();
      if (has_link && ring.next() >= room_until && !has_room()) {
        look_at_epoch();
        return false;
      }
      publish_number(ring);
      barrier == Barrier::asymmetric ? P::compiler_fence() : P::full_fence();
      return true;
    }
    void look_at_epoch() {
      const std::uint64_t epoch = model.shared->bell.epoch.load();
      if (epoch == known_epoch) return;
      has_link = model.subscriber_file.is_linked();
      has_cursor = has_link && shm::cursor_owner(model.shared->cursor) == incarnation;
      room_until = 0;
      known_epoch = epoch;
    }
    bool has_room() {
      const std::uint64_t next = model.writer.next();
      std::uint64_t slowest = next;
      if (model.shared->subscriber_is_ready.load() != 0) {
        slowest = has_cursor ? shm::cursor_position(model.shared->cursor) : 0;
      }
      room_until = shm::clamp_cursor(slowest, next, depth) + depth;
      return next < room_until;
    }
  };

  struct Subscriber {
    JoinModel& model;
    std::uint64_t position = 0;
    std::uint64_t counts_from = 0;

    shm::RingReader<P> ring() { return {model.shared->slots.data(), depth}; }

    void run() {
      model.subscriber_file.link();
      join();
      while (position < total) take();
    }

    void join() {
      shm::Bell<P>& bell = model.shared->bell;
      // refresh() meets the publisher: Start::oldest.
      const std::uint64_t next = ring().find_next();
      position = ring().oldest_kept(next);
      shm::begin_cursor(model.shared->cursor, incarnation, position);
      bell.epoch.fetch_add(1);
      if (bug == Bug::settle_before_epoch) settle_start();
      model.shared->subscriber_is_ready.store(1);
      bell.epoch.fetch_add(1);
      if (bug != Bug::no_barrier) {
        P::full_fence();
        if (barrier == Barrier::asymmetric) heavy_barrier<2>();
      }
      if (bug != Bug::settle_before_epoch) settle_start();
    }
    void settle_start() {
      if (ring().sequence_at(position) > shm::ready(position)) {
        position = ring().after_lap(position);
        shm::advance_cursor(model.shared->cursor, position);
      }
      const bool oldest_of_full_ring = position + depth <= ring().find_next();
      counts_from = position + (oldest_of_full_ring && bug != Bug::no_allowance ? 1 : 0);
    }

    void take() {
      shm::SlotImage image;
      switch (ring().read(position, image)) {
        case shm::Read::nothing:
          rl::yield(1, RL_INFO);
          return;
        case shm::Read::lapped: {
          const std::uint64_t from = std::max(position, counts_from);
          position = ring().after_lap(position);
          RL_ASSERT(position <= from);  // nothing that was promised is lost
          return;
        }
        case shm::Read::ready:
          RL_ASSERT(image.words[0] == position);
          ++position;
          shm::advance_cursor(model.shared->cursor, position);
      }
    }
  };
};

// Which sleepers pass the heavy half of the barrier.
enum class Heavy { always, if_a_known_publisher_needs_it };

// A subscriber alone in a topic goes to sleep while the first publisher opens and publishes.
template <Heavy heavy>
struct MeetingModel : rl::test_suite<MeetingModel<heavy>, 2> {
  Placed<SharedTopic> shared;
  DirectoryEntry publisher_file;
  KernelModel<2> kernel;
  shm::RingWriter<P> writer{shared->slots.data(), depth};

  void thread(unsigned index) { index == 0 ? publish() : receive(); }

  void publish() {
    shm::Bell<P>& bell = shared->bell;
    publisher_file.link();
    // TopicDirectory::announce_change()
    bell.epoch.fetch_add(1);
    bell.ticket.fetch_add(1);
    kernel.futex_wake_all(&bell.ticket);
    publish_number(writer);
    P::compiler_fence();
    if (shm::somebody_sleeps(bell) && (shm::answer(bell) & shm::sleepers_on_ticket) != 0) {
      kernel.futex_wake_all(&bell.ticket);
    }
  }

  void receive() {
    shm::Bell<P>& bell = shared->bell;
    std::uint64_t known_epoch = 0;
    bool met = false;
    const auto anything_ready = [&] {
      if (bell.epoch.load() != known_epoch) {
        known_epoch = bell.epoch.load();
        met = publisher_file.is_linked();
      }
      return met && shm::RingReader<P>(shared->slots.data(), depth).is_ready(0);
    };
    while (!anything_ready()) {
      const std::uint32_t ticket = shm::announce(bell, shm::sleepers_on_ticket);
      P::full_fence();
      if (heavy == Heavy::always || met) heavy_barrier<2>();
      if (anything_ready()) return;
      kernel.futex_wait({futex_word(bell.ticket, ticket)});
    }
  }
};

constexpr Effort thorough{.switches = 3, .random_schedules = 60'000};

TEST(JoinModel, NothingIsLostFromTheSettledStartOn) {
  expect_green<JoinModel<Barrier::asymmetric, Bug::none>>();
  expect_green<JoinModel<Barrier::symmetric, Bug::none>>();
}
TEST(JoinModel, APublisherMetOnTheWayToSleepWakesToo) {
  expect_green<MeetingModel<Heavy::always>>(thorough);
}

TEST(JoinModelSeeded, SettlingBeforeTheEpochLoses) {
  expect_red<JoinModel<Barrier::asymmetric, Bug::settle_before_epoch>>(
      rl::test_result_user_assert_failed);
}
TEST(JoinModelSeeded, WithoutTheBarrierTheSettledStartIsLost) {
  expect_red<JoinModel<Barrier::asymmetric, Bug::no_barrier>>(rl::test_result_user_assert_failed,
                                                              thorough);
}
TEST(JoinModelSeeded, TheOldestOfAFullRingCannotBePromised) {
  expect_red<JoinModel<Barrier::asymmetric, Bug::no_allowance>>(rl::test_result_user_assert_failed);
}
TEST(JoinModelSeeded, APublisherThatDoesNotLookAtTheEpochOverwrites) {
  expect_red<JoinModel<Barrier::asymmetric, Bug::epoch_is_old_news>>(
      rl::test_result_user_assert_failed);
}
TEST(JoinModelSeeded, ABarrierForKnownPublishersOnlyLeavesASleeper) {
  expect_red<MeetingModel<Heavy::if_a_known_publisher_needs_it>>(rl::test_result_deadlock,
                                                                 thorough);
}

}  // namespace
}  // namespace signalbox::model
