// discovery.hpp: the compiled halves of signalbox.topics() and signalbox.TopicWatcher.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "handle.hpp"
#include "signalbox/c/discovery.h"

namespace signalbox_python {

class TopicWatcherHandle final : public Handle {
 public:
  TopicWatcherHandle(std::string topic, sbx_topic_watcher* raw)
      : Handle("topic watcher", std::move(topic)), raw_(raw) {}
  ~TopicWatcherHandle() { sbx_topic_watcher_close(raw_); }
  sbx_topic_watcher* raw() const noexcept { return raw_; }

 private:
  sbx_topic_watcher* raw_;
};

class TopicWatcher {
 public:
  TopicWatcher(const std::optional<std::string>& topic, const std::optional<std::string>& domain);

  // (kind, topic, pid, incarnation), or None.
  nanobind::object take();
  nanobind::object receive(std::optional<double> timeout);
  bool wait(std::optional<double> timeout);
  int descriptor();
  void close();
  bool is_closed() const noexcept { return handle_ == nullptr; }
  const std::optional<std::string>& topic() const noexcept { return topic_; }
  std::string repr() const;

 private:
  // Shared, so that a signal handler that closes the watcher does not close it under the call it
  // interrupted. Throws Failure: closed.
  std::shared_ptr<TopicWatcherHandle> handle() const;
  bool wait_until(std::int64_t deadline);

  std::optional<std::string> topic_;            // none: all of the domain
  std::shared_ptr<TopicWatcherHandle> handle_;  // null once closed
};

void bind_discovery(nanobind::module_& module);

}  // namespace signalbox_python
