#include "participant.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <ctime>

namespace stop {

namespace {

using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Publisher;
using signalbox::Subscriber;
using namespace std::chrono_literals;

// How long a condition may take to come true before the test calls it a hang.
constexpr auto kPatience = 60s;
// And how long one lives that nobody ends: the long form stops and goes on for an hour.
constexpr unsigned kOrphanEndsAfterS = 3600;

}  // namespace

Report* map_report() {
  void* const place =
      ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return static_cast<Report*>(place);
}

Participant::Participant(const std::function<int()>& work) : pid_(::fork()) {
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // whoever kills the parent means the whole family
    ::alarm(kOrphanEndsAfterS);
    ::_exit(work());
  }
}

Participant::~Participant() {
  if (pid_ <= 0) return;
  signal(SIGCONT);
  signal(SIGKILL);
  join();
}

void Participant::signal(int number) const { ::kill(pid_, number); }

void Participant::wait_until_stopped() const {
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED);
}

void Participant::wait_until_dead() const {
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
}

int Participant::join() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool eventually(const std::function<bool()>& condition) {
  const Deadline deadline = Deadline::after(kPatience);
  while (!condition()) {
    if (deadline.passed()) return false;
    const timespec rest{.tv_sec = 0, .tv_nsec = 500'000};
    ::nanosleep(&rest, nullptr);
  }
  return true;
}

int publish_beats(Report& report) {
  auto out = Publisher<Beat>::open(beats, {.depth = 16});
  if (!out) return 1;
  for (std::uint64_t number = 0;;) {
    const auto sent = out->send({number}, Deadline::after(20ms));
    if (sent) {
      report.published = ++number;
    } else {
      (sent.error().code == Errc::timed_out ? report.refused : report.errors) += 1;
    }
  }
}

int take_beats(Report& report, bool reliable, bool by_descriptor) {
  auto in = Subscriber<Beat>::open(beats, {.start = signalbox::Start::next, .reliable = reliable});
  if (!in) return 1;
  std::uint64_t publisher = 0;
  std::uint64_t next = 0;
  for (;;) {
    while (const auto sample = in->take()) {
      if (sample.publisher() != publisher) {
        publisher = sample.publisher();
        next = sample.position();
      }
      if (sample.position() < next) report.disordered += 1;
      if (reliable && sample.position() > next) report.lost += sample.position() - next;
      next = sample.position() + 1;
      report.taken += 1;
    }
    if (in->status() != nullptr) report.errors += 1;
    if (!by_descriptor) {
      if (!in->wait(Deadline::after(100ms))) report.errors += 1;
      continue;
    }
    pollfd one{.fd = in->descriptor().value(), .events = POLLIN, .revents = 0};
    ::poll(&one, 1, 1000);
  }
}

}  // namespace stop
