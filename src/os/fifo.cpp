#include "signalbox/os/fifo.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "os/failure.hpp"
#include "os/readiness.hpp"

namespace signalbox::os {

namespace {

constexpr std::chrono::milliseconds kLookEvery{100};

Error not_done(int refused, std::string_view call, const std::string& tried) {
  switch (refused) {
    case ENXIO:
      return failure(refused, call, tried, Errc::would_block,
                     "Nobody has it open for reading: start the reader first, or wait for it with "
                     "open_writer().");
    case EACCES:
    case EPERM:
      return failure(refused, call, tried, Errc::permission_denied,
                     "Its mode (ls -l) or that of its directory does not let this user.");
    case ENOENT:
    case ENOTDIR:
      return failure(refused, call, tried, Errc::not_found,
                     "There is no such name: Fifo::create() makes it.");
    case EEXIST:
      return failure(refused, call, tried, Errc::already_exists,
                     "Something has that name already.");
    case ENAMETOOLONG:
      return failure(refused, call, tried, Errc::bad_name,
                     "A path has at most 4095 bytes, each part of it 255.");
    case ENOSPC:
    case EDQUOT:
      return failure(refused, call, tried, Errc::no_space,
                     "The file system has no inode left: see df -i.");
    default:
      return failure(refused, call, tried);
  }
}

Error no_fifo(const std::string& path) {
  return {Errc::bad_argument, 0, {}, "cannot use " + path + " as a FIFO: it is another file."};
}

Result<Fd> open_end(const std::string& path, int access, const char* purpose) {
  if (holds_zero(path)) return std::unexpected(zero_inside(Errc::bad_name, "open FIFO", path));
  Fd end(retried([&] { return ::open(path.c_str(), access | O_NONBLOCK | O_CLOEXEC); }));
  if (!end.is_open()) {
    return std::unexpected(not_done(errno, "open", "open FIFO " + path + " for " + purpose));
  }
  struct stat st{};
  if (::fstat(end.get(), &st) != 0 || !S_ISFIFO(st.st_mode)) return std::unexpected(no_fifo(path));
  return end;
}

// Readable when somebody opens the file, or changes or removes it.
Result<Fd> watch_openings(const std::string& path) {
  Fd watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!watch.is_open()) {
    return std::unexpected(failure(errno, "inotify_init1", "wait for a reader of FIFO " + path,
                                   code_of(errno),
                                   "See /proc/sys/fs/inotify/max_user_instances, and ulimit -n."));
  }
  if (::inotify_add_watch(watch.get(), path.c_str(), IN_OPEN | IN_ATTRIB | IN_DELETE_SELF) < 0) {
    return std::unexpected(
        not_done(errno, "inotify_add_watch", "wait for a reader of FIFO " + path));
  }
  return watch;
}

void drain(const Fd& watch) noexcept {
  alignas(inotify_event) char events[1024];
  while (::read(watch.get(), events, sizeof(events)) > 0) {
  }
}

}  // namespace

Result<void> Fifo::create(const std::string& path, unsigned mode) {
  if (holds_zero(path)) return std::unexpected(zero_inside(Errc::bad_name, "make FIFO", path));
  if (::mkfifo(path.c_str(), mode) != 0) {
    return std::unexpected(not_done(errno, "mkfifo", "make FIFO " + path));
  }
  // mkfifo obeys the umask; the mode we promise does not.
  if (::chmod(path.c_str(), mode) == 0) return {};
  const int refused = errno;
  ::unlink(path.c_str());
  return std::unexpected(not_done(refused, "chmod", "set the mode of FIFO " + path));
}

// Linux lets one descriptor be both ends: the reader is its own last writer.
Result<PipeReader> Fifo::try_open_reader(const std::string& path, const ReadOptions& options) {
  auto end = open_end(path, options.outlives_writers ? O_RDWR : O_RDONLY, "reading");
  if (!end) return std::unexpected(std::move(end.error()));
  return PipeReader(std::move(*end));
}

// A reader that was opened before any writer is not told "hung up" until one has come.
Result<PipeReader> Fifo::open_reader(const std::string& path, Deadline deadline,
                                     OnSignal on_signal) {
  auto reader = try_open_reader(path);
  if (!reader) return reader;
  const Readiness end = wait_until_ready(reader->fd().get(), POLLIN, deadline, on_signal);
  if (end == Readiness::ready) return reader;
  return std::unexpected(ended_wait(end, "open", "wait for a writer of FIFO " + path));
}

Result<PipeWriter> Fifo::try_open_writer(const std::string& path) {
  auto end = open_end(path, O_WRONLY, "writing");
  if (!end) return std::unexpected(std::move(end.error()));
  return PipeWriter(std::move(*end));
}

Result<PipeWriter> Fifo::open_writer(const std::string& path, Deadline deadline,
                                     OnSignal on_signal) {
  const auto is_over = [](const Result<PipeWriter>& opened) {
    return opened || opened.error().code != Errc::would_block;
  };
  auto opened = try_open_writer(path);
  if (is_over(opened)) return opened;
  const auto watch = watch_openings(path);
  if (!watch) return std::unexpected(watch.error());
  for (;;) {
    opened = try_open_writer(path);  // after the watch began: whoever came before is found here
    if (is_over(opened)) return opened;
    const Deadline until = std::min(deadline, Deadline::after(kLookEvery));
    const Readiness end = wait_until_ready(watch->get(), POLLIN, until, on_signal);
    if (end == Readiness::ready || (end == Readiness::timed_out && !deadline.passed())) {
      drain(*watch);
      continue;
    }
    return std::unexpected(ended_wait(end, "open", "wait for a reader of FIFO " + path));
  }
}

Result<void> Fifo::unlink(const std::string& path) {
  if (holds_zero(path)) return std::unexpected(zero_inside(Errc::bad_name, "remove FIFO", path));
  struct stat st{};
  if (::lstat(path.c_str(), &st) == 0 && !S_ISFIFO(st.st_mode)) {
    return std::unexpected(no_fifo(path));
  }
  if (::unlink(path.c_str()) == 0) return {};
  return std::unexpected(not_done(errno, "unlink", "remove FIFO " + path));
}

}  // namespace signalbox::os
