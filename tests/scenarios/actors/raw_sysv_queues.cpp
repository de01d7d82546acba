// System V message queues by bare system calls.
#include <sys/ipc.h>
#include <sys/msg.h>

#include <cstring>

#include "actor.hpp"

namespace signalbox::scenarios {

namespace {

std::map<std::string, int> queues;

key_t key_of(const std::string& word) {
  return word == "private" ? IPC_PRIVATE : static_cast<key_t>(std::stol(word));
}

std::string keep(const std::string& name, int id) {
  if (id >= 0) queues[name] = id;
  return answer_of(id);
}

// queue_limit NAME BYTES: how many bytes it may hold.
std::string limit(const Words& words, std::size_t at) {
  msqid_ds status{};
  if (::msgctl(queues.at(words[0]), IPC_STAT, &status) < 0) return answer_of(-1);
  status.msg_qbytes = static_cast<msglen_t>(words.number(at));
  return answer_of(::msgctl(queues.at(words[0]), IPC_SET, &status));
}

// queue_create NAME KEY [BYTES]
std::string create(const Words& words) {
  const std::string answer =
      keep(words[0], ::msgget(key_of(words[1]), IPC_CREAT | IPC_EXCL | 0600));
  return words.has(2) && answer == "ok" ? limit(words, 2) : answer;
}

// queue_send NAME TYPE TEXT
std::string send(const Words& words, int flags) {
  const long type = words.number(1);
  const std::string bytes = words.bytes(2);
  std::vector<char> message(sizeof type + bytes.size());
  std::memcpy(message.data(), &type, sizeof type);
  std::memcpy(message.data() + sizeof type, bytes.data(), bytes.size());
  return answer_of(::msgsnd(queues.at(words[0]), message.data(), bytes.size(), flags));
}

// any | =TYPE | <=TYPE | !=TYPE, as the type and the flags that msgrcv wants.
std::pair<long, int> filter_of(const std::string& word) {
  if (word == "any") return {0, 0};
  if (word[0] == '=') return {std::stol(word.substr(1)), 0};
  if (word[0] == '<') return {-std::stol(word.substr(2)), 0};
  return {std::stol(word.substr(2)), MSG_EXCEPT};
}

std::string received(const Words& words, long type, std::size_t bytes_max, int flags) {
  std::vector<char> message(sizeof(long) + bytes_max);
  const ssize_t count = ::msgrcv(queues.at(words[0]), message.data(), bytes_max, type, flags);
  if (count < 0) return answer_of(count);
  long found = 0;
  std::memcpy(&found, message.data(), sizeof found);
  return ok(found, word_of({message.data() + sizeof(long), static_cast<std::size_t>(count)}));
}

// queue_receive NAME FILTER BYTES_MAX [truncate]
std::string receive(const Words& words, int flags) {
  const auto [type, filter_flags] = filter_of(words[1]);
  flags |= filter_flags | (words.contains("truncate") ? MSG_NOERROR : 0);
  return received(words, type, static_cast<std::size_t>(words.number(2)), flags);
}

// queue_peek NAME INDEX BYTES_MAX
std::string peek(const Words& words) {
  return received(words, words.number(1), static_cast<std::size_t>(words.number(2)),
                  MSG_COPY | IPC_NOWAIT);
}

// Messages, bytes, who sent last, who received last.
std::string status(const Words& words) {
  msqid_ds status{};
  if (::msgctl(queues.at(words[0]), IPC_STAT, &status) < 0) return answer_of(-1);
  return ok(status.msg_qnum, status.msg_cbytes, status.msg_lspid, status.msg_lrpid);
}

}  // namespace

void offer_sysv_queues(Actor& actor) {
  actor.offer("queue_create", create);
  actor.offer("queue_open",
              [](const Words& words) { return keep(words[0], ::msgget(key_of(words[1]), 0)); });
  actor.offer("queue_send", [](const Words& words) { return send(words, 0); });
  actor.offer("queue_try_send", [](const Words& words) { return send(words, IPC_NOWAIT); });
  actor.offer("queue_receive", [](const Words& words) { return receive(words, 0); });
  actor.offer("queue_try_receive", [](const Words& words) { return receive(words, IPC_NOWAIT); });
  actor.offer("queue_peek", peek);
  actor.offer("queue_status", status);
  actor.offer("queue_limit", [](const Words& words) { return limit(words, 1); });
  actor.offer("queue_remove", [](const Words& words) {
    return answer_of(::msgctl(queues.at(words[0]), IPC_RMID, nullptr));
  });
}

}  // namespace signalbox::scenarios
