#include "crew.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <new>
#include <string_view>

#include "signalbox/deadline.hpp"

namespace signalbox::differential {

namespace {

// How long an actor sleeps before it looks whether it was asked without being woken.
constexpr std::int64_t nap_ns = 10'000'000'000;

void wait_while(std::atomic<std::uint32_t>& word, std::uint32_t value, std::int64_t ns) {
  const timespec timeout{ns / 1'000'000'000, ns % 1'000'000'000};
  ::syscall(SYS_futex, &word, FUTEX_WAIT, value, &timeout, nullptr, 0);
}

void wake(std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

void nothing(int /*number*/) {}

}  // namespace

Crew::Crew(std::unique_ptr<Side> side, std::chrono::seconds patience)
    : side_(std::move(side)), patience_ns_(std::chrono::nanoseconds(patience).count()) {
  void* const memory = ::mmap(nullptr, sizeof(Slot) * processes, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  slots_ = static_cast<Slot*>(memory);
  for (int process = 0; process < processes; ++process) new (slots_ + process) Slot;
}

Crew::~Crew() {
  for (const Actor& actor : actors_) {
    if (actor.pid <= 0) continue;
    ::kill(actor.pid, SIGKILL);
    ::waitpid(actor.pid, nullptr, 0);
  }
  ::munmap(slots_, sizeof(Slot) * processes);
}

void Crew::begin() {
  address_ = side_->make();
  ++epoch_;
  numbers_.clear();
  numbers_[::getpid()] = -1;
  for (int process = 0; process < processes; ++process) {
    if (actors_.at(static_cast<std::size_t>(process)).pid < 0) start(process);
    numbers_[actors_.at(static_cast<std::size_t>(process)).pid] = process;
  }
}

std::array<Answer, processes> Crew::end(bool removal_wakes) {
  std::array<Answer, processes> answers{};
  if (removal_wakes) side_->remove();
  for (int process = 0; process < processes; ++process) {
    if (!is_busy(process)) continue;
    if (!removal_wakes && slot(process).operation.wait == Wait::until_done) {
      kill(process);
      continue;
    }
    if (!removal_wakes) signal(process);
    // Awake already, so it is a matter of time until it answers; an answer that never comes hangs.
    const std::int64_t end = monotonic_now_ns() + patience_ns_;
    while (!settle(process)) {
      if (monotonic_now_ns() > end) throw Hang("a sleeper of a removed object sleeps on");
    }
    take_answer(process, answers.at(static_cast<std::size_t>(process)));
  }
  if (!removal_wakes) side_->remove();
  return answers;
}

void Crew::start(int process) {
  Slot& slot = *new (slots_ + process) Slot;
  Actor& actor = actors_.at(static_cast<std::size_t>(process));
  actor.pid = ::fork();
  if (actor.pid < 0) throw std::runtime_error("cannot fork an actor");
  if (actor.pid == 0) act(slot);
  const std::string stat = "/proc/" + std::to_string(actor.pid) + "/stat";
  actor.stat.reset(::open(stat.c_str(), O_RDONLY | O_CLOEXEC));
  numbers_[actor.pid] = process;
  busy_.at(static_cast<std::size_t>(process)) = false;
}

// In the actor, until it is killed.
void Crew::act(Slot& slot) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct sigaction action{};
  action.sa_handler = nothing;
  ::sigaction(SIGUSR1, &action, nullptr);
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  std::uint32_t epoch = 0;
  for (;;) {
    std::uint32_t state = 0;
    // sync[slot.state] acquire: the operation is complete.
    while ((state = slot.state.load(std::memory_order_acquire)) != Slot::asked) {
      wait_while(slot.state, state, nap_ns);
    }
    if (epoch != slot.epoch) {
      side_->meet(slot.address);
      epoch = slot.epoch;
    }
    // relaxed[slot.state]: says only that what follows is the operation's own sleep.
    slot.state.store(Slot::taken, std::memory_order_relaxed);
    slot.answer = side_->perform(slot.operation);
    // sync[slot.state] release: the answer is complete.
    slot.state.store(Slot::answered, std::memory_order_release);
    wake(slot.state);
  }
}

void Crew::ask(int process, const Operation& operation) {
  Slot& asked = slot(process);
  asked.operation = operation;
  asked.address = address_;
  asked.epoch = epoch_;
  busy_.at(static_cast<std::size_t>(process)) = true;
  // sync[slot.state] release: the operation is complete.
  asked.state.store(Slot::asked, std::memory_order_release);
  wake(asked.state);
}

void Crew::signal(int process) {
  ::kill(actors_.at(static_cast<std::size_t>(process)).pid, SIGUSR1);
  // A signal that is on its way would find its receiver asleep still, and all would seem settled.
  // The kernel wakes the receiver before kill() returns, so that there is nothing to wait for.
}

void Crew::kill(int process) {
  Actor& actor = actors_.at(static_cast<std::size_t>(process));
  ::kill(actor.pid, SIGKILL);
  ::waitpid(actor.pid, nullptr, 0);
  start(process);
}

// Not /proc/PID/syscall: it says of a process that was woken on another CPU, which has not come
// round to it yet, that it stands in its call still. In stat it runs from the moment of the waking.
bool Crew::is_asleep(int process) const {
  char text[128];
  const int fd = actors_.at(static_cast<std::size_t>(process)).stat.get();
  const ssize_t count = ::pread(fd, text, sizeof text, 0);
  if (count <= 0) return false;
  const std::string_view found(text, static_cast<std::size_t>(count));
  const auto name_end = found.find(')');
  return name_end != std::string_view::npos && found.substr(name_end, 3) == ") S";
}

bool Crew::settle(int process) {
  Slot& asked = slot(process);
  const std::int64_t end = monotonic_now_ns() + patience_ns_;
  for (int looks = 0;; ++looks) {
    // sync[slot.state] acquire: the answer is complete.
    std::uint32_t state = asked.state.load(std::memory_order_acquire);
    if (state == Slot::answered) return true;
    if (asked.operation.may_sleep() && state == Slot::taken && is_asleep(process)) {
      // relaxed[slot.state]: an answer that came meanwhile is read in the next round.
      state = asked.state.load(std::memory_order_relaxed);
      if (state == Slot::taken) return false;
      continue;
    }
    if (looks % 64 == 63 && monotonic_now_ns() > end) {
      throw Hang("process " + std::to_string(process) + " neither answers nor sleeps");
    }
    // Who may fall asleep wakes nobody then, so it is looked at again soon.
    wait_while(asked.state, state, asked.operation.may_sleep() ? 20'000 : 100'000'000);
  }
}

void Crew::settle() {
  // What one does may let another go on, so all are looked at until nothing has changed.
  for (std::array<bool, processes> has_answered{}, before{};;) {
    for (int process = 0; process < processes; ++process) {
      if (is_busy(process)) has_answered.at(static_cast<std::size_t>(process)) = settle(process);
    }
    if (has_answered == before) return;
    before = has_answered;
  }
}

bool Crew::take_answer(int process, Answer& answer) {
  Slot& asked = slot(process);
  // sync[slot.state] acquire: the answer is complete.
  if (asked.state.load(std::memory_order_acquire) != Slot::answered) return false;
  answer = asked.answer;
  // relaxed[slot.state]: the actor sleeps until the driver asks again.
  asked.state.store(Slot::idle, std::memory_order_relaxed);
  busy_.at(static_cast<std::size_t>(process)) = false;
  return true;
}

Facts Crew::look() {
  return side_->look([this](std::int64_t pid) {
    const auto found = numbers_.find(pid);
    return found == numbers_.end() ? -2 : found->second;
  });
}

}  // namespace signalbox::differential
