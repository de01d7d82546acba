#include "signalbox/os/signal_thread.hpp"

#include <poll.h>

#include <atomic>
#include <utility>

#include "os/background_thread.hpp"

namespace signalbox::os {

struct SignalThread::Loop {
  Signals signals;
  std::function<void(const Signal&)> function;
  std::atomic<bool> is_ending{false};
  std::unique_ptr<BackgroundThread> thread{};

  void run(const BackgroundThread::Bell& bell) {
    pollfd asked[2] = {{.fd = signals.fd().get(), .events = POLLIN, .revents = 0},
                       {.fd = bell.fd.get(), .events = POLLIN, .revents = 0}};
    while (!is_ending.load()) {
      ::ppoll(asked, 2, nullptr, nullptr);
      // One at a time, so that the end need not wait for all that are pending.
      const auto signal = is_ending.load() ? std::nullopt : signals.take();
      if (signal) function(*signal);
    }
  }
};

SignalThread::SignalThread(std::unique_ptr<Loop> loop) noexcept : loop_(std::move(loop)) {}
SignalThread::SignalThread(SignalThread&&) noexcept = default;
SignalThread& SignalThread::operator=(SignalThread&& other) noexcept {
  SignalThread old(std::move(*this));
  loop_ = std::move(other.loop_);
  return *this;
}

Result<SignalThread> SignalThread::start(std::initializer_list<int> numbers,
                                         std::function<void(const Signal&)> function) {
  return signalbox::detail::or_out_of_memory([&]() -> Result<SignalThread> {
    if (!function) {
      return std::unexpected(
          Error{Errc::bad_argument, 0, {}, "cannot start a signal thread: it has no function."});
    }
    auto signals = Signals::block(numbers);
    if (!signals) return std::unexpected(std::move(signals.error()));
    std::unique_ptr<Loop> loop(new Loop{std::move(*signals), std::move(function)});
    auto thread =
        BackgroundThread::start([loop = loop.get()](const auto& bell) { loop->run(bell); });
    if (!thread) return std::unexpected(std::move(thread.error()));
    loop->thread = std::move(*thread);
    return SignalThread(std::move(loop));
  });
}

SignalThread::~SignalThread() {
  if (!loop_) return;
  loop_->is_ending.store(true);
  loop_->thread.reset();  // wakes it and waits, or in a forked child does nothing
}

}  // namespace signalbox::os
