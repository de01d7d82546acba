// System V message queues, and SysvQueue.
#include <sys/msg.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "family.hpp"
#include "ours.hpp"
#include "signalbox/os/sysv_queue.hpp"

namespace signalbox::differential {

namespace {

// So few that a sender soon waits for room.
constexpr std::uint64_t capacity = 100;

// send: TYPE LENGTH LETTER. receive: FILTER TYPE ROOM CUT. peek: PLACE ROOM.
enum Verb : std::uint8_t { send, receive, peek };
enum Filter : std::int32_t { any, exact, up_to, all_but };

std::vector<char> text_sent(const Operation& operation) {
  return std::vector<char>(static_cast<std::size_t>(operation.numbers[1]),
                           static_cast<char>('a' + operation.numbers[2]));
}

// The length and one letter of a text tell whether it is the right one: it has one letter only.
void add_text(Answer& answer, std::span<const char> text) {
  answer.add(static_cast<std::int64_t>(text.size()));
  bool alike = true;
  for (const char letter : text) alike = alike && letter == text[0];
  answer.add(text.empty() ? 0 : alike ? text[0] : -1);
}

class BareQueue : public Side {
 public:
  std::int64_t make() override {
    id_ = ::msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    if (id_ < 0) throw std::runtime_error("msgget says " + std::to_string(errno));
    msqid_ds status{};
    ::msgctl(id_, IPC_STAT, &status);
    status.msg_qbytes = capacity;
    ::msgctl(id_, IPC_SET, &status);
    return id_;
  }
  void meet(std::int64_t address) override { id_ = static_cast<int>(address); }

  Answer perform(const Operation& operation) override {
    Answer answer;
    ssize_t result = 0;
    do {
      answer = {};
      result = operation.verb == send ? bare_send(operation) : bare_receive(operation, answer);
    } while (result < 0 && errno == EINTR && operation.wait == Wait::until_done);
    if (result < 0) answer.error = errno;
    return answer;
  }

  Facts look(const WhoIs& who_is) override {
    msqid_ds status{};
    ::msgctl(id_, IPC_STAT, &status);
    Facts facts;
    facts.add(static_cast<std::int64_t>(status.msg_qnum));
    facts.add(static_cast<std::int64_t>(status.msg_cbytes));
    facts.add(who_is(status.msg_lspid));
    facts.add(who_is(status.msg_lrpid));
    return facts;
  }
  void remove() override { ::msgctl(id_, IPC_RMID, nullptr); }

 private:
  int bare_send(const Operation& operation) const {
    const long type = operation.numbers[0];
    const auto text = text_sent(operation);
    std::vector<char> message(sizeof type + text.size());
    std::memcpy(message.data(), &type, sizeof type);
    if (!text.empty()) std::memcpy(message.data() + sizeof type, text.data(), text.size());
    return ::msgsnd(id_, message.data(), text.size(),
                    operation.wait == Wait::never ? IPC_NOWAIT : 0);
  }

  ssize_t bare_receive(const Operation& operation, Answer& answer) const {
    const bool peeks = operation.verb == peek;
    const auto room = static_cast<std::size_t>(operation.numbers.at(peeks ? 1 : 2));
    long type = peeks ? operation.numbers[0] : operation.numbers[1];
    int flags = peeks ? MSG_COPY | IPC_NOWAIT : operation.numbers[3] != 0 ? MSG_NOERROR : 0;
    if (!peeks) {
      if (operation.numbers[0] == any) type = 0;
      if (operation.numbers[0] == up_to) type = -type;
      if (operation.numbers[0] == all_but) flags |= MSG_EXCEPT;
      if (operation.wait == Wait::never) flags |= IPC_NOWAIT;
    }
    std::vector<char> message(sizeof(long) + room);
    const ssize_t count = ::msgrcv(id_, message.data(), room, type, flags);
    if (count < 0) return count;
    std::memcpy(&type, message.data(), sizeof type);
    answer.add(type);
    add_text(answer, {message.data() + sizeof(long), static_cast<std::size_t>(count)});
    return count;
  }

  int id_ = -1;
};

os::MessageFilter filter_of(const Operation& operation) {
  const long type = operation.numbers[1];
  switch (operation.numbers[0]) {
    case exact:
      return os::MessageFilter::exact(type);
    case up_to:
      return os::MessageFilter::up_to(type);
    case all_but:
      return os::MessageFilter::all_but(type);
    default:
      return os::MessageFilter::any();
  }
}

class OurQueue : public Side {
 public:
  std::int64_t make() override {
    queue_.emplace(must(os::SysvQueue::create(os::SysvKey::private_key())));
    if (!queue_->set_capacity(capacity)) throw std::runtime_error("no capacity");
    return queue_->id();
  }
  void meet(std::int64_t address) override {
    queue_.emplace(must(os::SysvQueue::attach(static_cast<int>(address))));
  }

