#include "crew.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "signalbox/topic.hpp"

namespace crew {

struct Small {
  std::uint64_t spawn, number, words[4];
};
struct Large {
  std::uint64_t spawn, number, words[254];
};

}  // namespace crew

SBX_DESCRIBE(crew::Small, spawn, number, words);
SBX_DESCRIBE(crew::Large, spawn, number, words);

namespace crew {

namespace {

using signalbox::Deadline;
using signalbox::Publisher;
using signalbox::Sample;
using signalbox::Start;
using signalbox::Subscriber;
using namespace std::chrono_literals;

// Set in each worker, before it begins.
signalbox::Tier our_tier = signalbox::Tier::plain;

// Any mixture of two messages shows in some word.
std::uint64_t word_of(std::uint64_t spawn, std::uint64_t number, std::uint64_t index) {
  return (spawn * 0x9e3779b97f4a7c15) ^ (number * 0xc2b2ae3d27d4eb4f) ^ index;
}

template <class T>
void fill(T& message, std::uint64_t spawn, std::uint64_t number) {
  message.spawn = spawn;
  message.number = number;
  std::uint64_t index = 0;
  for (std::uint64_t& word : message.words) word = word_of(spawn, number, index++);
}

template <class T>
bool is_whole(const T& message) {
  std::uint64_t index = 0;
  for (const std::uint64_t word : message.words) {
    if (word != word_of(message.spawn, message.number, index++)) return false;
  }
  return message.spawn < spawns_max;
}

template <class T>
[[noreturn]] void publish_for_ever(std::uint64_t spawn, Report& report) {
  auto out =
      Publisher<T>::open("crew", {.depth = 16, .loans_max = 1, .held_max = 12, .tier = our_tier});
  if (!out) {
    std::fprintf(stderr, "publisher: %s\n", out.error().text.c_str());
    ++report.errors;
    std::_Exit(1);
  }
  for (std::uint64_t number = 0;;) {
    auto loan = out->loan();
    if (!loan) {
      ++report.loans_refused[spawn];
      continue;
    }
    fill(*loan, spawn, number);
    while (!out->publish(std::move(loan), Deadline::after(100ms))) {
    }
    report.published[spawn] = ++number;
  }
}

// Judges one message; `last` remembers each publisher's last number.
template <class T>
class Judge {
 public:
  Judge(std::uint64_t spawn, bool reliable, Report& report)
      : spawn_(spawn), reliable_(reliable), report_(report) {}

  void judge(const Sample<T>& sample) {
    if (!is_whole(*sample)) {
      ++report_.torn;
      return;
    }
    const std::uint64_t next = sample->number + 1;
    std::uint64_t& expected = next_[sample->spawn];
    const bool first = expected == 0;
    if (!first && (reliable_ ? sample->number != expected : sample->number < expected)) {
      ++report_.disordered;
    }
    expected = next;
    if (reliable_) report_.received[sample->spawn] = next;
    ++report_.taken[spawn_];
  }

 private:
  std::uint64_t spawn_;
  bool reliable_;
  Report& report_;
  std::array<std::uint64_t, spawns_max> next_{};
};

template <class T>
Subscriber<T> subscribe(bool reliable, Report& report) {
  auto in =
      Subscriber<T>::open("crew", {.start = Start::next, .reliable = reliable, .tier = our_tier});
  if (!in) {
    std::fprintf(stderr, "subscriber: %s\n", in.error().text.c_str());
    ++report.errors;
    std::_Exit(1);
  }
  return std::move(*in);
}

template <class T>
[[noreturn]] void take_reliably(std::uint64_t spawn, Report& report) {
  auto in = subscribe<T>(true, report);
  static Judge<T> judge(spawn, true, report);
  for (;;) {
    if (!in.wait(Deadline::after(1s))) ++report.errors;
    while (const auto sample = in.take()) judge.judge(sample);
    if (in.lost_count() != 0) report.lost = in.lost_count();
    if (in.status() != nullptr) ++report.errors;
  }
}

template <class T>
[[noreturn]] void take_and_hold(std::uint64_t spawn, Report& report) {
  auto in = subscribe<T>(false, report);
  static Judge<T> judge(spawn, false, report);
  std::array<Sample<T>, 4> held;
  for (std::size_t turn = 0;; ++turn) {
    if (!in.wait(Deadline::after(1s))) ++report.errors;
    auto sample = in.take();
    if (!sample) continue;
    judge.judge(sample);
    auto& place = held[turn % held.size()];
    // What was held all this time must still be what it was.
    if (place && !is_whole(*place)) ++report.torn;
    place = std::move(sample);
  }
}

template <class T>
[[noreturn]] void take_from_descriptor(std::uint64_t spawn, Report& report) {
  auto in = subscribe<T>(false, report);
  static Judge<T> judge(spawn, false, report);
  const auto fd = in.descriptor();
  if (!fd) {
    std::fprintf(stderr, "descriptor: %s\n", fd.error().text.c_str());
    ++report.errors;
    std::_Exit(1);
  }
  for (;;) {
    pollfd readable{.fd = *fd, .events = POLLIN, .revents = 0};
    ::poll(&readable, 1, -1);
    while (const auto sample = in.take()) judge.judge(sample);
  }
}

template <class T>
[[noreturn]] void work(Duty duty, std::uint64_t spawn, Report& report) {
  switch (duty) {
    case Duty::publish:
      publish_for_ever<T>(spawn, report);
    case Duty::take_reliably:
      take_reliably<T>(spawn, report);
    case Duty::take_and_hold:
      take_and_hold<T>(spawn, report);
    case Duty::take_from_descriptor:
      take_from_descriptor<T>(spawn, report);
  }
  std::abort();
}

}  // namespace

Report* map_report() {
  void* at =
      ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : new (at) Report{};
}

pid_t start(Duty duty, std::uint64_t spawn, const Topic& topic, Report& report) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) std::_Exit(1);
  our_tier = topic.tier;
  if (topic.has_frames) work<Large>(duty, spawn, report);
  work<Small>(duty, spawn, report);
}

struct FrameSource::Inside {
  Publisher<Large> out;
};

FrameSource::FrameSource(std::uint32_t held_max, signalbox::Tier tier) {
  auto out = Publisher<Large>::open(
      "crew", {.depth = 4, .loans_max = 1, .held_max = held_max, .tier = tier});
  if (!out) {
    std::fprintf(stderr, "frame source: %s\n", out.error().text.c_str());
    std::abort();
  }
  inside_ = new Inside{std::move(*out)};
}

FrameSource::~FrameSource() { delete inside_; }

bool FrameSource::publish() {
  auto loan = inside_->out.loan();
  if (!loan) return false;
  fill(*loan, 0, number_++);
  return inside_->out.publish(std::move(loan)).has_value();
}

bool visit(const Topic& topic) {
  const auto opened = [](auto result) {
    if (!result) std::fprintf(stderr, "visitor: %s\n", result.error().text.c_str());
    return result.has_value();
  };
  const signalbox::SubscriberOptions options{.tier = topic.tier};
  return topic.has_frames ? opened(Subscriber<Large>::open("crew", options))
                          : opened(Subscriber<Small>::open("crew", options));
}

}  // namespace crew
