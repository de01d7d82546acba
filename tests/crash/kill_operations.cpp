#include "kill_operations.hpp"

#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <ostream>

#include "kill_messages.hpp"
#include "signalbox/topic.hpp"

namespace kill_driver {

namespace {

using signalbox::Deadline;
using signalbox::Loan;
using signalbox::Publisher;
using signalbox::Sample;
using signalbox::Start;
using signalbox::Subscriber;
using namespace std::chrono_literals;

// As many as a survivor's ring keeps at least.
constexpr Start kKept = Start::back(victim_depth);
constexpr auto kPatience = 20s;
constexpr auto kSleep = 30ms;  // of the operations that must sleep; nobody wakes them

// Asks the kernel and not the C library, so that little is stepped that is not the operation.
void rest() { ::kill(::getpid(), SIGSTOP); }

template <class T>
class Victim {
 public:
  Victim(std::uint64_t author, Report& report) : author_(author), report_(report) {}

  void perform(Work work) {
    prepare(work);
    rest();
    act(work);
    rest();
    go_on_and_leave();
  }

 private:
  void prepare(Work work) {
    switch (work) {
      case Work::open_publisher:
      case Work::open_subscriber:
        return;
      case Work::lend:
      case Work::publish:
        // The ring has gone round, and half of what it shows has been taken.
        open_publisher();
        for (std::uint32_t i = 0; i < victim_depth; ++i) publish(next_loan());
        rest();
        for (std::uint32_t i = 0; i < victim_depth / 2; ++i) publish(next_loan());
        if (work == Work::publish) loan_ = next_loan();
        return;
      case Work::publish_without_room:
        open_publisher();
        for (std::uint32_t i = 0; i < victim_depth; ++i) publish(next_loan());
        loan_ = next_loan();
        fill(loan_, author_, report_.committed);
        return;
      case Work::close_publisher:
        open_publisher();
        publish(next_loan());
        return;
      case Work::grow:
        open_publisher();
        return;
      case Work::take_grown:
        // All meet its publisher while that has only what it was opened with.
        open_subscriber(Start::next);
        open_publisher();
        if (in_->publisher_count() == 0) fail("publisher_count");
        rest();
        publish(next_loan());
        return;
      case Work::take:
      case Work::wait_ready:
      case Work::arm_descriptor:
      case Work::close_subscriber:
        open_subscriber(kKept);
        return;
      case Work::wait_sleeping:
        open_subscriber(Start::next);
        return;
      case Work::release:
        open_subscriber(kKept);
        take();
        return;
    }
  }

  void act(Work work) {
    switch (work) {
      case Work::open_publisher:
        return open_publisher();
      case Work::open_subscriber:
        return open_subscriber(kKept);
      case Work::lend:
      case Work::grow:
        loan_ = next_loan();
        return;
      case Work::publish:
        return publish(std::move(loan_));
      case Work::publish_without_room:
        // It is no trouble that this ends in timed_out.
        if (out_->publish(std::move(loan_), Deadline::after(kSleep))) ++report_.committed;
        return;
      case Work::take:
      case Work::take_grown:
        return take();
      case Work::release:
        sample_ = {};
        return;
      case Work::wait_ready:
      case Work::wait_sleeping:
        if (!in_->wait(Deadline::after(kSleep))) fail("wait");
        return;
      case Work::arm_descriptor:
        if (!in_->descriptor()) fail("descriptor");
        is_armed_ = true;
        return;
      case Work::close_publisher:
        return out_.reset();
      case Work::close_subscriber:
        return in_.reset();
    }
  }

  void go_on_and_leave() {
    if (in_) hear();
    if (loan_) publish(std::move(loan_));
    if (out_) publish(next_loan());
    sample_ = {};
    in_.reset();
    out_.reset();
    report_.left = 1;
  }

