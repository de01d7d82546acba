// Ours: topics, spinning, blocking, in an event loop, and with frames too large to copy.
#include <sys/epoll.h>

#include <chrono>
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

// Two topics, one each way; each process publishes one and subscribes to the other.
template <class T>
class TopicExchange : public Exchange {
 public:
  TopicExchange(std::string name, signalbox::PublisherOptions options,
                signalbox::SubscriberOptions reading = {})
      : name_(std::move(name)), options_(std::move(options)), reading_(std::move(reading)) {
    reading_.start = Start::oldest;
  }

  void open(Side side) override {
    const bool leads = side == Side::leader;
    out_ = must(Publisher<T>::open(name_ + (leads ? "/there" : "/back"), options_));
    in_ = must(Subscriber<T>::open(name_ + (leads ? "/back" : "/there"), reading_));
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
  signalbox::SubscriberOptions reading_;
};

class Spinning final : public TopicExchange<Payload> {
 public:
  Spinning(std::string name, signalbox::SubscriberOptions reading)
      : TopicExchange(std::move(name), {.depth = 16}, std::move(reading)) {}

 private:
  void send(std::uint64_t round) override { static_cast<void>(out_->send(payload_of(round))); }
  void await(std::uint64_t round) override {
    for (;;) {
      if (const auto sample = in_->take()) return check(*sample, round);
    }
  }
};

// Messages of several lines that travel in their slot.
class LongSlots final : public TopicExchange<Payload256> {
 public:
  LongSlots(std::string name, signalbox::SubscriberOptions reading)
      : TopicExchange(std::move(name), {.depth = 16}, std::move(reading)) {}

 private:
  void send(std::uint64_t round) override {
    Payload256 payload;
    fill(payload, round);
    static_cast<void>(out_->send(payload));
  }
  void await(std::uint64_t round) override {
    for (;;) {
      if (const auto sample = in_->take()) return check(*sample, round);
    }
  }
};

// Messages too large for a slot: filled and read where they lie.
template <class T>
class InFrames final : public TopicExchange<T> {
 public:
  explicit InFrames(std::string name) : TopicExchange<T>(std::move(name), {.depth = 4}) {}

 private:
  void send(std::uint64_t round) override {
    auto loan = this->out_->loan();
    fill(*loan, round);
    static_cast<void>(this->out_->publish(std::move(loan)));
  }
  void await(std::uint64_t round) override {
    for (;;) {
      if (const auto sample = this->in_->take()) return check(*sample, round);
    }
  }
};

class Blocking final : public TopicExchange<Payload> {
 public:
  Blocking(std::string name, std::chrono::nanoseconds spin_max)
      : TopicExchange(std::move(name), {.depth = 16}, {.spin_max = spin_max}) {}

 private:
  void send(std::uint64_t round) override { static_cast<void>(out_->send(payload_of(round))); }
  void await(std::uint64_t round) override {
    for (;;) {
      static_cast<void>(in_->wait(Deadline::never()));
      if (const auto sample = in_->take()) return check(*sample, round);
    }
  }
};

class EventLoop final : public TopicExchange<Payload> {
 public:
  EventLoop() : TopicExchange("bench/event_loop", {.depth = 16}) {}
  void open(Side side) override {
    TopicExchange::open(side);
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, must(in_->descriptor()), &event);
  }

 private:
  void send(std::uint64_t round) override { static_cast<void>(out_->send(payload_of(round))); }
  void await(std::uint64_t round) override {
    for (;;) {
      epoll_event event{};
      ::epoll_wait(epoll_, &event, 1, -1);
      if (const auto sample = in_->take()) {
        check(*sample, round);
        // Taking until nothing is left arms the descriptor again.
        static_cast<void>(in_->take());
        return;
      }
    }
  }
  int epoll_ = -1;
};

class Frames final : public TopicExchange<FrameInfo> {
 public:
  Frames() : TopicExchange("bench/frames", {.depth = 4, .tail_bytes_max = frame_bytes}) {}

 private:
  void send(std::uint64_t round) override {
    auto loan = out_->loan(frame_bytes);
    loan->round = round;
    static_cast<void>(out_->publish(std::move(loan)));
  }
  void await(std::uint64_t round) override {
    for (;;) {
      const auto sample = in_->take();
      if (!sample) continue;
      if (sample->round != round || sample.tail().size() != frame_bytes) std::abort();
      return;
    }
  }
};

}  // namespace

std::unique_ptr<Exchange> topic_spinning() {
  return std::make_unique<Spinning>("bench/spinning", signalbox::SubscriberOptions{});
}
std::unique_ptr<Exchange> topic_spinning_writable() {
  return std::make_unique<Spinning>("bench/spinning_writable",
                                    signalbox::SubscriberOptions{.writable_ring = true});
}
std::unique_ptr<Exchange> topic_256() {
  return std::make_unique<LongSlots>("bench/256", signalbox::SubscriberOptions{});
}
std::unique_ptr<Exchange> topic_256_writable() {
  return std::make_unique<LongSlots>("bench/256_writable",
                                     signalbox::SubscriberOptions{.writable_ring = true});
}
std::unique_ptr<Exchange> topic_1024() {
  return std::make_unique<InFrames<Payload1024>>("bench/1024");
}
std::unique_ptr<Exchange> topic_4096() {
  return std::make_unique<InFrames<Payload4096>>("bench/4096");
}
std::unique_ptr<Exchange> topic_16384() {
  return std::make_unique<InFrames<Payload16384>>("bench/16384");
}
std::unique_ptr<Exchange> topic_blocking() {
  return std::make_unique<Blocking>("bench/blocking", std::chrono::nanoseconds(0));
}
std::unique_ptr<Exchange> topic_adaptive() {
  return std::make_unique<Blocking>("bench/adaptive", std::chrono::microseconds(30));
}
std::unique_ptr<Exchange> topic_event_loop() { return std::make_unique<EventLoop>(); }
std::unique_ptr<Exchange> topic_frames() { return std::make_unique<Frames>(); }

}  // namespace bench
