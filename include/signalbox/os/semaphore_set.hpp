// os/semaphore_set.hpp: System V semaphores: several counts changed as one step, or not at all.
//
//   Lives     until remove() or the machine restarts; closing every handle does not delete it
//   Threads   any number at a time; what is to be undone belongs to the process, not to the thread
//   Crash     steps marked undo_on_exit are reverted when the process ends, even by SIGKILL
//   Fork      a child inherits the handle, not what its parent has to undo
//   Limits    /proc/sys/kernel/sem; a count stays within 0 and 32767
//   Pollable  no: in a WaitSet use an event descriptor in its semaphore mode
//   Manual    semget(2) semop(2) semctl(2) sysvipc(7)
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/os/sysv_key.hpp"

namespace signalbox::os {

// One step on one count: below zero takes, above zero gives, zero waits until the count is zero.
struct SemOp {
  std::uint16_t index;
  std::int16_t delta;
  bool undo = false;
  bool is_no_step = false;  // take() or give() of fewer than one unit, which apply() refuses
};

// `count` is 1 to 32767.
constexpr SemOp take(std::uint16_t index, std::int16_t count = 1) noexcept {
  return {.index = index,
          .delta = static_cast<std::int16_t>(-count),
          .undo = false,
          .is_no_step = count < 1};
}
constexpr SemOp give(std::uint16_t index, std::int16_t count = 1) noexcept {
  return {.index = index, .delta = count, .undo = false, .is_no_step = count < 1};
}
constexpr SemOp until_zero(std::uint16_t index) noexcept { return {.index = index, .delta = 0}; }
// The kernel reverts it when this process ends in whatever way. It cuts an undo that would lead
// below zero off at zero, and one above 32767 at 32767.
constexpr SemOp undo_on_exit(SemOp op) noexcept {
  op.undo = true;
  return op;
}

struct SemaphoreSetOptions {
  std::uint32_t mode = 0600;  // no umask applies
};

struct SemaphoreSetFacts {
  int id;
  SysvAccess access;
  std::uint32_t count;          // of semaphores
  std::int64_t last_operation;  // seconds since 1970; 0: none yet
  std::int64_t last_change;     // when it was made, its counts set, or its access changed
};

struct SemaphoreLimits {
  std::uint32_t per_set_max;     // SEMMSL
  std::uint32_t semaphores_max;  // SEMMNS, in the name space
  std::uint32_t operations_max;  // SEMOPM, in one apply()
  std::uint32_t sets_max;        // SEMMNI, in the name space
  std::uint32_t semaphores;      // in use now
  std::uint32_t sets;
};

// Every call enters the kernel once unless it says otherwise. Besides the errors named there is
// permission_denied everywhere, `removed` in every call on a set that is gone, and `closed` in
// every call on an empty handle.
class SemaphoreSet {
 public:
  // Makes a new set with these counts.
  // Errors: already_exists, no_space (sets or semaphores are used up; the text says which),
  // bad_argument (no semaphore, or more than SEMMSL), out_of_range (a count above 32767).
  static Result<SemaphoreSet> create(SysvKey key, std::span<const std::uint16_t> initial,
                                     SemaphoreSetOptions options = {});
  // Opens a set of at least `count` semaphores (0: of any size) once its creator has set its
  // counts, which it has when somebody has used it; create() does so by itself.
  // Errors: not_found, bad_argument (fewer semaphores, negative or private), abandoned (the
  // deadline passed: its creator died before that; open_as_is() and remove() it).
  static Result<SemaphoreSet> open(SysvKey key, std::int32_t count, Deadline deadline);
  // Opens it, or creates it with these counts. Who opens never sees it half made.
  // Errors: those of both but already_exists and not_found.
  static Result<SemaphoreSet> open_or_create(SysvKey key, std::span<const std::uint16_t> initial,
                                             Deadline deadline, SemaphoreSetOptions options = {});
  // Opens what there is, even if nobody has used it yet. Errors: not_found, bad_argument.
  static Result<SemaphoreSet> open_as_is(SysvKey key);
  // The set of this id, for example a private one of one's parent. Error: not_found.
  static Result<SemaphoreSet> attach(int id);

