// Streams: a round is stream_messages in one direction, each written and read, and one answer. The
// limit is a bare ring of slots with a sequence each, and the reader's cursor to stay behind.
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <optional>
#include <stdexcept>

#include "base/must.hpp"
#include "bench/exchange.hpp"
#include "bench/payload.hpp"
#include "signalbox/topic.hpp"

namespace bench {

namespace {

using signalbox::Deadline;
using signalbox::must;
using signalbox::Publisher;
using signalbox::Start;
using signalbox::Subscriber;

struct alignas(64) Answer {
  std::atomic<std::uint64_t> round;
};

template <class Shared>
Shared* map_shared() {
  void* at =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::runtime_error("cannot map shared memory");
  return new (at) Shared{};
}

// The leader sends the stream and awaits the answer, the follower takes and answers.
class Stream : public Exchange {
 public:
  void ping(std::uint64_t round) override {
    send_all(round * stream_messages);
    // sync[bench.round] acquire: meets pong().
    while (answer_->round.load(std::memory_order_acquire) != round) {
    }
  }
  void pong(std::uint64_t round) override {
    take_all(round * stream_messages);
    // sync[bench.round] release: all of the stream has been read.
    answer_->round.store(round, std::memory_order_release);
  }

 private:
  virtual void send_all(std::uint64_t first) = 0;
  virtual void take_all(std::uint64_t first) = 0;
  Answer* answer_ = map_shared<Answer>();
};

class RawSlotRing final : public Stream {
 public:
  void open(Side) override {}

 private:
  struct alignas(64) Slot {
    std::atomic<std::uint64_t> sequence;
    Payload payload;
  };
  struct Ring {
    alignas(64) std::atomic<std::uint64_t> taken;
    alignas(64) Slot slots[stream_depth];
  };
  void send_all(std::uint64_t first) override {
    for (std::uint64_t i = 0; i < stream_messages; ++i, ++next_) {
      while (next_ - seen_taken_ >= stream_depth) {
        // sync[bench.taken] acquire: meets take_all(); the slot has been read.
        seen_taken_ = ring_->taken.load(std::memory_order_acquire);
      }
      Slot& slot = ring_->slots[next_ % stream_depth];
      fill(slot.payload, first + i);
      // sync[bench.round] release: the words come first.
      slot.sequence.store(next_ + 1, std::memory_order_release);
    }
  }
  void take_all(std::uint64_t first) override {
    for (std::uint64_t i = 0; i < stream_messages; ++i, ++next_) {
      const Slot& slot = ring_->slots[next_ % stream_depth];
      // sync[bench.round] acquire: meets send_all().
      while (slot.sequence.load(std::memory_order_acquire) != next_ + 1) {
      }
      check(slot.payload, first + i);
      // sync[bench.taken] release: the slot has been read.
      ring_->taken.store(next_ + 1, std::memory_order_release);
    }
  }
  Ring* ring_ = map_shared<Ring>();
  std::uint64_t next_ = 0;
  std::uint64_t seen_taken_ = 0;
};

class TopicStream : public Stream {
 public:
  explicit TopicStream(std::string name) : name_(std::move(name)) {}
  void open(Side side) override {
    if (side == Side::leader) {
      out_ = must(Publisher<Payload>::open(name_, {.depth = stream_depth}));
      // A stream that begins before its reader is there would not be a stream.
      while (out_->subscriber_count() == 0) {
      }
    } else {
      in_ = must(Subscriber<Payload>::open(name_, {.start = Start::oldest, .reliable = true}));
    }
  }

 protected:
  std::optional<Publisher<Payload>> out_;
  std::optional<Subscriber<Payload>> in_;

 private:
  void send_all(std::uint64_t first) override {
    for (std::uint64_t i = 0; i < stream_messages; ++i) {
      if (!out_->send(payload_of(first + i), Deadline::never())) std::abort();
    }
  }
  void take_all(std::uint64_t first) override {
    for (std::uint64_t i = 0; i < stream_messages;) {
      const auto sample = in_->take();
      if (!sample) continue;
      check(*sample, first + i);
      ++i;
    }
  }
  std::string name_;
};

class TopicBatches final : public TopicStream {
 public:
  TopicBatches() : TopicStream("bench/batches") {}

 private:
  static constexpr std::uint64_t kBatch = 64;
  void send_all(std::uint64_t first) override {
    std::array<Payload, kBatch> batch;
    for (std::uint64_t i = 0; i < stream_messages; i += kBatch) {
      for (std::uint64_t k = 0; k < kBatch; ++k) fill(batch[k], first + i + k);
      if (out_->send_batch(batch, Deadline::never()) != kBatch) std::abort();
    }
  }
  void take_all(std::uint64_t first) override {
    std::array<Payload, kBatch> batch;
    for (std::uint64_t i = 0; i < stream_messages;) {
      const std::size_t taken = in_->take_batch(batch);
      for (std::size_t k = 0; k < taken; ++k) check(batch[k], first + i + k);
      i += taken;
    }
  }
};

}  // namespace

std::unique_ptr<Exchange> raw_slot_ring() { return std::make_unique<RawSlotRing>(); }
std::unique_ptr<Exchange> topic_stream() { return std::make_unique<TopicStream>("bench/stream"); }
std::unique_ptr<Exchange> topic_stream_batch() { return std::make_unique<TopicBatches>(); }

}  // namespace bench
