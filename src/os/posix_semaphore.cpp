#include "signalbox/os/posix_semaphore.hpp"

#include <fcntl.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "os/failure.hpp"
#include "os/kernel_setting.hpp"
#include "os/monotonic.hpp"
#include "os/placed_object.hpp"
#include "os/posix_name.hpp"
#include "signalbox/os/fd.hpp"

namespace signalbox::os {

namespace {

static_assert(SEM_VALUE_MAX == 2147483647, "the card says so");

sem_t* sem(void* native) noexcept { return static_cast<sem_t*>(native); }

Error use_error(int sys_errno, std::string_view call) noexcept {
  return signalbox::detail::explained(code_of(sys_errno), [&] {
    std::string tried =
        sys_errno == EOVERFLOW ? "give a unit to a semaphore" : "take a unit of a semaphore";
    switch (sys_errno) {
      case ETIMEDOUT:
        return failure(sys_errno, call, std::move(tried), Errc::timed_out,
                       "The deadline passed and nobody had given one; the count is unchanged.");
      case EINTR:
        return failure(sys_errno, call, std::move(tried), Errc::interrupted,
                       "A signal handler ran and the caller asked to be told; nothing changed.");
      case EOVERFLOW:
        return failure(sys_errno, call, std::move(tried), Errc::out_of_range,
                       "It stands at 2147483647 (SEM_VALUE_MAX): more is given than taken.");
      default:
        return failure(sys_errno, call, std::move(tried));
    }
  });
}

constexpr std::string_view kNames =
    "A name is a slash and 1 to 251 bytes without another, such as \"/printer\".";

// Refused before the C library sees it, which takes some of these for other names.
Error bad_name_error(std::string_view verb, const std::string& name) noexcept {
  return signalbox::detail::explained(Errc::bad_name, [&] {
    return Error{
        Errc::bad_name,
        EINVAL,
        {},
        "cannot " + std::string(verb) + " semaphore \"" + name + "\": " + std::string(kNames)};
  });
}

Error name_error(int sys_errno, std::string_view call, std::string tried, const std::string& name,
                 std::uint32_t initial) {
  // Of a long name the C library says one or the other, according to its version.
  if (sys_errno == ENAMETOOLONG || (sys_errno == EINVAL && name.size() > 251)) {
    return failure(sys_errno, call, std::move(tried), Errc::bad_name, kNames);
  }
  switch (sys_errno) {
    case EINVAL:
      return failure(sys_errno, call, std::move(tried),
                     initial > SEM_VALUE_MAX ? Errc::out_of_range : Errc::damaged,
                     initial > SEM_VALUE_MAX
                         ? "Its count is to begin above 2147483647 (SEM_VALUE_MAX)."
                         : "Its file in /dev/shm is no semaphore: unlink it and create it anew.");
    case ENOENT:
      return failure(sys_errno, call, std::move(tried), Errc::not_found,
                     "Nobody has created it, or it was unlinked: `ls /dev/shm/sem.*` lists them.");
    case EEXIST:
      return failure(sys_errno, call, std::move(tried), Errc::already_exists,
                     "Open it instead, or unlink it first.");
    case EACCES:
    case EPERM:
      return failure(sys_errno, call, std::move(tried), Errc::permission_denied,
                     "Its owner has not given you the rights to read and write its file in "
                     "/dev/shm; only the owner may unlink it.");
    case ENOSPC:
      return failure(sys_errno, call, std::move(tried), Errc::no_space,
                     "/dev/shm is full: see `df -h /dev/shm` and `df -i /dev/shm`, remove files "
                     "there, or remount it larger.");
    default:
      return failure(sys_errno, call, std::move(tried));
  }
}

Error open_error(int sys_errno, const std::string& name, std::uint32_t initial = 0) noexcept {
  return signalbox::detail::explained(code_of(sys_errno), [&] {
    return name_error(sys_errno, "sem_open", "open semaphore " + name, name, initial);
  });
}

// sem_open() lets the umask take rights away and keeps the descriptor to itself. The name is new
// and ours: nobody else may remove or replace it in a sticky directory. The errno of what went
// wrong, or 0; also where the file has gone, or is another by now, because we did that ourselves.
int set_exact_mode(const std::string& name, std::uint32_t mode) {
  const std::string path = "/dev/shm/sem." + name.substr(1);
  const Fd file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!file.is_open()) return errno == ENOENT ? 0 : errno;
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0) return errno;
  if (!S_ISREG(facts.st_mode) || facts.st_uid != ::geteuid() ||
      (facts.st_mode & 0777U) == (mode & 0777U)) {
    return 0;
  }
  const std::string by_descriptor = "/proc/self/fd/" + std::to_string(file.get());
  return ::chmod(by_descriptor.c_str(), mode & 0777U) == 0 ? 0 : errno;
}

}  // namespace

