// What a System V message queue tells about itself, and the machine about all of them.
#include "signalbox/os/sysv_queue.hpp"

#include <sys/msg.h>

#include <cerrno>

#include "os/failure.hpp"
#include "os/sysv_queue_error.hpp"

namespace signalbox::os {

namespace {

SysvQueueFacts facts_from(int id, const msqid_ds& kernel) noexcept {
  return {.id = id,
          .access = {.key = kernel.msg_perm.__key,
                     .owner_uid = kernel.msg_perm.uid,
                     .owner_gid = kernel.msg_perm.gid,
                     .creator_uid = kernel.msg_perm.cuid,
                     .creator_gid = kernel.msg_perm.cgid,
                     .mode = kernel.msg_perm.mode & 0777U},
          .messages = kernel.msg_qnum,
          .bytes = kernel.__msg_cbytes,
          .bytes_max = kernel.msg_qbytes,
          .last_sender = static_cast<std::uint32_t>(kernel.msg_lspid),
          .last_receiver = static_cast<std::uint32_t>(kernel.msg_lrpid),
          .last_send = kernel.msg_stime,
          .last_receive = kernel.msg_rtime,
          .last_change = kernel.msg_ctime};
}

// Everything of the name space. Answers the highest slot in use.
Result<int> machine(int what, msginfo& info) {
  const int highest = ::msgctl(0, what, reinterpret_cast<msqid_ds*>(&info));
  if (highest >= 0) return highest;
  return std::unexpected(failure(errno, "msgctl", "look at the message queues of this machine"));
}

// Slots are numbered differently from ids, and some are empty.
int slot(int number, msqid_ds& facts) noexcept {
#ifdef MSG_STAT_ANY
  const int id = ::msgctl(number, MSG_STAT_ANY, &facts);
  if (id >= 0 || errno != EINVAL) return id;
#endif
  // Before Linux 4.17, or empty: shows those only that we may read.
  return ::msgctl(number, MSG_STAT, &facts);
}

}  // namespace

Result<SysvQueueFacts> SysvQueue::facts() const {
  msqid_ds kernel{};
  if (::msgctl(id_, IPC_STAT, &kernel) == 0) return facts_from(id_, kernel);
  return std::unexpected(queue_control_error(errno, id_, "read the facts"));
}

Result<std::vector<SysvQueueFacts>> list_sysv_queues() {
  return detail::or_out_of_memory([]() -> Result<std::vector<SysvQueueFacts>> {
    msginfo info{};
    const auto highest = machine(MSG_INFO, info);
    if (!highest) return std::unexpected(highest.error());
    std::vector<SysvQueueFacts> found;
    for (int number = 0; number <= *highest; ++number) {
      msqid_ds facts{};
      if (const int id = slot(number, facts); id >= 0) found.push_back(facts_from(id, facts));
    }
    return found;
  });
}

Result<SysvQueueLimits> sysv_queue_limits() {
  return detail::or_out_of_memory([]() -> Result<SysvQueueLimits> {
    msginfo limits{};
    msginfo used{};
    if (auto told = machine(IPC_INFO, limits); !told) return std::unexpected(told.error());
    if (auto told = machine(MSG_INFO, used); !told) return std::unexpected(told.error());
    const auto number = [](int value) { return static_cast<std::uint32_t>(value); };
    return SysvQueueLimits{.message_bytes_max = number(limits.msgmax),
                           .queue_bytes_max = number(limits.msgmnb),
                           .queues_max = number(limits.msgmni),
                           .queues = number(used.msgpool)};
  });
}

}  // namespace signalbox::os
