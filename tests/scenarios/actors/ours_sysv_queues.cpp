// System V message queues by os::SysvQueue.
#include <span>

#include "actor.hpp"
#include "ours.hpp"
#include "signalbox/os/sysv_queue.hpp"

namespace signalbox::scenarios {

namespace {

std::map<std::string, os::SysvQueue> queues;

os::SysvQueue& queue_of(const Words& words) { return queues.at(words[0]); }

os::SysvKey key_of(const std::string& word) {
  return word == "private" ? os::SysvKey::private_key()
                           : os::SysvKey::number(static_cast<std::int32_t>(std::stol(word)));
}

std::string create(const Words& words) {
  std::string answer = keep(queues, words[0], os::SysvQueue::create(key_of(words[1])));
  if (!words.has(2) || answer != "ok") return answer;
  return answer_of(queue_of(words).set_capacity(static_cast<std::uint64_t>(words.number(2))));
}

os::MessageFilter filter_of(const std::string& word) {
  if (word == "any") return os::MessageFilter::any();
  if (word[0] == '=') return os::MessageFilter::exact(std::stol(word.substr(1)));
  if (word[0] == '<') return os::MessageFilter::up_to(std::stol(word.substr(2)));
  return os::MessageFilter::all_but(std::stol(word.substr(2)));
}

std::string received(const os::QueueMessage& message, const std::string& buffer) {
  return ok(message.type, word_of(buffer.substr(0, message.bytes)));
}

std::string receive(const Words& words, bool waits) {
  std::string buffer(static_cast<std::size_t>(words.number(2)), '\0');
  const auto bytes = std::as_writable_bytes(std::span(buffer));
  const auto too_long = words.contains("truncate") ? os::TooLong::cut_off : os::TooLong::refuse;
  const auto filter = filter_of(words[1]);
  if (waits) {
    const auto message =
        queue_of(words).receive(bytes, filter, Deadline::never(), too_long, as_the_kernel);
    return message ? received(*message, buffer) : answer_of(message.error());
  }
  const auto message = queue_of(words).try_receive(bytes, filter, too_long);
  if (!message) return answer_of(message.error());
  return *message ? received(**message, buffer) : word_of_errno(ENOMSG);
}

std::string peek(const Words& words) {
  std::string buffer(static_cast<std::size_t>(words.number(2)), '\0');
  const auto message = queue_of(words).peek(static_cast<std::size_t>(words.number(1)),
                                            std::as_writable_bytes(std::span(buffer)));
  if (!message) return answer_of(message.error());
  return *message ? received(**message, buffer) : word_of_errno(ENOMSG);
}

std::string status(const Words& words) {
  const auto facts = queue_of(words).facts();
  if (!facts) return answer_of(facts.error());
  return ok(facts->messages, facts->bytes, facts->last_sender, facts->last_receiver);
}

}  // namespace

void offer_sysv_queues(Actor& actor) {
  actor.offer("queue_create", create);
  actor.offer("queue_open", [](const Words& words) {
    return keep(queues, words[0], os::SysvQueue::open(key_of(words[1])));
  });
  actor.offer("queue_send", [](const Words& words) {
    const std::string text = words.bytes(2);
    return answer_of(queue_of(words).send(words.number(1), std::as_bytes(std::span(text)),
                                          Deadline::never(), as_the_kernel));
  });
  actor.offer("queue_try_send", [](const Words& words) {
    const std::string text = words.bytes(2);
    return answer_or_would_block(
        queue_of(words).try_send(words.number(1), std::as_bytes(std::span(text))));
  });
  actor.offer("queue_receive", [](const Words& words) { return receive(words, true); });
  actor.offer("queue_try_receive", [](const Words& words) { return receive(words, false); });
  actor.offer("queue_peek", peek);
  actor.offer("queue_status", status);
  actor.offer("queue_limit", [](const Words& words) {
    return answer_of(queue_of(words).set_capacity(static_cast<std::uint64_t>(words.number(1))));
  });
  actor.offer("queue_remove",
              [](const Words& words) { return answer_of(queue_of(words).remove()); });
}

}  // namespace signalbox::scenarios