  SemaphoreSet(SemaphoreSet&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  SemaphoreSet& operator=(SemaphoreSet&& other) noexcept {
    id_ = std::exchange(other.id_, -1);
    return *this;
  }
  explicit operator bool() const noexcept { return id_ >= 0; }
  // Valid in every process of the name space until the set is removed, then soon another's.
  int id() const noexcept { return id_; }

  // Performs all operations in order as one step, sleeping until that is possible.
  // Errors: timed_out, interrupted (if so asked), removed, out_of_range (an index, or a count that
  // would leave 0 to 32767), too_large (more than SEMOPM operations), bad_argument (none,
  // or one that takes or gives fewer than one unit), no_space and out_of_memory (for what is to be
  // undone). Whatever the error, nothing changed.
  Result<void> apply(std::span<const SemOp> ops, Deadline deadline,
                     OnSignal on_signal = OnSignal::go_on) {
    long done = kernel::not_made;
    if (ops.size() == 1 && deadline.is_never() && !ops.front().is_no_step) {
      const auto only = kernel_form(ops.front());
      done = kernel::enter(kernel::KernelCall::semop, id_, kernel::address_of(&only), 1);
    }
    if (done == 0) [[likely]]
      return {};
    return apply_after(done, ops, deadline, on_signal);
  }
  Result<void> apply(std::initializer_list<SemOp> ops, Deadline deadline,
                     OnSignal on_signal = OnSignal::go_on) {
    return apply(std::span(ops.begin(), ops.size()), deadline, on_signal);
  }
  // As apply, but never sleeps. False: it would have had to, and nothing was changed.
  Result<bool> try_apply(std::span<const SemOp> ops);
  Result<bool> try_apply(std::initializer_list<SemOp> ops) {
    return try_apply(std::span(ops.begin(), ops.size()));
  }

  // Every sleeper wakes with `removed`, and every later call answers it.
  Result<void> remove();

  // What the counts are. Errors of all that take an index: out_of_range.
  Result<std::uint16_t> value(std::uint16_t index) const;
  Result<std::vector<std::uint16_t>> values() const;  // all at one instant; two calls
  // The process that last changed this count, by apply() or by setting it; 0: none yet, or it is
  // not visible in this pid name space.
  Result<std::uint32_t> last_pid(std::uint16_t index) const;
  // How many sleep until this count grows, and until it is zero.
  Result<std::uint32_t> waiting_to_take(std::uint16_t index) const;
  Result<std::uint32_t> waiting_for_zero(std::uint16_t index) const;
  Result<SemaphoreSetFacts> facts() const;

  // Sets counts whatever they are, wakes whom that lets go on, and makes the kernel forget what any
  // process had to undo on them. Errors: out_of_range (index, or value not within 0 and 32767),
  // bad_argument (not one value for each semaphore). set_values() needs two calls.
  Result<void> set_value(std::uint16_t index, std::int32_t value);
  Result<void> set_values(std::span<const std::uint16_t> values);
  // Changes who may use it; for its owner and creator. Two calls.
  Result<void> set_mode(std::uint32_t mode);

 private:
  friend class SemaphoreGuard;
  explicit SemaphoreSet(int id) noexcept : id_(id) {}
  static constexpr kernel::SetOperation kernel_form(SemOp op) noexcept {
    constexpr std::int16_t undo = 0x1000;  // SEM_UNDO
    return {op.index, op.delta, op.undo ? undo : std::int16_t{0}};
  }
  // What is left to do after a call that was refused with this negated errno, or not made.
  [[gnu::cold]] Result<void> apply_after(long refused, std::span<const SemOp> ops,
                                         Deadline deadline, OnSignal on_signal);
  int id_;
};

// All sets of this name space, also those of others, and the limits with what is in use. These
// are a look at the machine: one call for each set.
Result<std::vector<SemaphoreSetFacts>> list_semaphore_sets();
Result<SemaphoreLimits> semaphore_limits();

}  // namespace signalbox::os
