// POSIX message queues, and PosixQueue.
#include <fcntl.h>
#include <mqueue.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <optional>
#include <span>
#include <vector>

#include "family.hpp"
#include "ours.hpp"
#include "signalbox/os/posix_queue.hpp"

namespace signalbox::differential {

namespace {

constexpr long messages_max = 4;
constexpr long bytes_max = 16;

// send: PRIORITY LENGTH LETTER. receive: ROOM.
enum Verb : std::uint8_t { send, receive };

std::vector<char> text_sent(const Operation& operation) {
  return std::vector<char>(static_cast<std::size_t>(operation.numbers[1]),
                           static_cast<char>('a' + operation.numbers[2]));
}

// Priority, length, letter.
void add_message(Answer& answer, std::uint32_t priority, std::span<const char> text) {
  answer.add(priority);
  answer.add(static_cast<std::int64_t>(text.size()));
  bool alike = true;
  for (const char letter : text) alike = alike && letter == text[0];
  answer.add(text.empty() ? 0 : alike ? text[0] : -1);
}

// The two sides' names of one test process; the driver has made the object and unlinks it.
std::string name_of(const char* side, std::int64_t address) {
  return std::string("/sbx-differential-") + side + "-" + std::to_string(address);
}

// Names are the driver's pid and a number, so that no name comes twice.
std::int64_t next_address() {
  static std::int64_t number = 0;
  return static_cast<std::int64_t>(::getpid()) * 10'000'000 + number++;
}

class BareQueue : public Side {
 public:
  ~BareQueue() override { close(); }
  std::int64_t make() override {
    address_ = next_address();
    mq_attr attributes{};
    attributes.mq_maxmsg = messages_max;
    attributes.mq_msgsize = bytes_max;
    close();
    queue_ = ::mq_open(name().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes);
    if (queue_ < 0) throw std::runtime_error("mq_open says " + std::to_string(errno));
    return address_;
  }
  void meet(std::int64_t address) override {
    address_ = address;
    close();
    queue_ = ::mq_open(name().c_str(), O_RDWR | O_CLOEXEC);
  }

  Answer perform(const Operation& operation) override {
    mq_attr attributes{};
    attributes.mq_flags = operation.wait == Wait::never ? O_NONBLOCK : 0;
    ::mq_setattr(queue_, &attributes, nullptr);
    timespec until{};
    ::clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += shortly_us * 1000;
    until.tv_sec += until.tv_nsec / 1'000'000'000;
    until.tv_nsec %= 1'000'000'000;
    const timespec* const deadline = operation.wait == Wait::shortly ? &until : nullptr;
    Answer answer;
    ssize_t result = 0;
    do {
      if (operation.verb == send) {
        const auto text = text_sent(operation);
        const auto priority = static_cast<unsigned>(operation.numbers[0]);
        result = deadline == nullptr
                     ? ::mq_send(queue_, text.data(), text.size(), priority)
                     : ::mq_timedsend(queue_, text.data(), text.size(), priority, deadline);
      } else {
        std::vector<char> text(static_cast<std::size_t>(operation.numbers[0]));
        unsigned priority = 0;
        result = deadline == nullptr
                     ? ::mq_receive(queue_, text.data(), text.size(), &priority)
                     : ::mq_timedreceive(queue_, text.data(), text.size(), &priority, deadline);
        if (result >= 0) {
          add_message(answer, priority, {text.data(), static_cast<std::size_t>(result)});
        }
      }
    } while (result < 0 && errno == EINTR && operation.wait == Wait::until_done);
    if (result < 0) answer.error = errno;
    return answer;
  }

  Facts look(const WhoIs& /*who_is*/) override {
    mq_attr attributes{};
    ::mq_getattr(queue_, &attributes);
    Facts facts;
    facts.add(attributes.mq_maxmsg);
    facts.add(attributes.mq_msgsize);
    facts.add(attributes.mq_curmsgs);
    return facts;
  }
  void remove() override { ::mq_unlink(name().c_str()); }

 private:
  std::string name() const { return name_of("bare", address_); }
  void close() {
    if (queue_ >= 0) ::mq_close(queue_);
    queue_ = -1;
  }

