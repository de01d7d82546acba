// topic_source.hpp: what a Waitable of a subscriber points at, and what outlives the subscriber.
//
//   Threads  one at a time, with the subscriber and the set that watches it
//   Crash    nothing to lose
//   Fork     the child's copy changes nothing of the parent's
//   Limits   one set watches a subscriber at a time
#pragma once

#include <cstdint>

namespace signalbox {

struct TopicSource {
  explicit TopicSource(struct SubscriberCore* subscriber) noexcept : core(subscriber) {}
  // The subscriber goes: whoever watches it lets go of its descriptor first.
  void close() noexcept;

  struct SubscriberCore* core;            // null once it is closed
  struct WaitSetCore* watcher = nullptr;  // which set watches it, and as what
  std::uint32_t slot = 0;
};

}  // namespace signalbox
