#include "bench/echo_exchange.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <stdexcept>

#include "base/must.hpp"
#include "bench/payload.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/topic.hpp"

namespace bench {

namespace {

using signalbox::Deadline;
using signalbox::must;
using signalbox::Publisher;
using signalbox::Start;
using signalbox::Subscriber;

// After its answer a follower makes some system calls and sleeps: 10 microseconds, by strace and a
// look at the clock; several times that, so that none is met awake.
constexpr std::int64_t kFallingAsleepNs = 60'000;

void await_falling_asleep() {
  const std::int64_t end = signalbox::monotonic_now_ns() + kFallingAsleepNs;
  while (signalbox::monotonic_now_ns() < end) {
  }
}

// The leader never sleeps: its own waking up is not what is asked here.
void await_answer(Subscriber<Payload>& in, std::uint64_t round) {
  for (;;) {
    if (const auto sample = in.take()) return check(*sample, round);
  }
}

signalbox::SubscriberOptions reading() {
  return {.start = Start::oldest, .spin_max = std::chrono::nanoseconds(0)};
}

template <class There>
class EchoExchange final : public Exchange {
 public:
  EchoExchange(std::string topic, bool follower_sleeps)
      : topic_(std::move(topic)), follower_sleeps_(follower_sleeps) {}

  void open(Side side) override {
    const bool leads = side == Side::leader;
    constexpr bool is_frame = signalbox::has_tail<There>;
    const signalbox::PublisherOptions there{.depth = 4,
                                            .tail_bytes_max = is_frame ? frame_bytes : 0};
    if (leads) {
      there_out_ = must(Publisher<There>::open(topic_ + "/there", there));
      back_in_ = must(Subscriber<Payload>::open(topic_ + "/back", reading()));
    } else {
      back_out_ = must(Publisher<Payload>::open(topic_ + "/back", {.depth = 4}));
      there_in_ = must(Subscriber<There>::open(topic_ + "/there", reading()));
    }
  }

  void ping(std::uint64_t round) override {
    if constexpr (signalbox::has_tail<There>) {
      auto loan = there_out_->loan(frame_bytes);
      loan->round = round;
      loan.tail().front() = loan.tail().back() = static_cast<std::byte>(round);
      static_cast<void>(there_out_->publish(std::move(loan)));
    } else {
      static_cast<void>(there_out_->send(payload_of(round)));
    }
    await_answer(*back_in_, round);
  }

  void rest() override {
    if (follower_sleeps_) await_falling_asleep();
  }

  void pong(std::uint64_t round) override {
    const auto sample = await();
    if constexpr (signalbox::has_tail<There>) {
      const auto pixels = sample.tail();
      const auto expected = static_cast<std::byte>(round);
      if (sample->round != round || pixels.size() != frame_bytes || pixels.front() != expected ||
          pixels.back() != expected) {
        throw std::runtime_error("a frame arrived damaged");
      }
      static_cast<void>(back_out_->send(payload_of(round)));
    } else {
      check(*sample, round);
      if (!back_out_->send(*sample)) throw std::runtime_error("an answer could not be sent");
    }
  }

 private:
  auto await() {
    for (;;) {
      if (follower_sleeps_) static_cast<void>(there_in_->wait(Deadline::never()));
      if (auto sample = there_in_->take()) return sample;
    }
  }

  std::string topic_;
  bool follower_sleeps_;
  std::optional<Publisher<There>> there_out_;
  std::optional<Subscriber<There>> there_in_;
  std::optional<Publisher<Payload>> back_out_;
  std::optional<Subscriber<Payload>> back_in_;
};

// The pipe has one reader, and the leader opens it when the first message goes: not every language
// reads one.
class PipeExchange final : public Exchange {
 public:
  PipeExchange(std::string topic, std::string path)
      : topic_(std::move(topic)), path_(std::move(path)) {}

  void open(Side side) override {
    if (side == Side::leader) {
      back_in_ = must(Subscriber<Payload>::open(topic_ + "/back", reading()));
    } else {
      back_out_ = must(Publisher<Payload>::open(topic_ + "/back", {.depth = 4}));
      if (::mkfifo(path_.c_str(), 0600) != 0) throw std::runtime_error("cannot make " + path_);
      open_pipe();
    }
  }

  void rest() override { await_falling_asleep(); }

  void ping(std::uint64_t round) override {
    if (!pipe_.is_open()) open_pipe();
    const Payload payload = payload_of(round);
    if (::write(pipe_.get(), &payload, sizeof(payload)) != sizeof(payload)) {
      throw std::runtime_error("cannot write to " + path_);
    }
    await_answer(*back_in_, round);
  }

  void pong(std::uint64_t round) override {
    Payload payload;
    if (::read(pipe_.get(), &payload, sizeof(payload)) != sizeof(payload)) {
      throw std::runtime_error("cannot read from " + path_);
    }
    check(payload, round);
    if (!back_out_->send(payload)) throw std::runtime_error("an answer could not be sent");
  }

 private:
  // For both directions, so that neither side waits for the other.
  void open_pipe() {
    pipe_ = signalbox::os::Fd(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (!pipe_.is_open()) throw std::runtime_error("cannot open " + path_);
  }

  std::string topic_;
  std::string path_;
  signalbox::os::Fd pipe_;
  std::optional<Publisher<Payload>> back_out_;
  std::optional<Subscriber<Payload>> back_in_;
};

}  // namespace

std::unique_ptr<Exchange> echo_exchange(Echo which, const std::string& language) {
  const std::string topic =
      "bench/" + language + "/" + echo_names.at(static_cast<std::size_t>(which));
  if (which == Echo::frame) return std::make_unique<EchoExchange<FrameInfo>>(topic, false);
  if (which == Echo::pipe) {
    const char* const root = std::getenv("SIGNALBOX_DIR");
    if (root == nullptr) throw std::runtime_error("SIGNALBOX_DIR is not set");
    return std::make_unique<PipeExchange>(topic, std::string(root) + "/" + language + "-pipe");
  }
  return std::make_unique<EchoExchange<Payload>>(topic, which != Echo::words);
}

}  // namespace bench