  std::int64_t address_ = 0;
  mqd_t queue_ = -1;
};

class OurQueue : public Side {
 public:
  std::int64_t make() override {
    address_ = next_address();
    queue_.emplace(must(os::PosixQueue::create(
        name(), {.messages_max = messages_max, .message_bytes_max = bytes_max})));
    return address_;
  }
  void meet(std::int64_t address) override {
    address_ = address;
    queue_.emplace(must(os::PosixQueue::open(name())));
  }

  Answer perform(const Operation& operation) override {
    if (operation.verb == send) {
      const auto text = text_sent(operation);
      const auto message = std::as_bytes(std::span(text));
      const auto priority = static_cast<std::uint32_t>(operation.numbers[0]);
      if (operation.wait == Wait::never) {
        return answer_or_would_block(queue_->try_send(message, priority));
      }
      return answer_of(
          queue_->send(message, priority, deadline_of(operation), on_signal_of(operation)));
    }
    std::vector<char> text(static_cast<std::size_t>(operation.numbers[0]));
    const auto buffer = std::as_writable_bytes(std::span(text));
    if (operation.wait == Wait::never) {
      const auto received = queue_->try_receive(buffer);
      Answer answer = answer_of(received);
      if (!received) return answer;
      if (!*received) {
        answer.error = EAGAIN;  // empty is a value of ours
      } else {
        add_message(answer, (*received)->priority, std::span(text).first((*received)->bytes));
      }
      return answer;
    }
    const auto received = queue_->receive(buffer, deadline_of(operation), on_signal_of(operation));
    Answer answer = answer_of(received);
    if (received) add_message(answer, received->priority, std::span(text).first(received->bytes));
    return answer;
  }

  Facts look(const WhoIs& /*who_is*/) override {
    const auto found = must(queue_->facts());
    Facts facts;
    facts.add(found.messages_max);
    facts.add(found.message_bytes_max);
    facts.add(found.messages);
    return facts;
  }
  void remove() override { must(os::PosixQueue::unlink(name())); }

 private:
  std::string name() const { return name_of("ours", address_); }

  std::int64_t address_ = 0;
  std::optional<os::PosixQueue> queue_;
};

Operation random_operation(std::mt19937_64& random) {
  Operation operation;
  operation.wait = random_wait(random);
  if (number_below(random, 2) == 0) {
    operation.verb = send;
    operation.numbers = {number_below(random, 4), number_below(random, bytes_max + 1),
                         number_below(random, 26)};
    if (once_in(random, 50)) operation.numbers[0] = 32767 + number_below(random, 2);
    if (once_in(random, 50)) operation.numbers[1] = bytes_max + 1;
    return operation;
  }
  operation.verb = receive;
  operation.numbers[0] = once_in(random, 50) ? bytes_max - 1 : bytes_max;
  return operation;
}

std::string text_of_operation(const Operation& operation) {
  const auto& numbers = operation.numbers;
  const std::string how = operation.wait == Wait::never     ? "try_"
                          : operation.wait == Wait::shortly ? "timed_"
                                                            : "";
  const std::string span = operation.wait == Wait::shortly ? " 1ms" : "";
  if (operation.verb == receive) {
    return "mq_" + how + "receive q" + span + " " + std::to_string(numbers[0]);
  }
  const std::string text = numbers[1] == 0 ? "-"
                                           : std::string(1, static_cast<char>('a' + numbers[2])) +
                                                 "*" + std::to_string(numbers[1]);
  return "mq_" + how + "send q" + span + " " + std::to_string(numbers[0]) + " " + text;
}

}  // namespace

Family posix_queues() {
  return {.name = "posix_queues",
          .setting = "mq_create q $name 4 16",
          .meeting = "mq_open q $name",
          .facts = "messages at most, bytes at most, messages",
          .bare = [] { return std::make_unique<BareQueue>(); },
          .ours = [] { return std::make_unique<OurQueue>(); },
          .random_operation = random_operation,
          .text_of = text_of_operation,
          // Ours sleep in poll(), which wakes all; whoever runs first goes on.
          .race_class = [](const Operation& operation) { return operation.verb == send ? 0 : 1; },
          .text_of_answer = text_of_message};
}

}  // namespace signalbox::differential
