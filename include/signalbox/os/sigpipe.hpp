// os/sigpipe.hpp: writes to a pipe or socket that nobody reads any more answer EPIPE, and kill
// nobody.
//
// By default the kernel ends a process that writes to a pipe whose readers are gone. Ignoring the
// signal for the whole process would change the application, and what its children inherit; this
// holds it back in one thread and in one scope only, and takes away what the scope has caused.
//
//   Lives     for a scope
//   Threads   holds SIGPIPE back in the thread that made it, which must also destroy it
//   Crash     nothing to lose
//   Fork      a child made in the scope inherits the blocked signal, also through exec
//   Limits    none
//   Pollable  no: it is a state of the thread
//   Manual    signal(7) pipe(7) pthread_sigmask(3)
#pragma once

namespace signalbox::os {

// Enters the kernel twice at its beginning and, where the thread did not block SIGPIPE already,
// three times at its end: hold one around many writes rather than around each.
class SigpipeBlock {
 public:
  SigpipeBlock() noexcept;
  // A SIGPIPE that this thread's own writes have caused is taken away. One that another process
  // sent, or somebody to this very thread, or that was pending before, is delivered as if this had
  // never been.
  ~SigpipeBlock();
  SigpipeBlock(const SigpipeBlock&) = delete;
  SigpipeBlock& operator=(const SigpipeBlock&) = delete;

 private:
  bool was_blocked_;
  bool was_pending_;
};

}  // namespace signalbox::os
