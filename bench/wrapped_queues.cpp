// A message of 48 bytes into a queue, and out of it again.
#include <fcntl.h>
#include <mqueue.h>
#include <sys/msg.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "bench/wrapped_call.hpp"
#include "signalbox/os/posix_queue.hpp"
#include "signalbox/os/sysv_queue.hpp"

namespace bench {

namespace {

using namespace signalbox::os;
using signalbox::Deadline;

std::string new_queue_name() { return "/signalbox-bench-" + std::to_string(::getpid()); }

auto our_posix_queue() {
  const std::string name = new_queue_name();
  auto queue =
      must(PosixQueue::create(name, {.messages_max = 2, .message_bytes_max = message_bytes}));
  must(PosixQueue::unlink(name));
  return [queue = std::move(queue), room = Room{}]() mutable {
    must(queue.send(room.bytes, 1, Deadline::never()).has_value());
    const auto got = queue.receive(room.bytes, Deadline::never());
    must(got.has_value());
    use(got->bytes);
    use(got->priority);
  };
}

auto bare_posix_queue() {
  const std::string name = new_queue_name();
  mq_attr size{};
  size.mq_maxmsg = 2;
  size.mq_msgsize = message_bytes;
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC;
  const int queue = opened(::mq_open(name.c_str(), flags, 0600, &size));
  ::mq_unlink(name.c_str());
  return [queue, room = Room{}]() mutable {
    auto* const bytes = reinterpret_cast<char*>(room.bytes);
    must(::mq_send(queue, bytes, sizeof(room.bytes), 1) == 0);
    unsigned priority = 0;
    const ssize_t got = ::mq_receive(queue, bytes, sizeof(room.bytes), &priority);
    must(got >= 0);
    use(got);
    use(priority);
  };
}

// Removed with its object: a System V queue outlives its process.
struct OurSysvQueue {
  SysvQueue queue = must(SysvQueue::create(SysvKey::private_key()));
  Room room{};
  OurSysvQueue() = default;
  OurSysvQueue(OurSysvQueue&&) = default;
  OurSysvQueue& operator=(OurSysvQueue&&) = default;
  ~OurSysvQueue() {
    if (queue) static_cast<void>(queue.remove());
  }
  void operator()() {
    must(queue.send(1, room.bytes, Deadline::never()).has_value());
    const auto got = queue.receive(room.bytes, MessageFilter::any(), Deadline::never());
    must(got.has_value());
    use(got->bytes);
    use(got->type);
  }
};

// The kernel wants the type before the bytes, so that what lies elsewhere is copied.
struct BareSysvQueue {
  struct Message {
    long type;
    std::byte bytes[message_bytes];
  };
  int id = opened(::msgget(IPC_PRIVATE, 0600));
  Room room{};
  BareSysvQueue() = default;
  BareSysvQueue(BareSysvQueue&& other) noexcept : id(std::exchange(other.id, -1)) {}
  BareSysvQueue& operator=(BareSysvQueue&&) = delete;
  ~BareSysvQueue() {
    if (id >= 0) ::msgctl(id, IPC_RMID, nullptr);
  }
  void operator()() {
    Message sent{.type = 1, .bytes = {}};
    std::memcpy(sent.bytes, room.bytes, sizeof(room.bytes));
    must(::msgsnd(id, &sent, sizeof(sent.bytes), 0) == 0);
    Message received;
    const ssize_t got = ::msgrcv(id, &received, sizeof(received.bytes), 0, 0);
    must(got >= 0);
    std::memcpy(room.bytes, received.bytes, static_cast<std::size_t>(got));
    use(got);
    use(received.type);
  }
};

}  // namespace

std::vector<WrappedCall> queue_calls() {
  return {
      {"POSIX queue", "mq_send, mq_receive", many_of(our_posix_queue), many_of(bare_posix_queue)},
      {"System V queue", "msgsnd, msgrcv", many_of([] { return OurSysvQueue(); }),
       many_of([] { return BareSysvQueue(); })},
  };
}

}  // namespace bench
