// Goal: a frame that a reader holds is never refilled, and one that nobody holds is free again.
// Method: a ring of one slot and just enough frames, so that every publish overwrites a message and
// needs its frame back. Frames are plain memory, so Relacy reports any access that a pin did not
// keep apart as a data race.
#include "model_run.hpp"

#include <array>
#include <memory>

#include "shm/frame_pool.hpp"
#include "shm/pins.hpp"
#include "signalbox/shm/ring.hpp"

namespace signalbox::model {
namespace {

enum class Bug {
  none,
  no_second_look,        // the reader pins and does not ask whether the message is still there
  look_before_pin,       // it asks first and pins then
  unpin_before_read,     // it withdraws the pin before it reads
  scan_before_overwrite  // the publisher looks for pins before it overwrites the slot
};

constexpr std::uint64_t incarnation = 0xabcdef'000000'0001;
constexpr std::size_t frames = 2;  // frames_needed(depth 1, loans_max 1, held_max 0)
static_assert(frames == shm::frames_needed(1, 1, 0));

// The pool is the publisher's private memory. Its vectors are allocated outside the model, which
// would otherwise explore what becomes of their bytes.
class PrivatePool {
 public:
  PrivatePool() {
    const OutsideTheModel outside;
    pool_ = std::make_unique<shm::FramePool>(std::uint32_t{frames}, 1U);
  }
  ~PrivatePool() {
    const OutsideTheModel outside;
    pool_.reset();
  }
  shm::FramePool* operator->() { return pool_.get(); }

 private:
  std::unique_ptr<shm::FramePool> pool_;
};

// Ring and pins have a policy each, so that one can be weakened and the other stay whole.
using Whole = RelacyAtomics<>;

template <class P>
struct SharedFrames {
  std::array<shm::Slot<Whole>, shm::ring_lines(1)> slots;
  shm::PinTable<P, 2> pins;
  std::array<rl::var<std::uint64_t>, frames> content;
};

// The publisher of every model here: PublisherCore's loan(), publish() and reclaim().
template <class P, Bug bug>
class FramePublisher {
 public:
  explicit FramePublisher(SharedFrames<P>& shared) : shared_(shared) {}

  // False: all frames are held.
  bool publish() {
    if (!pool_->has_free()) reclaim();
    const std::uint32_t frame = pool_->lend();
    if (frame == shm::FramePool::none) return false;
    shared_.content[frame](RL_INFO) = ring_.next();
    const std::uint64_t slot = ring_.slot_index();
    if (bug == Bug::scan_before_overwrite) {
      pool_->show(slot, frame);
      reclaim();
    }
    const std::array<std::uint64_t, shm::slot_words> words{frame};
    ring_.publish(0, reinterpret_cast<const std::byte*>(words.data()));
    if (bug != Bug::scan_before_overwrite) pool_->show(slot, frame);
    return true;
  }

 private:
  void reclaim() {
    P::full_fence();
    pool_->reclaim([this](auto found) { shm::collect(shared_.pins, incarnation, found); });
  }

  SharedFrames<P>& shared_;
  shm::RingWriter<Whole> ring_{shared_.slots.data(), 1};
  PrivatePool pool_;
};

// SubscriberCore's take_from() and pin_frame(): the next message there is, pinned.
template <class P, Bug bug>
class FrameReader {
 public:
  explicit FrameReader(SharedFrames<P>& shared) : shared_(shared) {}

  std::uint64_t position() const { return position_; }
  std::uint32_t frame() const { return frame_; }
  std::size_t pin() const { return pin_; }

  // False: nothing yet, or lapped while pinning.
  bool take() {
    shm::SlotImage image;
    const shm::Read outcome = ring_.read(position_, image);
    if (outcome == shm::Read::lapped) position_ = ring_.after_lap(position_);
    if (outcome == shm::Read::nothing) rl::yield(1, RL_INFO);
    if (outcome != shm::Read::ready) return false;
    frame_ = static_cast<std::uint32_t>(image.words[0]);
    if (bug == Bug::look_before_pin && !ring_.still_holds(position_)) return false;
    pin_ = shm::pin(shared_.pins, shm::pin_word(incarnation, frame_));
    if (pin_ == shm::no_pin) return false;
    if (bug == Bug::no_second_look || bug == Bug::look_before_pin || ring_.still_holds(position_)) {
      return true;
    }
    release();
    return false;
  }
  void release() { shm::unpin(shared_.pins.words[pin_]); }
  void advance() { ++position_; }

 private:
  SharedFrames<P>& shared_;
  shm::RingReader<Whole> ring_{shared_.slots.data(), 1};
  std::uint64_t position_ = 0;
  std::uint32_t frame_ = 0;
  std::size_t pin_ = shm::no_pin;
};

template <class P, Bug bug>
struct RecycleModel : rl::test_suite<RecycleModel<P, bug>, 2> {
  static constexpr std::uint64_t messages = 3;
  Placed<SharedFrames<P>> shared;

