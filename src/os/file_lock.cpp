#include "signalbox/os/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string_view>

#include "os/failure.hpp"
#include "os/process.hpp"

namespace signalbox::os {

namespace {

using signalbox::detail::or_out_of_memory;

struct flock record_of(short type, const ByteRange& range) noexcept {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(range.begin);
  lock.l_len = static_cast<off_t>(range.bytes);
  return lock;
}

short type_of(LockKind kind) noexcept { return kind == LockKind::shared ? F_RDLCK : F_WRLCK; }

static_assert(F_RDLCK == static_cast<int>(kernel::LockChange::shared) &&
              F_WRLCK == static_cast<int>(kernel::LockChange::exclusive) &&
              F_UNLCK == static_cast<int>(kernel::LockChange::none));
static_assert((LOCK_SH | LOCK_NB) == 5 && (LOCK_EX | LOCK_NB) == 6 && LOCK_UN == 8);

enum class Patience { none, endless };

std::string_view call_of(LockOwner owner, Patience patience) noexcept {
  const bool waits = patience == Patience::endless;
  switch (owner) {
    case LockOwner::open_file:
      return waits ? "fcntl(F_OFD_SETLKW)" : "fcntl(F_OFD_SETLK)";
    case LockOwner::process:
      return waits ? "fcntl(F_SETLKW)" : "fcntl(F_SETLK)";
    case LockOwner::flock:
      break;
  }
  return "flock";
}

// Sleeps until it can be had. Answers as the kernel does.
int ask_for(int file, LockKind kind, const LockOptions& options) noexcept {
  if (options.owner == LockOwner::flock) {
    if (options.range != ByteRange{}) {
      errno = EINVAL;
      return -1;
    }
    return ::flock(file, kind == LockKind::shared ? LOCK_SH : LOCK_EX);
  }
  struct flock lock = record_of(type_of(kind), options.range);
  return ::fcntl(file, options.owner == LockOwner::process ? F_SETLKW : F_OFD_SETLKW, &lock);
}

bool is_in_the_way(int refused) noexcept { return refused == EAGAIN || refused == EACCES; }

std::string text_of(LockKind kind, const LockOptions& options) {
  std::string text = kind == LockKind::shared ? "take a shared" : "take an exclusive";
  text += options.owner == LockOwner::flock ? " flock on a file" : " lock on a file";
  if (options.range != ByteRange{}) {
    text += ", from byte " + std::to_string(options.range.begin);
    if (options.range.bytes != 0) text += ", of " + std::to_string(options.range.bytes) + " bytes";
  }
  return text;
}

[[gnu::cold]] Error refusal(int refused, std::string_view call, LockKind kind,
                            const LockOptions& options) {
  std::string tried = text_of(kind, options);
  switch (refused) {
    case EBADF:
      return failure(refused, call, std::move(tried), Errc::bad_argument,
                     "A shared lock needs a file that is open for reading, an exclusive one for "
                     "writing.");
    case EINVAL:
    case EOVERFLOW:
      return failure(refused, call, std::move(tried), Errc::bad_argument,
                     "The range must end below 2^63; flock takes the whole file only.");
    case ENOLCK:
      return failure(refused, call, std::move(tried), Errc::limit_reached,
                     "The machine has no memory for another lock, or the file's server has none: "
                     "see /proc/locks.");
    case EDEADLK:
      return failure(refused, call, std::move(tried), Errc::would_deadlock,
                     "Its holder waits for a lock of this process: release yours first, or take "
                     "locks in the same order everywhere.");
    default:
      return failure(refused, call, std::move(tried));
  }
}

Error given_up(Errc code, int like, LockKind kind, const LockOptions& options) {
  const char* const why = code == Errc::timed_out ? ": somebody held it until the deadline."
                          : code == Errc::interrupted
                              ? ": a signal handler ran, and the wait was to end then."
                              : ": somebody else holds it.";
  return {code, like, call_of(options.owner, Patience::none),
          "cannot " + text_of(kind, options) + why};
}

Result<bool> try_number(int file, LockKind kind, const LockOptions& options) {
  const long answer = kernel::try_once(file, kind, options);
  if (answer == 0) return true;
  return kernel::try_lock_after(answer, file, kind, options);
}

// ---- the sleep between two looks
// ------------------------------------------------------------------

constexpr std::int64_t first_nap_ns = 100'000;
constexpr std::int64_t longest_nap_ns = 10'000'000;

// False: a signal handler ran.
bool nap_until(std::int64_t ns) noexcept {
  const timespec until{.tv_sec = static_cast<time_t>(ns / 1'000'000'000),
                       .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
  return ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == 0;
}

Result<void> lock_until(int file, LockKind kind, const LockOptions& options, Deadline deadline,
                        OnSignal on_signal) {
  for (std::int64_t nap_ns = first_nap_ns;; nap_ns = std::min(2 * nap_ns, longest_nap_ns)) {
    const auto taken = try_number(file, kind, options);
    if (!taken) return std::unexpected(taken.error());
    if (*taken) return {};
    const std::int64_t now = monotonic_now_ns();
    if (now >= deadline.monotonic_ns()) {
      return std::unexpected(given_up(Errc::timed_out, ETIMEDOUT, kind, options));
    }
    const bool slept = nap_until(std::min(now + nap_ns, deadline.monotonic_ns()));
    if (!slept && on_signal == OnSignal::give_up) {
      return std::unexpected(given_up(Errc::interrupted, EINTR, kind, options));
    }
  }
}

Result<void> lock_number(int file, LockKind kind, const LockOptions& options, Deadline deadline,
                         OnSignal on_signal) {
  if (!deadline.is_never()) {
    return or_out_of_memory([&] { return lock_until(file, kind, options, deadline, on_signal); });
  }
  for (;;) {
    if (ask_for(file, kind, options) == 0) return {};
    const int refused = errno;
    if (refused == EINTR && on_signal == OnSignal::go_on) continue;
    return or_out_of_memory([&]() -> Result<void> {
      if (refused == EINTR) {
        return std::unexpected(given_up(Errc::interrupted, EINTR, kind, options));
      }
      return std::unexpected(
          refusal(refused, call_of(options.owner, Patience::endless), kind, options));
    });
  }
}

// ---- who holds a flock
// ----------------------------------------------------------------------------

// Lines look like "1: FLOCK  ADVISORY  WRITE 1234 00:1a:5678 0 EOF"; those of waiters have an
// arrow.
Result<std::optional<LockHolder>> flock_holder(const Fd& file, LockKind kind) {
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0) {
    return std::unexpected(failure(errno, "fstat", "ask who holds a flock"));
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> locks(std::fopen("/proc/locks", "re"),
                                                              std::fclose);
  if (!locks) return std::unexpected(failure(errno, "open", "read /proc/locks"));
  char line[256];
  while (std::fgets(line, sizeof(line), locks.get()) != nullptr) {
    char type[8];
    int pid = 0;
    unsigned major_number = 0;
    unsigned minor_number = 0;
    std::uint64_t inode = 0;
    if (std::sscanf(line, "%*u: FLOCK %*s %7s %d %x:%x:%" SCNu64, type, &pid, &major_number,
                    &minor_number, &inode) != 5) {
      continue;
    }
    const bool is_ours = inode == facts.st_ino && major_number == major(facts.st_dev) &&
                         minor_number == minor(facts.st_dev);
    const bool is_write = std::string_view(type) == "WRITE";
    if (!is_ours || (!is_write && kind == LockKind::shared)) continue;
    return LockHolder{is_write ? LockKind::exclusive : LockKind::shared, {}, std::max(pid, 0)};
  }
  return std::nullopt;
}

}  // namespace

Result<void> lock(const Fd& file, LockKind kind, const LockOptions& options, Deadline deadline,
                  OnSignal on_signal) {
  return lock_number(file.get(), kind, options, deadline, on_signal);
}

void kernel::unlock_again(int file, const LockOptions& options) noexcept {
  while (change_record_lock(file, LockChange::none, options) == -EINTR) {
  }
}

Result<bool> kernel::try_lock_after(long refused, int file, LockKind kind,
                                    const LockOptions& options) {
  while (refused == -EINTR) refused = try_once(file, kind, options);
  if (refused == 0) return true;
  const int like = static_cast<int>(-refused);
  if (is_in_the_way(like)) return false;
  return or_out_of_memory([&]() -> Result<bool> {
    return std::unexpected(refusal(like, call_of(options.owner, Patience::none), kind, options));
  });
}

Result<std::optional<LockHolder>> holder_of(const Fd& file, LockKind kind,
                                            const LockOptions& options) {
  return or_out_of_memory([&]() -> Result<std::optional<LockHolder>> {
    if (options.owner == LockOwner::flock) return flock_holder(file, kind);
    const bool is_of_process = options.owner == LockOwner::process;
    struct flock lock = record_of(type_of(kind), options.range);
    const int question = is_of_process ? F_GETLK : F_OFD_GETLK;
    if (retried([&] { return ::fcntl(file.get(), question, &lock); }) != 0) {
      return std::unexpected(
          refusal(errno, is_of_process ? "fcntl(F_GETLK)" : "fcntl(F_OFD_GETLK)", kind, options));
    }
    if (lock.l_type == F_UNLCK) return std::nullopt;
    return LockHolder{lock.l_type == F_RDLCK ? LockKind::shared : LockKind::exclusive,
                      {.begin = static_cast<std::uint64_t>(lock.l_start),
                       .bytes = static_cast<std::uint64_t>(lock.l_len)},
                      std::max<int>(lock.l_pid, 0)};
  });
}

Result<bool> is_exclusively_locked(const Fd& file) {
  struct flock lock = record_of(F_RDLCK, {});
  if (retried([&] { return ::fcntl(file.get(), F_OFD_GETLK, &lock); }) != 0) {
    return std::unexpected(failure(errno, "fcntl(F_OFD_GETLK)", "ask for a file's lock"));
  }
  return lock.l_type != F_UNLCK;
}

// ---- held for a scope
// -----------------------------------------------------------------------------

FileLock::FileLock(const Fd& file, LockKind kind, const LockOptions& options) noexcept
    : file_(file.get()), options_(options), kind_(kind), generation_(fork_generation()) {}

Result<FileLock> FileLock::take(const Fd& file, LockKind kind, const LockOptions& options,
                                Deadline deadline, OnSignal on_signal) {
  if (auto taken = lock(file, kind, options, deadline, on_signal); !taken) {
    return std::unexpected(std::move(taken.error()));
  }
  return FileLock(file, kind, options);
}

Result<FileLock> FileLock::try_take(const Fd& file, LockKind kind, const LockOptions& options) {
  auto taken = try_lock(file, kind, options);
  if (!taken) return std::unexpected(std::move(taken.error()));
  if (*taken) return FileLock(file, kind, options);
  return or_out_of_memory([&]() -> Result<FileLock> {
    return std::unexpected(given_up(Errc::would_block, EAGAIN, kind, options));
  });
}

// A conversion of flock releases first, and takes the old kind back only if nobody was faster.
Result<void> FileLock::after_failure(Error error) {
  if (options_.owner == LockOwner::flock) {
    const auto kept = try_number(file_, kind_, options_);
    if (!kept || !*kept) file_ = -1;
  }
  return std::unexpected(std::move(error));
}

Result<void> FileLock::convert(LockKind kind, Deadline deadline, OnSignal on_signal) {
  if (file_ < 0) return std::unexpected(Error{Errc::bad_argument, 0, {}, "no lock is held"});
  if (auto done = lock_number(file_, kind, options_, deadline, on_signal); !done) {
    return after_failure(std::move(done.error()));
  }
  kind_ = kind;
  return {};
}

Result<void> FileLock::try_convert(LockKind kind) {
  if (file_ < 0) return std::unexpected(Error{Errc::bad_argument, 0, {}, "no lock is held"});
  auto done = try_number(file_, kind, options_);
  if (!done) return after_failure(std::move(done.error()));
  if (!*done) {
    return after_failure(signalbox::detail::explained(
        Errc::would_block, [&] { return given_up(Errc::would_block, EAGAIN, kind, options_); }));
  }
  kind_ = kind;
  return {};
}

void FileLock::release() noexcept {
  const int file = std::exchange(file_, -1);
  if (file < 0 || generation_ != fork_generation()) return;
  kernel::drop_lock(file, options_);
}

}  // namespace signalbox::os
