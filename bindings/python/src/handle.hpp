// handle.hpp: who may use a handle of the C library: one thread at a time, in its own process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "signalbox/signalbox.h"

namespace signalbox_python {

// How many forks lie between this process and the one that loaded the module.
std::uint32_t fork_count() noexcept;

// What every handle has: the rules, and the facts to check them by. All members are used only with
// the GIL held, which is why plain values do.
class Handle {
 public:
  Handle(const char* kind, std::string topic);
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  const std::string& topic() const noexcept { return topic_; }
  bool is_ours() const noexcept { return forks_ == fork_count(); }
  bool in_use() const noexcept { return in_use_; }
  bool is_closed() const noexcept { return closed_; }
  void mark_closed() noexcept { closed_ = true; }
  // "publisher of topic 'robot/pose'", or the kind alone without a topic; for messages.
  std::string name() const;

 protected:
  ~Handle() = default;

 private:
  friend class Turn;
  // The last words of a turn: what had to wait for it.
  virtual void end_turn() noexcept {}

  const char* kind_;
  std::string topic_;
  std::uint32_t forks_;
  bool in_use_ = false;
  bool closed_ = false;
};

// What options are of, for messages: "topic 'robot/pose'".
std::string in_words(const std::string& topic);

// The number of a tier in the C library; `subject` is whose option it is. Throws Failure.
std::uint32_t tier_of(const std::string& subject, const std::string& name);

// One call's turn on a handle. The GIL admits a second thread only while a call sleeps or copies;
// the turn turns that one away instead of letting it corrupt the handle. Made and ended with the
// GIL held: put `gil_scoped_release` behind it.
class Turn {
 public:
  explicit Turn(Handle& handle);  // throws Failure: closed, wrong_process, in_use
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn();

 private:
  Handle& handle_;
};

class PublisherHandle final : public Handle {
 public:
  PublisherHandle(std::string topic, sbx_publisher* raw, bool waits);
  ~PublisherHandle();

  sbx_publisher* raw() const noexcept { return raw_; }
  // Whether publishing may wait for a reliable subscriber that is behind (when_behind "wait").
  bool waits() const noexcept { return waits_; }
  // Drops a loan now, or at the end of the turn another thread is having.
  void give_back(std::shared_ptr<sbx_loan> loan) noexcept;

 private:
  void end_turn() noexcept override;

  sbx_publisher* raw_;
  bool waits_;
  std::vector<std::shared_ptr<sbx_loan>> given_back_;
};

class SubscriberHandle final : public Handle {
 public:
  SubscriberHandle(std::string topic, sbx_subscriber* raw);
  ~SubscriberHandle();

  sbx_subscriber* raw() const noexcept { return raw_; }

 private:
  sbx_subscriber* raw_;
};

}  // namespace signalbox_python