  void thread(unsigned index) { index == 0 ? write() : read(); }

  void write() {
    FramePublisher<P, bug> publisher(*shared);
    for (std::uint64_t i = 0; i < messages; ++i) {
      while (!publisher.publish()) rl::yield(1, RL_INFO);
    }
  }

  void read() {
    FrameReader<P, bug> reader(*shared);
    while (reader.position() < messages) {
      if (!reader.take()) continue;
      if (bug == Bug::unpin_before_read) reader.release();
      RL_ASSERT(shared->content[reader.frame()](RL_INFO) == reader.position());
      if (bug != Bug::unpin_before_read) reader.release();
      reader.advance();
    }
  }
};

// The first sample is handed to another thread, which reads and releases it, while the subscriber's
// own thread goes on and may pin something else with the very same word.
template <class P>
struct HandOverModel : rl::test_suite<HandOverModel<P>, 3> {
  static constexpr std::uint64_t messages = 3;
  Placed<SharedFrames<P>> shared;
  Whole::atomic<std::uint64_t> handed_over;  // 1 + frame; 1 + frames if there was none to give

  void thread(unsigned index) {
    if (index == 0) {
      FramePublisher<P, Bug::none> publisher(*shared);
      for (std::uint64_t i = 0; i < messages; ++i) {
        while (!publisher.publish()) rl::yield(1, RL_INFO);
      }
    } else if (index == 1) {
      take();
    } else {
      release();
    }
  }

  void take() {
    FrameReader<P, Bug::none> reader(*shared);
    bool given = false;
    while (reader.position() < messages) {
      if (!reader.take()) continue;
      if (!given && reader.pin() == 0) {
        given = true;
        handed_over.store(reader.frame() + 1);
      } else {
        RL_ASSERT(shared->content[reader.frame()](RL_INFO) == reader.position());
        reader.release();
      }
      reader.advance();
    }
    if (!given) handed_over.store(frames + 1);
  }

  void release() {
    std::uint64_t given = 0;
    while ((given = handed_over.load()) == 0) rl::yield(1, RL_INFO);
    if (given > frames) return;
    static_cast<void>(shared->content[given - 1](RL_INFO).load());
    shm::unpin(shared->pins.words[0]);
  }
};

using enum Weakened;
constexpr int publisher_thread = 0;
constexpr int subscriber_thread = 1;

TEST(PinsModel, AHeldFrameIsNotRefilled) { expect_green<RecycleModel<Whole, Bug::none>>(); }
TEST(PinsModel, AnotherThreadMayRelease) {
  expect_green<HandOverModel<Whole>>({.switches = 1, .random_schedules = 50'000});
}

TEST(PinsModelSeeded, WithoutTheSecondLookAPinComesTooLate) {
  expect_red<RecycleModel<Whole, Bug::no_second_look>>(rl::test_result_data_race);
}
TEST(PinsModelSeeded, TheSecondLookBeforeThePinIsNone) {
  expect_red<RecycleModel<Whole, Bug::look_before_pin>>(rl::test_result_data_race);
}
TEST(PinsModelSeeded, AnEarlyUnpinIsARace) {
  expect_red<RecycleModel<Whole, Bug::unpin_before_read>>(rl::test_result_data_race);
}
TEST(PinsModelSeeded, ScanningBeforeOverwritingIsARace) {
  expect_red<RecycleModel<Whole, Bug::scan_before_overwrite>>(rl::test_result_data_race);
}
TEST(PinsModelSeeded, WithoutTheReadersFullFenceTheScanMissesThePin) {
  expect_red<RecycleModel<RelacyAtomics<full_fences, subscriber_thread>, Bug::none>>(
      rl::test_result_data_race);
}
TEST(PinsModelSeeded, WithoutThePublishersFullFenceTheScanMissesThePin) {
  expect_red<RecycleModel<RelacyAtomics<full_fences, publisher_thread>, Bug::none>>(
      rl::test_result_data_race);
}
TEST(PinsModelSeeded, WithoutReleaseOnUnpinReadsComeAfterReuse) {
  expect_red<RecycleModel<RelacyAtomics<release_stores>, Bug::none>>(rl::test_result_data_race);
}
TEST(PinsModelSeeded, WithoutAcquireInTheScanReadsComeAfterReuse) {
  expect_red<RecycleModel<RelacyAtomics<acquire_loads, publisher_thread>, Bug::none>>(
      rl::test_result_data_race);
}
TEST(PinsModelSeeded, WithoutAcquireOnAFreeWordAnothersReadsComeAfterReuse) {
  expect_red<HandOverModel<RelacyAtomics<acquire_loads, subscriber_thread>>>(
      rl::test_result_data_race, {.switches = 1, .random_schedules = 200'000});
}

}  // namespace
}  // namespace signalbox::model
