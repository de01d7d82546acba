#include "signalbox/os/semaphore_set.hpp"

#include <sys/sem.h>

#include <array>
#include <cerrno>
#include <memory>
#include <new>

#include "os/failure.hpp"
#include "os/monotonic.hpp"
#include "os/semaphore_set_error.hpp"

namespace signalbox::os {

namespace {

// semctl() takes this through its dots; no header declares it.
union SemctlArgument {
  int value;
  void* other;
};

// Operations in the kernel's form. Few lie here; more than any kernel takes unless it was told to
// lie on the heap.
class KernelOps {
 public:
  KernelOps(std::span<const SemOp> ops, short flags) noexcept {
    if (ops.size() > std::size(few_)) {
      many_.reset(new (std::nothrow) sembuf[ops.size()]);
      at_ = many_.get();
      if (at_ == nullptr) return;
    }
    sembuf* to = at_;
    for (const SemOp& op : ops) {
      has_no_step_ |= op.is_no_step;
      const short undo = op.undo ? SEM_UNDO : 0;
      *to++ = {
          .sem_num = op.index, .sem_op = op.delta, .sem_flg = static_cast<short>(flags | undo)};
    }
  }
  sembuf* data() noexcept { return at_; }  // null: no memory
  bool has_no_step() const noexcept { return has_no_step_; }

