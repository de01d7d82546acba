// Ours: topics, spinning, blocking, and with frames too large to copy.
#include <optional>
#include <stdexcept>

#include "bench/exchange.hpp"
#include "bench/payload.hpp"
#include "signalbox/topic.hpp"

namespace bench {

struct FrameInfo {
  static constexpr bool sbx_tail = true;
  std::uint64_t round;
};

}  // namespace bench

SBX_DESCRIBE(bench::FrameInfo, round);

namespace bench {

namespace {

using signalbox::Deadline;
using signalbox::Publisher;
using signalbox::Start;
using signalbox::Subscriber;

constexpr std::uint64_t kFrameBytes = 1920ULL * 1080 * 3;

template <class T>
T must(signalbox::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  return std::move(*result);
}

// Two topics, one each way; each process publishes one and subscribes to the other.
template <class T>
class TopicExchange : public Exchange {
 public:
  TopicExchange(std::string name, signalbox::PublisherOptions options)
      : name_(std::move(name)), options_(std::move(options)) {}

  void open(Side side) override {
    const bool leads = side == Side::leader;
    out_ = must(Publisher<T>::open(name_ + (leads ? "/there" : "/back"), options_));
    in_ = must(Subscriber<T>::open(name_ + (leads ? "/back" : "/there"), Start::oldest));
  }
  void ping(std::uint64_t round) override {
    send(round);
    await(round);
  }
  void pong(std::uint64_t round) override {
    await(round);
    send(round);
  }

 protected:
  virtual void send(std::uint64_t round) = 0;
  virtual void await(std::uint64_t round) = 0;
  std::optional<Publisher<T>> out_;
  std::optional<Subscriber<T>> in_;

 private:
  std::string name_;
  signalbox::PublisherOptions options_;
};

class Spinning final : public TopicExchange<Payload> {
 public:
  Spinning() : TopicExchange("bench/spinning", {.depth = 16}) {}

 private:
  void send(std::uint64_t round) override { static_cast<void>(out_->send(payload_of(round))); }
  void await(std::uint64_t round) override {
    for (;;) {
      if (const auto sample = in_->take()) return check(*sample, round);
    }
  }
};

class Blocking final : public TopicExchange<Payload> {
 public:
  Blocking() : TopicExchange("bench/blocking", {.depth = 16}) {}

 private:
  void send(std::uint64_t round) override { static_cast<void>(out_->send(payload_of(round))); }
  void await(std::uint64_t round) override {
    for (;;) {
      static_cast<void>(in_->wait(Deadline::never()));
      if (const auto sample = in_->take()) return check(*sample, round);
    }
  }
};

class Frames final : public TopicExchange<FrameInfo> {
 public:
  Frames() : TopicExchange("bench/frames", {.depth = 4, .tail_bytes_max = kFrameBytes}) {}

 private:
  void send(std::uint64_t round) override {
    auto loan = out_->loan(kFrameBytes);
    loan->round = round;
    static_cast<void>(out_->publish(std::move(loan)));
  }
  void await(std::uint64_t round) override {
    for (;;) {
      const auto sample = in_->take();
      if (!sample) continue;
      if (sample->round != round || sample.tail().size() != kFrameBytes) std::abort();
      return;
    }
  }
};

}  // namespace

std::unique_ptr<Exchange> topic_spinning() { return std::make_unique<Spinning>(); }
std::unique_ptr<Exchange> topic_blocking() { return std::make_unique<Blocking>(); }
std::unique_ptr<Exchange> topic_frames() { return std::make_unique<Frames>(); }

}  // namespace bench
