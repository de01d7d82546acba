// wait_set.hpp: the compiled halves of signalbox.WaitSet and signalbox.Watch.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "handle.hpp"
#include "locks.hpp"
#include "signalbox/c/wait_set.h"
#include "subscriber.hpp"
#include "whole.hpp"

namespace signalbox_python {

class WaitSetHandle final : public Handle {
 public:
  explicit WaitSetHandle(sbx_wait_set* raw) : Handle("wait set", ""), raw_(raw) {}
  ~WaitSetHandle() { sbx_wait_set_close(raw_); }
  sbx_wait_set* raw() const noexcept { return raw_; }

  // A wake() that no wait has answered yet. The library has forgotten it when a slice of a wait
  // ends just then. With the GIL held.
  bool woken = false;

 private:
  sbx_wait_set* raw_;
};

// One source that a set watches, until it is ended; the set keeps it alive.
struct WatchHandle {
  WatchHandle(std::uint64_t key, sbx_watch* watch, std::weak_ptr<SubscriberHandle> of)
      : number(key), raw(watch), topic(std::move(of)) {}
  WatchHandle(const WatchHandle&) = delete;
  WatchHandle& operator=(const WatchHandle&) = delete;
  ~WatchHandle() { sbx_watch_end(raw); }

  std::uint64_t number;
  sbx_watch* raw;
  std::weak_ptr<SubscriberHandle> topic;  // empty for anything else
};

class WaitSet {
 public:
  explicit WaitSet(const Whole& watches_max);
  WaitSet(const WaitSet&) = delete;
  WaitSet& operator=(const WaitSet&) = delete;

  void watch_subscriber(Subscriber& subscriber, std::uint64_t number, double period);
  void watch_mutex(const Mutex& mutex, std::uint64_t number, double period);
  void watch_semaphore(const Semaphore& semaphore, std::uint64_t number, double period);
  void watch_descriptor(const Whole& fd, std::uint32_t events, std::uint64_t number, double period);
  // Nothing to do where it has ended.
  void unwatch(std::uint64_t number);
  // [(number, events), ...]; empty: the deadline passed, or it was woken.
  nanobind::list wait(std::optional<double> timeout);
  void wake();
  void close();
  bool is_closed() const noexcept { return handle_ == nullptr; }

 private:
  // What one sleep answered.
  struct Answer {
    int code;
    std::size_t count;
    const sbx_ready* ready;
  };
  std::shared_ptr<WaitSetHandle> handle() const;
  Answer sleep(WaitSetHandle& set, std::int64_t until, sbx_error& error);
  void keep(std::uint64_t number, sbx_watch* raw, std::weak_ptr<SubscriberHandle> topic);
  // What `call` of the C library watches has no turns to take: anybody may use it meanwhile.
  template <class Call>
  void watch_freely(std::uint64_t number, Call&& call);

  std::shared_ptr<WaitSetHandle> handle_;  // null once closed
  std::vector<std::unique_ptr<WatchHandle>> watches_{};
};

void bind_wait_set(nanobind::module_& module);

}  // namespace signalbox_python
