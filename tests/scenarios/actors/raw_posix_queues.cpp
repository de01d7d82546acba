// POSIX message queues by the C library's bare calls.
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>

#include <ctime>

#include "actor.hpp"

namespace signalbox::scenarios {

namespace {

std::map<std::string, mqd_t> queues;

// What notices come by; blocked, so that "notice" can wait for it.
int notice_signal() { return SIGRTMIN; }

std::string keep(const std::string& name, mqd_t queue) {
  if (queue >= 0) queues[name] = queue;
  return answer_of(queue);
}

// mq_create NAME OBJECT MESSAGES_MAX BYTES_MAX [MODE]
std::string create(const Words& words) {
  mq_attr attributes{};
  attributes.mq_maxmsg = words.number(2);
  attributes.mq_msgsize = words.number(3);
  const auto mode = static_cast<mode_t>(words.has(4) ? std::stoi(words[4], nullptr, 8) : 0600);
  return keep(words[0], ::mq_open(words[1].c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode,
                                  &attributes));
}

// mq_open NAME OBJECT [r | w]
std::string open(const Words& words) {
  const int access = !words.has(2) ? O_RDWR : words[2] == "r" ? O_RDONLY : O_WRONLY;
  return keep(words[0], ::mq_open(words[1].c_str(), access | O_CLOEXEC));
}

// SPAN | past | bad
timespec deadline_of(const Words& words, std::size_t index) {
  timespec until{};
  ::clock_gettime(CLOCK_REALTIME, &until);
  if (words[index] == "past") {
    until.tv_sec -= 1;
  } else if (words[index] == "bad") {
    until.tv_nsec = -1;
  } else {
    const long long ns = until.tv_nsec + words.span_ns(index);
    until.tv_sec += ns / 1'000'000'000;
    until.tv_nsec = ns % 1'000'000'000;
  }
  return until;
}

void never_wait(mqd_t queue, bool never) {
  mq_attr attributes{};
  attributes.mq_flags = never ? O_NONBLOCK : 0;
  ::mq_setattr(queue, &attributes, nullptr);
}

// mq_send NAME PRIORITY TEXT
std::string send(const Words& words, const timespec* until) {
  const std::size_t first = until == nullptr ? 1 : 2;
  const std::string bytes = words.bytes(first + 1);
  const auto priority = static_cast<unsigned>(words.number(first));
  const mqd_t queue = queues.at(words[0]);
  return answer_of(until == nullptr
                       ? ::mq_send(queue, bytes.data(), bytes.size(), priority)
                       : ::mq_timedsend(queue, bytes.data(), bytes.size(), priority, until));
}

// mq_receive NAME [BYTES]: with room for so many, else for the longest.
std::string receive(const Words& words, const timespec* until) {
  const mqd_t queue = queues.at(words[0]);
  mq_attr attributes{};
  if (::mq_getattr(queue, &attributes) != 0) return answer_of(-1);
  const std::size_t at = until == nullptr ? 1 : 2;
  std::string bytes(
      static_cast<std::size_t>(words.has(at) ? words.number(at) : attributes.mq_msgsize), '\0');
  unsigned priority = 0;
  const ssize_t count =
      until == nullptr ? ::mq_receive(queue, bytes.data(), bytes.size(), &priority)
                       : ::mq_timedreceive(queue, bytes.data(), bytes.size(), &priority, until);
  if (count < 0) return answer_of(count);
  bytes.resize(static_cast<std::size_t>(count));
  return ok(priority, word_of(bytes));
}

template <class Call>
std::string without_waiting(const Words& words, Call call) {
  never_wait(queues.at(words[0]), true);
  const std::string answer = call(words, nullptr);
  never_wait(queues.at(words[0]), false);
  return answer;
}

std::string attributes(const Words& words) {
  mq_attr attributes{};
  if (::mq_getattr(queues.at(words[0]), &attributes) != 0) return answer_of(-1);
  return ok(attributes.mq_maxmsg, attributes.mq_msgsize, attributes.mq_curmsgs);
}

// mq_notify NAME VALUE
std::string notify(const Words& words) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, notice_signal());
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = notice_signal();
  event.sigev_value.sival_int = static_cast<int>(words.number(1));
  return answer_of(::mq_notify(queues.at(words[0]), &event));
}

// notice NAME: what has come: the value, and by whom. It never waits: a notice is there before the
// sender's call has returned.
std::string notice(const Words&) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, notice_signal());
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
              [](const Words& words) { return answer_of(::mq_close(queues.at(words[0]))); });
  actor.offer("mq_unlink",
              [](const Words& words) { return answer_of(::mq_unlink(words[0].c_str())); });
  actor.offer("mq_send", [](const Words& words) { return send(words, nullptr); });
  actor.offer("mq_receive", [](const Words& words) { return receive(words, nullptr); });
  actor.offer("mq_try_send", [](const Words& words) { return without_waiting(words, send); });
  actor.offer("mq_try_receive", [](const Words& words) { return without_waiting(words, receive); });
  actor.offer("mq_timed_send", [](const Words& words) {
    const timespec until = deadline_of(words, 1);
    return send(words, &until);
  });
  actor.offer("mq_timed_receive", [](const Words& words) {
    const timespec until = deadline_of(words, 1);
    return receive(words, &until);
  });
  actor.offer("mq_attributes", attributes);
  actor.offer("mq_notify", notify);
  actor.offer("mq_stop_notices", [](const Words& words) {
    return answer_of(::mq_notify(queues.at(words[0]), nullptr));
  });
  actor.offer("mq_notice", notice);
}

}  // namespace signalbox::scenarios
