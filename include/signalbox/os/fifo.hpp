// os/fifo.hpp: a pipe with a name, for processes that are not each other's children.
//
//   Lives     the file until unlink(); the bytes in it only while somebody has it open
//   Threads   the ends as those of os/pipe.hpp
//   Crash     the file stays; the other end finds the end of the file, or `closed`
//   Fork      as os/pipe.hpp
//   Limits    as os/pipe.hpp; whoever may open it at all may read what was meant for another
//   Pollable  yes
//   Manual    fifo(7) mkfifo(3)
#pragma once

#include <string>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/os/pipe.hpp"

namespace signalbox::os {

class Fifo {
 public:
  struct ReadOptions {
    // Keeps an end for writing itself: the reader never finds the end of the file while writers
    // come and go, and a writer that comes while there is none finds a reader. It needs write
    // permission.
    bool outlives_writers = false;
  };

  // Makes the file, with exactly this mode whatever the umask is. Errors: already_exists,
  // not_found (no such directory), permission_denied, no_space, bad_name (too long, or a
  // zero byte), system.
  static Result<void> create(const std::string& path, unsigned mode = 0600);

  // Opens the end for reading at once, also while nobody writes: read() answers 0 then, which
  // cannot be told from the end of the file.
  // Errors: not_found, permission_denied, limit_reached, bad_argument (it is no FIFO), bad_name,
  // system.
  static Result<PipeReader> try_open_reader(const std::string& path, const ReadOptions& options);
  static Result<PipeReader> try_open_reader(const std::string& path) {
    return try_open_reader(path, ReadOptions{});
  }
  // The same, and waits until somebody has written, or has opened it for writing and gone again.
  // Errors besides: timed_out, interrupted.
  static Result<PipeReader> open_reader(const std::string& path, Deadline deadline,
                                        OnSignal on_signal = OnSignal::go_on);

  // Opens the end for writing. Error besides: would_block (ENXIO: nobody has it open for reading).
  static Result<PipeWriter> try_open_writer(const std::string& path);
  // The same, and waits until somebody opens it for reading. Errors besides: timed_out,
  // interrupted. The kernel has no open() with a deadline: this watches the file (inotify), and
  // because the kernel does not tell of one who sleeps in open() himself, it looks ten times a
  // second as well.
  static Result<PipeWriter> open_writer(const std::string& path, Deadline deadline,
                                        OnSignal on_signal = OnSignal::go_on);

  // Removes the file; who has it open goes on. Errors: not_found, permission_denied, bad_argument
  // (it is no FIFO), bad_name.
  static Result<void> unlink(const std::string& path);
};

}  // namespace signalbox::os
