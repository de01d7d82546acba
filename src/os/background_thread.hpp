// background_thread.hpp: a thread of ours in a program that is not ours: it takes no signals, can
// be woken, and ends with its handle.
//
//   Threads  wake() from any; all else belongs to one thread at a time
//   Crash    goes with the process
//   Fork     a child has no such thread; its copy of the handle does nothing
//   Limits   RLIMIT_NPROC, cgroup pids.max; one descriptor
#pragma once

#include <pthread.h>

#include <functional>
#include <memory>

#include "os/file.hpp"

namespace signalbox::os {

class BackgroundThread {
 public:
  // What the thread sees of its handle.
  struct Bell {
    Fd fd;  // readable after wake()
    void drain() const noexcept;
  };
  // Runs `work`, which throws nothing and returns soon after it was asked to by its owner's means
  // and a wake(). Errors: limit_reached, out_of_memory, system.
  static Result<std::unique_ptr<BackgroundThread>> start(std::function<void(const Bell&)> work);
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;
  // Waits for the end of `work`.
  ~BackgroundThread();
  void wake() const noexcept;

 private:
  BackgroundThread(std::function<void(const Bell&)> work, Fd bell);
  static void* run(void* self);
  std::function<void(const Bell&)> work_;
  Bell bell_;
  pthread_t thread_{};
  unsigned generation_;
  bool is_started_ = false;
};

}  // namespace signalbox::os
