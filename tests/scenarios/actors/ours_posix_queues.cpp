// POSIX message queues by os::PosixQueue.
#include <signal.h>

#include <ctime>
#include <span>

#include "actor.hpp"
#include "ours.hpp"
#include "signalbox/os/posix_queue.hpp"

namespace signalbox::scenarios {

namespace {

std::map<std::string, os::PosixQueue> queues;

os::PosixQueue& queue_of(const Words& words) { return queues.at(words[0]); }

// A size of 0 means the machine's usual one to us and nonsense to the kernel: -1 is nonsense to
// both.
long size_of(const Words& words, std::size_t index) {
  return words.number(index) == 0 ? -1 : words.number(index);
}

std::string create(const Words& words) {
  return keep(queues, words[0],
              os::PosixQueue::create(words[1], {.messages_max = size_of(words, 2),
                                                .message_bytes_max = size_of(words, 3),
                                                .mode = mode_of(words, 4)}));
}

std::string open(const Words& words) {
  const auto access = !words.has(2)     ? os::QueueAccess::both
                      : words[2] == "r" ? os::QueueAccess::receive
                                        : os::QueueAccess::send;
  return keep(queues, words[0], os::PosixQueue::open(words[1], access));
}

// NAME [SPAN] PRIORITY TEXT
std::string send(const Words& words, std::size_t first, Deadline deadline) {
  const std::string text = words.bytes(first + 1);
  return answer_of(queue_of(words).send(std::as_bytes(std::span(text)),
                                        static_cast<std::uint32_t>(words.number(first)), deadline,
                                        as_the_kernel));
}

std::string buffer_of(const Words& words, std::size_t index) {
  if (words.has(index)) return std::string(static_cast<std::size_t>(words.number(index)), '\0');
  const auto facts = queue_of(words).facts();
  return std::string(facts ? static_cast<std::size_t>(facts->message_bytes_max) : 0, '\0');
}

std::string received(const os::PriorityMessage& message, const std::string& buffer) {
  return ok(message.priority, word_of(buffer.substr(0, message.bytes)));
}

std::string receive(const Words& words, std::size_t first, Deadline deadline) {
  std::string buffer = buffer_of(words, first);
  const auto message =
      queue_of(words).receive(std::as_writable_bytes(std::span(buffer)), deadline, as_the_kernel);
  return message ? received(*message, buffer) : answer_of(message.error());
}

std::string try_receive(const Words& words) {
  std::string buffer = buffer_of(words, 1);
  const auto message = queue_of(words).try_receive(std::as_writable_bytes(std::span(buffer)));
  if (!message) return answer_of(message.error());
  return *message ? received(**message, buffer) : word_of_errno(EAGAIN);
}

sigset_t notices() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGRTMIN);
  return set;
}

std::string notify(const Words& words) {
  const sigset_t set = notices();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return answer_of(queue_of(words).notify_once(SIGRTMIN, static_cast<int>(words.number(1))));
}

std::string notice(const Words&) {
  const sigset_t set = notices();
  siginfo_t info{};
  const timespec at_once{};
  const int number = ::sigtimedwait(&set, &info, &at_once);
  if (number < 0) return answer_of(number);
  return ok(info.si_value.sival_int, info.si_pid, info.si_uid);
}

}  // namespace

void offer_posix_queues(Actor& actor) {
  actor.offer("mq_create", create);
  actor.offer("mq_open", open);
  actor.offer("mq_close",
              [](const Words& words) { return queues.erase(words[0]) == 1 ? ok() : "EBADF"; });
  actor.offer("mq_unlink",
              [](const Words& words) { return answer_of(os::PosixQueue::unlink(words[0])); });
  actor.offer("mq_send", [](const Words& words) { return send(words, 1, Deadline::never()); });
  actor.offer("mq_timed_send",
              [](const Words& words) { return send(words, 2, deadline_of(words, 1)); });
  actor.offer("mq_try_send", [](const Words& words) {
    const std::string text = words.bytes(2);
    return answer_or_would_block(queue_of(words).try_send(
        std::as_bytes(std::span(text)), static_cast<std::uint32_t>(words.number(1))));
  });
  actor.offer("mq_receive",
              [](const Words& words) { return receive(words, 1, Deadline::never()); });
  actor.offer("mq_timed_receive",
              [](const Words& words) { return receive(words, 2, deadline_of(words, 1)); });
  actor.offer("mq_try_receive", try_receive);
  actor.offer("mq_attributes", [](const Words& words) {
    const auto facts = queue_of(words).facts();
    return facts ? ok(facts->messages_max, facts->message_bytes_max, facts->messages)
                 : answer_of(facts.error());
  });
  actor.offer("mq_notify", notify);
  actor.offer("mq_stop_notices",
              [](const Words& words) { return answer_of(queue_of(words).forget_notice()); });
  actor.offer("mq_notice", notice);
}

}  // namespace signalbox::scenarios