Result<void> PosixSemaphore::wait_slowly(Deadline deadline, OnSignal on_signal) {
  if (native_ == nullptr) return std::unexpected(object_closed_error(Placed::semaphore));
  const timespec until = absolute(deadline);
  for (;;) {
    const bool forever = deadline.is_never();
    const int answer =
        forever ? ::sem_wait(sem(native_)) : ::sem_clockwait(sem(native_), CLOCK_MONOTONIC, &until);
    if (answer == 0) return {};
    if (errno == EINTR && on_signal == OnSignal::go_on) continue;
    return std::unexpected(use_error(errno, forever ? "sem_wait" : "sem_clockwait"));
  }
}

Result<bool> PosixSemaphore::try_wait() {
  if (native_ == nullptr) return std::unexpected(object_closed_error(Placed::semaphore));
  for (;;) {
    if (::sem_trywait(sem(native_)) == 0) return true;
    if (errno == EAGAIN) return false;
    if (errno != EINTR) return std::unexpected(use_error(errno, "sem_trywait"));
  }
}

Result<void> PosixSemaphore::not_posted() const {
  const int refused = errno;
  if (native_ == nullptr) return std::unexpected(object_closed_error(Placed::semaphore));
  return std::unexpected(use_error(refused, "sem_post"));
}

Result<std::int32_t> PosixSemaphore::value() const {
  if (native_ == nullptr) return std::unexpected(object_closed_error(Placed::semaphore));
  int count = 0;
  if (::sem_getvalue(sem(native_), &count) == 0) return count;
  return std::unexpected(use_error(errno, "sem_getvalue"));
}

Result<NamedSemaphore> NamedSemaphore::create(const std::string& name, std::uint32_t initial,
                                              NamedSemaphoreOptions options) {
  return signalbox::detail::or_out_of_memory([&]() -> Result<NamedSemaphore> {
    if (!is_posix_name(name)) return std::unexpected(bad_name_error("open", name));
    sem_t* const made = ::sem_open(name.c_str(), O_CREAT | O_EXCL, options.mode & 0777U, initial);
    if (made == SEM_FAILED) return std::unexpected(open_error(errno, name, initial));
    NamedSemaphore semaphore(made);
    const int refused = set_exact_mode(name, options.mode);
    if (refused == 0) return semaphore;
    ::sem_unlink(name.c_str());
    return std::unexpected(failure(refused, "chmod", "set the mode of semaphore " + name));
  });
}

Result<NamedSemaphore> NamedSemaphore::open(const std::string& name) {
  if (!is_posix_name(name)) return std::unexpected(bad_name_error("open", name));
  sem_t* const found = ::sem_open(name.c_str(), 0);
  if (found == SEM_FAILED) return std::unexpected(open_error(errno, name));
  return NamedSemaphore(found);
}

Result<NamedSemaphore> NamedSemaphore::open_or_create(const std::string& name,
                                                      std::uint32_t initial,
                                                      NamedSemaphoreOptions options) {
  // Not by O_CREAT alone: it does not tell who created it, and only who did sets the mode.
  for (;;) {
    auto opened = open(name);
    if (opened || opened.error().code != Errc::not_found) return opened;
    auto made = create(name, initial, options);
    if (made || made.error().code != Errc::already_exists) return made;
  }
}

Result<void> NamedSemaphore::unlink(const std::string& name) {
  if (!is_posix_name(name)) return std::unexpected(bad_name_error("unlink", name));
  if (::sem_unlink(name.c_str()) == 0) return {};
  const int sys_errno = errno;
  return std::unexpected(signalbox::detail::explained(code_of(sys_errno), [&] {
    return name_error(sys_errno, "sem_unlink", "unlink semaphore " + name, name, 0);
  }));
}

NamedSemaphore::~NamedSemaphore() {
  if (native_ != nullptr) ::sem_close(sem(native_));
}

Result<PlacedSemaphore> PlacedSemaphore::create(Memory& memory, std::uint32_t initial) {
  auto made = place<sem_t>(memory, Placed::semaphore, "sem_init", [&](sem_t* native) {
    return ::sem_init(native, 1, initial) == 0 ? 0 : errno;
  });
  if (made) return PlacedSemaphore(memory, *made);
  if (made.error().sys_errno == EINVAL) made.error().code = Errc::out_of_range;
  return std::unexpected(std::move(made.error()));
}

Result<PlacedSemaphore> PlacedSemaphore::open(Memory& memory) {
  auto found = find_placed<sem_t>(memory, Placed::semaphore);
  if (!found) return std::unexpected(std::move(found.error()));
  return PlacedSemaphore(memory, *found);
}

Result<void> PlacedSemaphore::destroy() {
  if (native_ == nullptr) return std::unexpected(object_closed_error(Placed::semaphore));
  if (::sem_destroy(sem(native_)) != 0) {
    return std::unexpected(placed_failure(errno, "sem_destroy", Placed::semaphore));
  }
  native_ = nullptr;
  mark_empty(*memory_);
  return {};
}

}  // namespace signalbox::os
