#include "wait_set.hpp"

#include <nanobind/stl/optional.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>

#include "clock.hpp"
#include "failure.hpp"
#include "object_docs.hpp"
#include "sliced_wait.hpp"

namespace nb = nanobind;

namespace signalbox_python {
namespace {

std::shared_ptr<WaitSetHandle> create(const Whole& watches_max) {
  constexpr std::uint32_t kWatchesLimit = 65536;
  const auto count = narrow<std::uint32_t>(watches_max, "watches_max", {1, kWatchesLimit});
  sbx_wait_set* raw = nullptr;
  sbx_error error;
  check(sbx_wait_set_create(count, &raw, &error), error);
  return std::make_shared<WaitSetHandle>(raw);
}

// Seconds as the library's nanoseconds; 0: no period.
std::int64_t period_of(double seconds) {
  if (!(seconds >= 0) || seconds > 9e9) throw nb::value_error("period is no span of time");
  if (seconds == 0) return 0;
  return std::max<std::int64_t>(1, std::llround(seconds * 1e9));
}

}  // namespace

WaitSet::WaitSet(const Whole& watches_max) : handle_(create(watches_max)) {}

std::shared_ptr<WaitSetHandle> WaitSet::handle() const {
  if (handle_ == nullptr) throw Failure("closed", 0, "the wait set is closed");
  return handle_;
}

void WaitSet::keep(std::uint64_t number, sbx_watch* raw, std::weak_ptr<SubscriberHandle> topic) {
  watches_.push_back(std::make_unique<WatchHandle>(number, raw, std::move(topic)));
}

void WaitSet::watch_subscriber(Subscriber& subscriber, std::uint64_t number, double period) {
  const std::int64_t period_ns = period_of(period);
  const auto set = handle();
  const auto topic = subscriber.handle();
  Turn set_turn(*set);
  Turn topic_turn(*topic);
  sbx_watch* raw = nullptr;
  sbx_error error;
  check(sbx_wait_set_watch_subscriber(set->raw(), topic->raw(), number, period_ns, &raw, &error),
        error);
  keep(number, raw, topic);
}

template <class Call>
void WaitSet::watch_freely(std::uint64_t number, Call&& call) {
  const auto set = handle();
  Turn turn(*set);
  sbx_watch* raw = nullptr;
  sbx_error error;
  check(call(set->raw(), &raw, &error), error);
  keep(number, raw, {});
}

void WaitSet::watch_mutex(const Mutex& mutex, std::uint64_t number, double period) {
  watch_freely(number, [&, period_ns = period_of(period), watched = mutex.open()](
                           sbx_wait_set* set, sbx_watch** out, sbx_error* error) {
    return sbx_wait_set_watch_mutex(set, watched.get(), number, period_ns, out, error);
  });
}

void WaitSet::watch_semaphore(const Semaphore& semaphore, std::uint64_t number, double period) {
  watch_freely(number, [&, period_ns = period_of(period), watched = semaphore.open()](
                           sbx_wait_set* set, sbx_watch** out, sbx_error* error) {
    return sbx_wait_set_watch_semaphore(set, watched.get(), number, period_ns, out, error);
  });
}

void WaitSet::watch_descriptor(const Whole& fd, std::uint32_t events, std::uint64_t number,
                               double period) {
  const auto descriptor = narrow<std::int32_t>(fd, "the descriptor");
  watch_freely(number, [&, period_ns = period_of(period)](sbx_wait_set* set, sbx_watch** out,
                                                          sbx_error* error) {
    return sbx_wait_set_watch_descriptor(set, descriptor, events, number, period_ns, out, error);
  });
}

void WaitSet::unwatch(std::uint64_t number) {
  if (handle_ == nullptr) return;
  const auto set = handle();
  Turn turn(*set);
  std::erase_if(watches_, [number](const auto& watch) { return watch->number == number; });
}

// The set looks at its topics, which nobody else may use meanwhile.
WaitSet::Answer WaitSet::sleep(WaitSetHandle& set, std::int64_t until, sbx_error& error) {
  std::vector<std::shared_ptr<SubscriberHandle>> topics;
  for (const auto& watch : watches_) {
    if (auto topic = watch->topic.lock(); topic != nullptr && !topic->is_closed()) {
      topics.push_back(std::move(topic));
    }
  }
  Turn set_turn(set);
  std::deque<Turn> turns;
  for (const auto& topic : topics) turns.emplace_back(*topic);
  Answer answer{};
  nb::gil_scoped_release others_run;
  answer.code = sbx_wait_set_wait(set.raw(), &answer.ready, &answer.count, until, &error);
  return answer;
}

nb::list WaitSet::wait(std::optional<double> timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  const auto set = handle();
  for (;;) {
    // Signals do not end this wait, so it looks up as often as a publish that waits.
    const std::int64_t until = is_main_thread() && deadline != SBX_IMMEDIATE
                                   ? sleep_end(deadline, kPublishNsMax)
                                   : deadline;
    sbx_error error;
    const Answer answer = sleep(*set, until, error);
    check(answer.code, error);
    nb::list ready;
    for (std::size_t i = 0; i < answer.count; ++i) {
      ready.append(nb::make_tuple(answer.ready[i].key, answer.ready[i].events));
    }
    if (answer.count != 0) return ready;
    run_signal_handlers();
    if (std::exchange(set->woken, false) || until == deadline) return ready;
  }
}

void WaitSet::wake() {
  const auto set = handle();
  set->woken = true;
  sbx_wait_set_wake(set->raw());
}

void WaitSet::close() {
  if (handle_ == nullptr) return;
  if (handle_->is_ours()) Turn turn(*handle_);  // not under a thread that is inside a call
  watches_.clear();
  handle_->mark_closed();
  handle_.reset();
}

void bind_wait_set(nb::module_& module) {
  nb::class_<WaitSet>(module, "WaitSet", docs::kWaitSet)
      .def(nb::init<const Whole&>(), nb::arg("watches_max"))
      .def("_watch_subscriber", &WaitSet::watch_subscriber)
      .def("_watch_mutex", &WaitSet::watch_mutex)
      .def("_watch_semaphore", &WaitSet::watch_semaphore)
      .def("_watch_descriptor", &WaitSet::watch_descriptor)
      .def("_unwatch", &WaitSet::unwatch)
      .def("_wait", &WaitSet::wait, nb::arg("timeout").none())
      .def("wake", &WaitSet::wake, docs::kWake)
      .def("close", &WaitSet::close, docs::kWaitSetClose)
      .def_prop_ro("closed", &WaitSet::is_closed, "True after close().");
}

}  // namespace signalbox_python
