#include "os/background_thread.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "os/failure.hpp"
#include "os/process.hpp"

namespace signalbox::os {

void BackgroundThread::Bell::drain() const noexcept {
  std::uint64_t count = 0;
  static_cast<void>(::read(fd.get(), &count, sizeof(count)));
}

BackgroundThread::BackgroundThread(std::function<void(const Bell&)> work, Fd bell)
    : work_(std::move(work)), bell_{std::move(bell)}, generation_(fork_generation()) {}

Result<std::unique_ptr<BackgroundThread>> BackgroundThread::start(
    std::function<void(const Bell&)> work) {
  Fd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell.is_open()) return std::unexpected(failure(errno, "eventfd", "start a thread"));
  std::unique_ptr<BackgroundThread> made(new BackgroundThread(std::move(work), std::move(bell)));
  // A thread begins with its maker's mask, and a signal of the program's is not for us to take.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const int refused = ::pthread_create(&made->thread_, nullptr, run, made.get());
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (refused != 0) {
    Error error = failure(refused, "pthread_create", "start a thread");
    if (refused == EAGAIN) error.code = Errc::limit_reached;
    return std::unexpected(std::move(error));
  }
  made->is_started_ = true;
  return made;
}

void* BackgroundThread::run(void* self) {
  auto* const thread = static_cast<BackgroundThread*>(self);
  ::pthread_setname_np(::pthread_self(), "signalbox");
  thread->work_(thread->bell_);
  return nullptr;
}

BackgroundThread::~BackgroundThread() {
  if (!is_started_ || generation_ != fork_generation()) return;
  wake();
  ::pthread_join(thread_, nullptr);
}

void BackgroundThread::wake() const noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(::write(bell_.fd.get(), &one, sizeof(one)));
}

}  // namespace signalbox::os