  Answer perform(const Operation& operation) override {
    if (operation.verb == send) return our_send(operation);
    std::vector<char> text(
        static_cast<std::size_t>(operation.numbers.at(operation.verb == peek ? 1 : 2)));
    const auto buffer = std::as_writable_bytes(std::span(text));
    const auto too_long = operation.numbers[3] != 0 ? os::TooLong::cut_off : os::TooLong::refuse;
    if (operation.verb == receive && operation.wait != Wait::never) {
      const auto received = queue_->receive(buffer, filter_of(operation), Deadline::never(),
                                            too_long, on_signal_of(operation));
      Answer answer = answer_of(received);
      if (received) add_message(answer, *received, text);
      return answer;
    }
    const auto received = operation.verb == peek
                              ? queue_->peek(static_cast<std::size_t>(operation.numbers[0]), buffer)
                              : queue_->try_receive(buffer, filter_of(operation), too_long);
    Answer answer = answer_of(received);
    if (!received) return answer;
    if (*received) {
      add_message(answer, **received, text);
    } else {
      answer.error = ENOMSG;  // empty is a value of ours
    }
    return answer;
  }

  Facts look(const WhoIs& who_is) override {
    const auto status = must(queue_->facts());
    Facts facts;
    facts.add(static_cast<std::int64_t>(status.messages));
    facts.add(static_cast<std::int64_t>(status.bytes));
    facts.add(who_is(status.last_sender));
    facts.add(who_is(status.last_receiver));
    return facts;
  }
  void remove() override { static_cast<void>(queue_->remove()); }

 private:
  Answer our_send(const Operation& operation) {
    const auto text = text_sent(operation);
    const auto message = std::as_bytes(std::span(text));
    if (operation.wait == Wait::never) {
      return answer_or_would_block(queue_->try_send(operation.numbers[0], message));
    }
    return answer_of(
        queue_->send(operation.numbers[0], message, Deadline::never(), on_signal_of(operation)));
  }

  static void add_message(Answer& answer, const os::QueueMessage& message,
                          std::span<const char> text) {
    answer.add(message.type);
    add_text(answer, text.first(message.bytes));
  }

  std::optional<os::SysvQueue> queue_;
};

Operation random_operation(std::mt19937_64& random) {
  Operation operation;
  operation.wait = random_wait(random);
  // The kernel has no call with a deadline to hold ours against.
  if (operation.wait == Wait::shortly) operation.wait = Wait::never;
  if (number_below(random, 2) == 0) {
    operation.verb = send;
    operation.numbers = {1 + number_below(random, 4), number_below(random, 40),
                         number_below(random, 26)};
    if (once_in(random, 50)) operation.numbers[0] = -number_below(random, 2);
    if (once_in(random, 100)) operation.numbers[1] = 8193;
    return operation;
  }
  if (once_in(random, 10)) {
    operation.verb = peek;
    operation.wait = Wait::never;
    operation.numbers = {number_below(random, 6), once_in(random, 3) ? 20 : 40};
    return operation;
  }
  operation.verb = receive;
  operation.numbers = {number_below(random, 4), 1 + number_below(random, 4),
                       once_in(random, 5) ? 15 : 40, once_in(random, 3) ? 1 : 0};
  return operation;
}

std::string text_of_operation(const Operation& operation) {
  const auto& numbers = operation.numbers;
  const std::string tries = operation.wait == Wait::never ? "try_" : "";
  if (operation.verb == send) {
    const std::string text = numbers[1] == 0 ? "-"
                                             : std::string(1, static_cast<char>('a' + numbers[2])) +
                                                   "*" + std::to_string(numbers[1]);
    return "queue_" + tries + "send q " + std::to_string(numbers[0]) + " " + text;
  }
  if (operation.verb == peek) {
    return "queue_peek q " + std::to_string(numbers[0]) + " " + std::to_string(numbers[1]);
  }
  static const char* const filters[] = {"any", "=", "<=", "!="};
  std::string text = "queue_" + tries + "receive q " + filters[numbers[0]];
  if (numbers[0] != any) text += std::to_string(numbers[1]);
  return text + " " + std::to_string(numbers[2]) + (numbers[3] != 0 ? " truncate" : "");
}

}  // namespace

Family sysv_queues() {
  return {.name = "sysv_queues",
          .setting = "queue_create q $key 100",
          .meeting = "queue_open q $key",
          .facts = "messages, bytes, last sender, last receiver",
          .bare = [] { return std::make_unique<BareQueue>(); },
          .ours = [] { return std::make_unique<OurQueue>(); },
          .random_operation = random_operation,
          .text_of = text_of_operation,
          .removal_wakes = true,
          // Room wakes all who wait to send, and who runs first sends. Messages are handed to
          // receivers in order.
          .race_class = [](const Operation& operation) { return operation.verb == send ? 0 : -1; },
          .text_of_answer = text_of_message};
}

}  // namespace signalbox::differential
