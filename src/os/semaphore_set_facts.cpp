// What a System V semaphore set tells about itself, and the machine about all of them.
#include "signalbox/os/semaphore_set.hpp"

#include <sys/sem.h>

#include <cerrno>

#include "os/failure.hpp"
#include "os/semaphore_set_error.hpp"

namespace signalbox::os {

namespace {

Result<std::uint32_t> ask(int id, std::uint16_t index, int what, std::string_view tried) {
  const int answer = ::semctl(id, index, what);
  if (answer >= 0) return static_cast<std::uint32_t>(answer);
  return std::unexpected(set_control_error(errno, {.id = id, .tried = tried, .index = index}));
}

SemaphoreSetFacts facts_from(int id, const semid_ds& kernel) noexcept {
  return {.id = id,
          .access = {.key = kernel.sem_perm.__key,
                     .owner_uid = kernel.sem_perm.uid,
                     .owner_gid = kernel.sem_perm.gid,
                     .creator_uid = kernel.sem_perm.cuid,
                     .creator_gid = kernel.sem_perm.cgid,
                     .mode = kernel.sem_perm.mode & 0777U},
          .count = static_cast<std::uint32_t>(kernel.sem_nsems),
          .last_operation = kernel.sem_otime,
          .last_change = kernel.sem_ctime};
}

// Everything of the name space. Answers the highest slot in use.
Result<int> machine(int what, seminfo& info) {
  const int highest = ::semctl(0, 0, what, &info);
  if (highest >= 0) return highest;
  return std::unexpected(failure(errno, "semctl", "look at the semaphore sets of this machine"));
}

// Slots are numbered differently from ids, and some are empty.
int slot(int number, semid_ds& facts) noexcept {
#ifdef SEM_STAT_ANY
  const int id = ::semctl(number, 0, SEM_STAT_ANY, &facts);
  if (id >= 0 || errno != EINVAL) return id;
#endif
  // Before Linux 4.17, or empty: shows those only that we may read.
  return ::semctl(number, 0, SEM_STAT, &facts);
}

}  // namespace

Result<std::uint16_t> SemaphoreSet::value(std::uint16_t index) const {
  const auto count = ask(id_, index, GETVAL, "read a count");
  if (!count) return std::unexpected(count.error());
  return static_cast<std::uint16_t>(*count);
}

Result<std::uint32_t> SemaphoreSet::last_pid(std::uint16_t index) const {
  return ask(id_, index, GETPID, "read the last process");
}

Result<std::uint32_t> SemaphoreSet::waiting_to_take(std::uint16_t index) const {
  return ask(id_, index, GETNCNT, "count those who wait to take");
}

Result<std::uint32_t> SemaphoreSet::waiting_for_zero(std::uint16_t index) const {
  return ask(id_, index, GETZCNT, "count those who wait for zero");
}

Result<SemaphoreSetFacts> SemaphoreSet::facts() const {
  semid_ds kernel{};
  if (::semctl(id_, 0, IPC_STAT, &kernel) == 0) return facts_from(id_, kernel);
  return std::unexpected(set_control_error(errno, {.id = id_, .tried = "read the facts"}));
}

Result<std::vector<std::uint16_t>> SemaphoreSet::values() const {
  return detail::or_out_of_memory([&]() -> Result<std::vector<std::uint16_t>> {
    const auto known = facts();
    if (!known) return std::unexpected(known.error());
    std::vector<std::uint16_t> counts(known->count);
    if (::semctl(id_, 0, GETALL, counts.data()) == 0) return counts;
    return std::unexpected(set_control_error(errno, {.id = id_, .tried = "read the counts"}));
  });
}

Result<std::vector<SemaphoreSetFacts>> list_semaphore_sets() {
  return detail::or_out_of_memory([]() -> Result<std::vector<SemaphoreSetFacts>> {
    seminfo info{};
    const auto highest = machine(SEM_INFO, info);
    if (!highest) return std::unexpected(highest.error());
    std::vector<SemaphoreSetFacts> found;
    for (int number = 0; number <= *highest; ++number) {
      semid_ds facts{};
      if (const int id = slot(number, facts); id >= 0) found.push_back(facts_from(id, facts));
    }
    return found;
  });
}

Result<SemaphoreLimits> semaphore_limits() {
  return detail::or_out_of_memory([]() -> Result<SemaphoreLimits> {
    seminfo limits{};
    seminfo used{};
    if (auto told = machine(IPC_INFO, limits); !told) return std::unexpected(told.error());
    if (auto told = machine(SEM_INFO, used); !told) return std::unexpected(told.error());
    const auto number = [](int value) { return static_cast<std::uint32_t>(value); };
    return SemaphoreLimits{.per_set_max = number(limits.semmsl),
                           .semaphores_max = number(limits.semmns),
                           .operations_max = number(limits.semopm),
                           .sets_max = number(limits.semmni),
                           .semaphores = number(used.semaem),
                           .sets = number(used.semusz)};
  });
}

}  // namespace signalbox::os
