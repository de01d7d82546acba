// event_descriptor.hpp: one pollable descriptor fed by a named pipe and by the deaths of processes.
//
//   Threads  one thread at a time
//   Crash    the pipe's name stays until the reaper removes it
//   Fork     a child must not use it
//   Limits   one descriptor for the pipe, one for the whole, one for each watched process
#pragma once

#include <cstdint>
#include <string>

#include "os/file.hpp"

namespace signalbox::os {

// The readable side: a subscriber's.
class EventDescriptor {
 public:
  EventDescriptor() = default;
  // Creates the named pipe and opens it. Nothing is readable yet.
  static Result<EventDescriptor> create(const Fd& directory, const std::string& fifo_name,
                                        const Rights& rights);
  bool is_open() const noexcept { return epoll_.is_open(); }
  // The descriptor for poll: readable after a signal or when a watched process died.
  int get() const noexcept { return epoll_.get(); }
  // Makes the descriptor readable once that process is dead.
  Result<void> watch_process(const Fd& pidfd);
  // Makes the descriptor readable ten times a second, for deaths that no pidfd can tell.
  Result<void> watch_clock();
  enum class Fired {
    nothing,
    rung,   // somebody sent a signal, and that is all
    other,  // the timer, or a watched process died
  };
  // What was readable? Drains the pipe and the timer; dead processes stay readable until their
  // pidfd is closed. `rung` says nothing about them: they keep the descriptor readable.
  Fired drain() noexcept;
  // Makes the descriptor readable from its own side.
  void signal_self() noexcept;

 private:
  static Result<EventDescriptor> open_over_new_fifo(const Fd& directory,
                                                    const std::string& fifo_name,
                                                    const Rights& rights);
  Fd epoll_;
  Fd fifo_;
  Fd timer_;
  std::uint32_t signals_ = 0;  // times that drain() found one
};

// The writing side: a publisher's view of one subscriber's pipe. Opened for reading too, so that a
// dead reader is silence and never SIGPIPE.
Result<Fd> open_signal(const Fd& directory, const std::string& fifo_name);
// A full pipe is fine: it is readable then.
void send_signal(const Fd& fifo) noexcept;

// Is the descriptor readable right now?
bool is_readable(const Fd& fd) noexcept;

}  // namespace signalbox::os
