#include "handle.hpp"

#include <pthread.h>

#include <utility>

#include "failure.hpp"

namespace signalbox_python {
namespace {

std::uint32_t forks_so_far = 0;

void count_fork() { ++forks_so_far; }

// Counting in the child is cheaper than asking for the process id in every call.
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, count_fork);

}  // namespace

std::uint32_t fork_count() noexcept { return forks_so_far; }

std::string in_words(const std::string& topic) { return "topic '" + topic + "'"; }

std::uint32_t tier_of(const std::string& subject, const std::string& name) {
  if (name == "plain") return SBX_TIER_PLAIN;
  if (name == "hardened") return SBX_TIER_HARDENED;
  throw Failure("bad_argument", 0,
                subject + ": tier is '" + name + "'. Use \"plain\" or \"hardened\".");
}

Handle::Handle(const char* kind, std::string topic)
    : kind_(kind), topic_(std::move(topic)), forks_(fork_count()) {}

std::string Handle::name() const {
  return topic_.empty() ? kind_ : std::string(kind_) + " of topic '" + topic_ + "'";
}

Turn::Turn(Handle& handle) : handle_(handle) {
  if (handle.closed_) throw Failure("closed", 0, "the " + handle.name() + " is closed");
  if (!handle.is_ours()) {
    throw Failure("wrong_process", 0,
                  "the " + handle.name() +
                      " was opened before os.fork() and belongs to the parent. "
                      "Open another one in the child.");
  }
  if (handle.in_use_) {
    throw Failure(
        "in_use", 0,
        "the " + handle.name() + " is in use by another thread. Open one for each thread.");
  }
  handle.in_use_ = true;
}

Turn::~Turn() {
  handle_.in_use_ = false;
  handle_.end_turn();
}

PublisherHandle::PublisherHandle(std::string topic, sbx_publisher* raw, bool waits)
    : Handle("publisher", std::move(topic)), raw_(raw), waits_(waits) {}

PublisherHandle::~PublisherHandle() {
  end_turn();
  sbx_publisher_close(raw_);
}

void PublisherHandle::give_back(std::shared_ptr<sbx_loan> loan) noexcept {
  // In a forked child the bookkeeping is the parent's.
  if (!is_ours()) return;
  if (in_use()) {
    given_back_.push_back(std::move(loan));
    return;
  }
  sbx_publisher_drop(raw_, loan.get());
}

void PublisherHandle::end_turn() noexcept {
  for (auto& loan : given_back_) sbx_publisher_drop(raw_, loan.get());
  given_back_.clear();
}

SubscriberHandle::SubscriberHandle(std::string topic, sbx_subscriber* raw)
    : Handle("subscriber", std::move(topic)), raw_(raw) {}

SubscriberHandle::~SubscriberHandle() { sbx_subscriber_close(raw_); }

}  // namespace signalbox_python