 private:
  bool has_no_step_ = false;
  sembuf few_[512];  // filled in only as far as it is used
  std::unique_ptr<sembuf[]> many_;
  sembuf* at_ = few_;
};

Result<void> set_counts(int id, std::span<const std::uint16_t> counts) {
  if (::semctl(id, 0, SETALL, counts.data()) == 0) return {};
  return std::unexpected(set_control_error(errno, {.id = id, .tried = "set the counts"}));
}

Result<void> change_mode(int id, std::uint32_t mode) {
  semid_ds facts{};
  if (::semctl(id, 0, IPC_STAT, &facts) == 0) {
    facts.sem_perm.mode = static_cast<decltype(facts.sem_perm.mode)>(mode & 0777U);
    if (::semctl(id, 0, IPC_SET, &facts) == 0) return {};
  }
  return std::unexpected(set_control_error(errno, {.id = id, .tried = "change the mode"}));
}

// The first operation ever on a set leaves its time there, which tells who opens it that the counts
// are set. This one changes no count: nobody but its creator uses the set yet.
Result<void> say_that_it_is_ready(int id, std::uint16_t first_count) {
  const std::array down_and_up{sembuf{0, -1, IPC_NOWAIT}, sembuf{0, 1, IPC_NOWAIT}};
  std::array ops = down_and_up;
  if (first_count == 0) ops[0].sem_op = 0;
  if (::semop(id, ops.data(), first_count == 0 ? 1 : 2) == 0) return {};
  return std::unexpected(set_operation_error(errno, id, {}));
}

// A set whose owner may not use it could not be made ready, so it gets its mode last.
Result<void> fill_in(int id, std::span<const std::uint16_t> counts, std::uint32_t mode) {
  auto done = set_counts(id, counts);
  if (done) done = say_that_it_is_ready(id, counts.front());
  if (done && (mode & 0600U) != 0600U) done = change_mode(id, mode);
  return done;
}

// Has anybody used it? Where it cannot be told because somebody removed it, errno says so.
enum class Readiness { ready, not_yet, unknown };
Readiness readiness_of(int id) noexcept {
  semid_ds facts{};
  if (::semctl(id, 0, IPC_STAT, &facts) != 0) return Readiness::unknown;
  return facts.sem_otime != 0 ? Readiness::ready : Readiness::not_yet;
}

Result<void> wait_until_ready(int id, Deadline deadline) {
  // The kernel lets nobody sleep on this; it lasts as long as two calls of the creator.
  Backoff backoff;
  for (;;) {
    const Readiness now = readiness_of(id);
    if (now == Readiness::ready) return {};
    if (now == Readiness::unknown) {
      return std::unexpected(
          set_control_error(errno, {.id = id, .tried = "learn the last operation"}));
    }
    if (deadline.passed()) return std::unexpected(set_abandoned_error(id));
    backoff.nap(deadline);
  }
}

Error private_key_error() noexcept {
  return detail::explained(Errc::bad_argument, [] {
    return Error{Errc::bad_argument,
                 0,
                 {},
                 "cannot open a private semaphore set: it has no key. Create it, tell its id() to "
                 "those who share it, and let them attach() to it."};
  });
}

}  // namespace

Result<SemaphoreSet> SemaphoreSet::create(SysvKey key, std::span<const std::uint16_t> initial,
                                          SemaphoreSetOptions options) {
  const auto flags = static_cast<int>(IPC_CREAT | IPC_EXCL | 0600U | (options.mode & 0777U));
  // A size that int cannot hold is as much too large as the largest int.
  const int size = static_cast<int>(std::min<std::size_t>(initial.size(), INT32_MAX));
  const int id = ::semget(key.value(), size, flags);
  if (id < 0) {
    return std::unexpected(set_open_error(errno, key, static_cast<std::int64_t>(initial.size())));
  }
  SemaphoreSet made(id);
  if (auto filled = fill_in(id, initial, options.mode); !filled) {
    ::semctl(id, 0, IPC_RMID);
    return std::unexpected(std::move(filled.error()));
  }
  return made;
}

Result<SemaphoreSet> SemaphoreSet::open(SysvKey key, std::int32_t count, Deadline deadline) {
  if (key.is_private()) return std::unexpected(private_key_error());
  const int id = ::semget(key.value(), count, 0);
  if (id < 0) return std::unexpected(set_open_error(errno, key, count));
  if (auto ready = wait_until_ready(id, deadline); !ready) {
    return std::unexpected(std::move(ready.error()));
  }
  return SemaphoreSet(id);
}

Result<SemaphoreSet> SemaphoreSet::open_or_create(SysvKey key,
                                                  std::span<const std::uint16_t> initial,
                                                  Deadline deadline, SemaphoreSetOptions options) {
  // To open comes first: it is usual, and creating needs a free place even if there is a set.
  for (;;) {
    if (!key.is_private()) {
      auto opened = open(key, static_cast<std::int32_t>(initial.size()), deadline);
      if (opened) return opened;
      const Errc code = opened.error().code;
      if (code != Errc::not_found && code != Errc::removed) return opened;
    }
    auto made = create(key, initial, options);
    if (made || made.error().code != Errc::already_exists) return made;
  }
}

Result<SemaphoreSet> SemaphoreSet::open_as_is(SysvKey key) {
  if (key.is_private()) return std::unexpected(private_key_error());
  const int id = ::semget(key.value(), 0, 0);
  if (id < 0) return std::unexpected(set_open_error(errno, key, 0));
  return SemaphoreSet(id);
}

Result<SemaphoreSet> SemaphoreSet::attach(int id) {
  if (id < 0) return std::unexpected(no_set_error(id));
  semid_ds facts{};
  if (::semctl(id, 0, IPC_STAT, &facts) == 0 || errno == EACCES) return SemaphoreSet(id);
  Error error = set_control_error(errno, {.id = id, .tried = "learn the size"});
  if (error.code == Errc::removed) error.code = Errc::not_found;
  return std::unexpected(std::move(error));
}

Result<void> SemaphoreSet::apply_after(long refused, std::span<const SemOp> ops, Deadline deadline,
                                       OnSignal on_signal) {
  const bool was_made = ops.size() == 1 && deadline.is_never() && !ops.front().is_no_step;
  if (was_made && (refused != -EINTR || on_signal == OnSignal::give_up)) {
    return std::unexpected(set_operation_error(static_cast<int>(-refused), id_, ops));
  }
  KernelOps kernel_ops(ops, 0);
  if (kernel_ops.data() == nullptr) return std::unexpected(detail::out_of_memory());
  if (kernel_ops.has_no_step()) return std::unexpected(no_step_error(id_, ops));
  for (;;) {
    const timespec span = remaining(deadline);
    const timespec* const limit = deadline.is_never() ? nullptr : &span;
    // The kernel knows spans only, and never goes on after a signal by itself.
    if (::semtimedop(id_, kernel_ops.data(), ops.size(), limit) == 0) return {};
    if (errno == EINTR && on_signal == OnSignal::go_on) continue;
    // Older kernels count this span in ticks of their clock.
    if (errno == EAGAIN && !deadline.passed()) continue;
    return std::unexpected(set_operation_error(errno, id_, ops));
  }
}

Result<bool> SemaphoreSet::try_apply(std::span<const SemOp> ops) {
  KernelOps kernel_ops(ops, IPC_NOWAIT);
  if (kernel_ops.data() == nullptr) return std::unexpected(detail::out_of_memory());
  if (kernel_ops.has_no_step()) return std::unexpected(no_step_error(id_, ops));
  if (::semop(id_, kernel_ops.data(), ops.size()) == 0) return true;
  if (errno == EAGAIN) return false;
  Error error = set_operation_error(errno, id_, ops);
  error.call = "semop";
  return std::unexpected(std::move(error));
}

Result<void> SemaphoreSet::remove() {
  if (::semctl(id_, 0, IPC_RMID) == 0) return {};
  return std::unexpected(set_control_error(errno, {.id = id_, .tried = "end the life"}));
}

Result<void> SemaphoreSet::set_value(std::uint16_t index, std::int32_t value) {
  if (::semctl(id_, index, SETVAL, SemctlArgument{.value = value}) == 0) return {};
  return std::unexpected(set_control_error(
      errno, {.id = id_, .tried = "set a count", .index = index, .value = value}));
}

Result<void> SemaphoreSet::set_values(std::span<const std::uint16_t> values) {
  // The kernel reads as many as the set has, whatever it is given.
  semid_ds facts{};
  if (::semctl(id_, 0, IPC_STAT, &facts) != 0) {
    return std::unexpected(set_control_error(errno, {.id = id_, .tried = "learn the size"}));
  }
  if (values.size() != facts.sem_nsems) {
    return std::unexpected(detail::explained(Errc::bad_argument, [&] {
      return Error{Errc::bad_argument,
                   0,
                   {},
                   "cannot set the counts of semaphore set " + std::to_string(id_) + ": it has " +
                       std::to_string(facts.sem_nsems) + " semaphores, and " +
                       std::to_string(values.size()) + " values were given."};
    }));
  }
  return set_counts(id_, values);
}

Result<void> SemaphoreSet::set_mode(std::uint32_t mode) { return change_mode(id_, mode); }

}  // namespace signalbox::os