  void open_publisher() {
    auto out = Publisher<T>::open("kill", options_of<T>(1));
    if (!out) return fail(out.error().text.c_str());
    out_ = std::move(*out);
  }
  void open_subscriber(Start start) {
    auto in = Subscriber<T>::open("kill", {.start = start, .reliable = true});
    if (!in) return fail(in.error().text.c_str());
    in_ = std::move(*in);
  }
  Loan<T> next_loan() {
    auto loan = lend(*out_);
    if (!loan) fail(out_->why().text.c_str());
    return loan;
  }
  void publish(Loan<T> loan) {
    fill(loan, author_, report_.committed);
    if (out_->publish(std::move(loan))) {
      ++report_.committed;
    } else {
      fail("publish");
    }
  }
  void take() {
    sample_ = in_->take();
    if (!sample_) fail("take");
    note();
  }
  void note() {
    if (!is_whole(sample_)) fail("a message is torn");
    if (sample_->author != survivor) return;
    if (report_.heard == 0) report_.first = sample_->number;
    if (report_.heard != 0 && report_.heard != sample_->number) fail("a number is not the next");
    report_.heard = sample_->number + 1;
  }
  // The deadline is a watchdog. An armed descriptor must tell by itself.
  void hear() {
    const auto deadline = Deadline::after(kPatience);
    while (report_.heard < report_.owed) {
      if (deadline.passed()) fail("does not hear what it is owed");
      sample_ = in_->take();
      if (sample_) {
        note();
      } else if (is_armed_) {
        pollfd one{.fd = in_->descriptor().value(), .events = POLLIN, .revents = 0};
        ::poll(&one, 1, std::chrono::milliseconds(kPatience).count());
      } else {
        static_cast<void>(in_->wait(deadline));
      }
    }
  }
  void fail(const char* what) {
    std::fprintf(stderr, "victim: %s\n", what);
    ++report_.trouble;
    std::_Exit(1);
  }

  std::uint64_t author_;
  Report& report_;
  std::optional<Publisher<T>> out_;
  std::optional<Subscriber<T>> in_;
  Loan<T> loan_;
  Sample<T> sample_;
  bool is_armed_ = false;
};

template <class T>
[[noreturn]] void be_a_corpse(std::uint64_t author) {
  auto out = Publisher<T>::open("kill", options_of<T>(1));
  auto in = Subscriber<T>::open("kill", {.start = Start::oldest, .reliable = true});
  if (!out || !in) std::_Exit(1);
  const auto held = in->take();
  static_cast<void>(in->descriptor());
  auto loan = lend(*out);
  if (!loan) std::_Exit(1);
  fill(loan, author, 0);
  if (!out->publish(std::move(loan))) std::_Exit(1);
  rest();
  std::_Exit(1);
}

template <class T>
[[noreturn]] void contend_with(std::uint64_t author) {
  auto out = Publisher<T>::open("kill", options_of<T>(2));
  auto in = Subscriber<T>::open("kill", {.start = Start::next});
  if (!out || !in) std::_Exit(1);
  for (std::uint64_t number = 0;;) {
    if (auto loan = lend(*out)) {
      fill(loan, author, number);
      if (out->publish(std::move(loan))) ++number;
    }
    while (const auto sample = in->take()) {
      if (!is_whole(sample)) std::abort();
    }
  }
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Operation& operation) {
  return out << operation.name;
}

int rests_before(Work work) {
  return work == Work::lend || work == Work::publish || work == Work::take_grown ? 1 : 0;
}

void live(const Operation& operation, std::uint64_t author, Report& report) {
  // Never destroyed: one that is killed dies with its handles open.
  with_message(operation.carrier,
               [&]<class T>(T) { (new Victim<T>(author, report))->perform(operation.work); });
  std::_Exit(0);
}

void live_to_be_a_corpse(Carrier carrier, std::uint64_t author) {
  with_message(carrier, [author]<class T>(T) { be_a_corpse<T>(author); });
  std::abort();
}

void contend(Carrier carrier, std::uint64_t author) {
  with_message(carrier, [author]<class T>(T) { contend_with<T>(author); });
  std::abort();
}

}  // namespace kill_driver
