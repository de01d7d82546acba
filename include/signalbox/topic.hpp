// topic.hpp: start here. Publish and subscribe in shared memory.
//
// A topic is a name. Each publisher owns a ring of slots that every subscriber reads in place;
// a message of at most 48 bytes is one cache line moved once, one of up to 480 bytes a few lines
// side by side, and a larger one is filled and read where it lies. No call enters the kernel unless
// its comment says so.
//
// Whether somebody is there at all is told by a TopicWatcher (discovery.hpp), what DDS calls
// liveliness; a stream that stays quiet for a period by WaitSet::watch_every() (wait_set.hpp).
//
//   Threads  one thread at a time per object; open another object for another thread.
//            A Sample may be destroyed by any thread.
//   Crash    a process that dies loses only what it had not published; nobody has to clean up
//   Fork     an object belongs to the process that opened it; a child gets wrong_process, and finds
//            no memory behind the samples and loans it inherits of messages above inline_bytes_max
//            or with a tail: to look into one there is SIGSEGV
//   Limits   depth_max, loans_max, pins_max, subscribers_max, publishers_max below
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/describe.hpp"
#include "signalbox/error.hpp"
#include "signalbox/raw_topic.hpp"

namespace signalbox {

template <class T>
class Publisher;
template <class T>
class Subscriber;

// A message being filled. Move-only, false when empty. Dropped if never published.
// Must not outlive its publisher.
template <class T>
class Loan {
 public:
  Loan() = default;
  explicit operator bool() const noexcept { return static_cast<bool>(raw_); }
  T* operator->() noexcept { return get(); }
  T& operator*() noexcept { return *get(); }
  // The bytes behind the fixed part; as many as were asked for.
  std::span<std::byte> tail() noexcept { return raw_.tail(); }
  // Publishes fewer tail bytes than were lent. Error: bad_argument when `bytes` is more.
  Result<void> shorten(std::size_t bytes) { return raw_.shorten(bytes); }

 private:
  friend class Publisher<T>;
  T* get() noexcept { return std::launder(reinterpret_cast<T*>(raw_.data().data())); }
  RawLoan raw_;
};

// A received message, read-only. Move-only, false when empty. One that did not travel in its slot
// (inline_bytes_max) is pinned in the publisher's memory until the Sample dies; hold it as long as
// you need it, not longer.
template <class T>
class Sample {
 public:
  Sample() = default;
  explicit operator bool() const noexcept { return static_cast<bool>(raw_); }
  const T* operator->() const noexcept { return get(); }
  const T& operator*() const noexcept { return *get(); }
  std::span<const std::byte> tail() const noexcept { return raw_.tail(); }
  // The message's number at its publisher, from 0, and which publisher (incarnation) that was.
  std::uint64_t position() const noexcept { return raw_.position(); }
  std::uint64_t publisher() const noexcept { return raw_.publisher(); }

 private:
  friend class Subscriber<T>;
  const T* get() const noexcept {
    return std::launder(reinterpret_cast<const T*>(raw_.data().data()));
  }
  RawSample raw_;
};

// Move-only, false when moved from: then it may be destroyed and assigned to, and nothing else,
// because to ask for that would make the shortest paths longer. So is a Subscriber.
template <class T>
class Publisher {
 public:
  explicit operator bool() const noexcept { return static_cast<bool>(raw_); }
  // Joins the topic, creating it if nobody has. Enters the kernel.
  // Errors: bad_name, bad_argument, type_mismatch, layout_mismatch, damaged, no_space,
  // permission_denied, limit_reached, not_supported, out_of_memory, system.
  static Result<Publisher> open(std::string_view topic, const PublisherOptions& options = {}) {
    return detail::or_out_of_memory([&]() -> Result<Publisher> {
      auto raw = RawPublisher::open(topic, {type_name<T>(), topic_description<T>()}, options);
      if (!raw) return std::unexpected(std::move(raw.error()));
      return Publisher(std::move(*raw));
    });
  }

  // A message to fill, bytes uninitialised; empty when subscribers hold every frame or `tail_bytes`
  // is more than the topic allows (why() says which). Lock-free, but where it makes room for a tail
  // above tail_bytes_max: that enters the kernel, and hardened may wait for a stopped subscriber.
  [[nodiscard]] Loan<T> loan(std::size_t tail_bytes = 0) noexcept {
    Loan<T> loan;
    raw_.lend(loan.raw_, tail_bytes);
    return loan;
  }

  // Shows the message to every subscriber and consumes the loan; answers its position, from 0.
  // Never waits: error would_block if a reliable subscriber is a whole ring behind, and then the
  // loan is still yours, unchanged. Enters the kernel only to wake a sleeper or to meet somebody
  // who joined or asked for a descriptor, and with WakeSleepers::no not even then.
  Result<std::uint64_t> publish(Loan<T>&& loan) {
    return raw_.publish(loan.raw_, Deadline::immediate());
  }
  // As above, but waits for a reliable subscriber. Error: timed_out.
  Result<std::uint64_t> publish(Loan<T>&& loan, Deadline deadline) {
    return raw_.publish(loan.raw_, deadline);
  }

  // loan() for each of these empty loans, up to loans_max. Answers how many it filled, from the
  // first on; fewer than asked: why() says why.
  std::size_t loan_batch(std::span<Loan<T>> loans, std::size_t tail_bytes = 0) noexcept {
    std::size_t lent = 0;
    while (lent < loans.size() && raw_.lend(loans[lent].raw_, tail_bytes)) ++lent;
    return lent;
  }
  // publish() for many, in order; sleepers are woken once. Answers how many were published and so
  // consumed; the others are still yours: why() says why the first of them is.
  std::size_t publish_batch(std::span<Loan<T>> loans, Deadline deadline = Deadline::immediate()) {
    std::size_t published = 0;
    while (published < loans.size()) {
      RawLoan* some[loans_max];
      const std::size_t count = std::min<std::size_t>(loans_max, loans.size() - published);
      for (std::size_t i = 0; i < count; ++i) some[i] = &loans[published + i].raw_;
      const std::size_t done = raw_.publish_batch({some, count}, deadline);
      published += done;
      if (done < count) break;
    }
    return published;
  }

  // loan(), copy, publish(), and their errors: the fastest way up to inline_bytes_max bytes.
  Result<std::uint64_t> send(const T& value, Deadline deadline = Deadline::immediate()) {
    if constexpr (has_tail<T> || sizeof(T) > inline_bytes_max) {
      RawLoan loan;
      if (!raw_.lend(loan, 0)) return std::unexpected(raw_.why());
      std::memcpy(loan.data().data(), &value, sizeof(T));
      return raw_.publish(loan, deadline);
    } else {
      return sent(raw_.send_value(value, deadline));
    }
  }

  // send() for many at once: one look at the sleepers, who are woken once. Answers how many were
  // published, in order; fewer than asked when a reliable subscriber is a whole ring behind and the
  // deadline passes, or when the first of the rest cannot be lent: why() says which.
  std::size_t send_batch(std::span<const T> values, Deadline deadline = Deadline::immediate()) {
    if constexpr (has_tail<T> || sizeof(T) > inline_bytes_max) {
      std::size_t sent = 0;
      while (sent < values.size() && send_counted(values[sent], deadline)) ++sent;
      return sent;
    } else {
      return raw_.send_batch(reinterpret_cast<const std::byte*>(values.data()), values.size(),
                             deadline);
    }
  }

  // Why the last loan() was empty, or what the last publish() or send() that failed answered.
  Error why() const noexcept { return raw_.why(); }
  // Subscribers attached now: what is published from then on reaches them unless they fall behind.
  // Enters the kernel only when somebody joined or left.
  std::uint32_t subscriber_count() { return raw_.subscriber_count(); }
  // Messages given up (WhenBehind::drop_new) and subscribers left behind (WhenBehind::evict).
  std::uint64_t dropped_count() const noexcept { return raw_.dropped_count(); }
  std::uint64_t evicted_count() const noexcept { return raw_.evicted_count(); }

 private:
  explicit Publisher(RawPublisher raw) noexcept : raw_(std::move(raw)) {}
  bool send_counted(const T& value, Deadline deadline) {
    RawLoan loan;
    if (!raw_.lend(loan, 0)) return false;
    std::memcpy(loan.data().data(), &value, sizeof(T));
    return raw_.publish(loan, deadline).has_value();
  }
  Result<std::uint64_t> sent(std::uint64_t position) const {
    if (position == RawPublisher::no_position) return std::unexpected(raw_.why());
    return position;
  }
  RawPublisher raw_;
};

template <class T>
class Subscriber {
 public:
  explicit operator bool() const noexcept { return static_cast<bool>(raw_); }
  // Joins the topic, creating it if nobody has. Enters the kernel. Errors as Publisher::open.
  static Result<Subscriber> open(std::string_view topic, const SubscriberOptions& options = {}) {
    return detail::or_out_of_memory([&]() -> Result<Subscriber> {
      auto raw = RawSubscriber::open(topic, {type_name<T>(), topic_description<T>()}, options);
      if (!raw) return std::unexpected(std::move(raw.error()));
      return Subscriber(std::move(*raw));
    });
  }
  static Result<Subscriber> open(std::string_view topic, Start start) {
    return open(topic, SubscriberOptions{.start = start});
  }

  // The next message in publishing order; empty: nothing new, or status() says why not.
  // Enters the kernel only when somebody joined or left, or to arm the descriptor again.
  [[nodiscard]] Sample<T> take() noexcept {
    Sample<T> sample;
    raw_.template take_value<T>(sample.raw_);
    return sample;
  }
  // As take(), but skips to the newest of the publisher in turn; the others count as skipped.
  [[nodiscard]] Sample<T> take_latest() noexcept {
    Sample<T> sample;
    raw_.take_latest(sample.raw_);
    return sample;
  }

  // Copies as many messages as there are, up to the span's size, in order; answers how many. Tails
  // are not copied. Cheaper than take() where messages are small and many.
  std::size_t take_batch(std::span<T> values) noexcept {
    return raw_.take_batch(reinterpret_cast<std::byte*>(values.data()), values.size());
  }

  // Sleeps until take() would find a message, the deadline passes or a signal handler ran; the
  // last two are results, not errors.
  Result<Wake> wait(Deadline deadline) { return raw_.wait(deadline); }

  // A descriptor for an event loop: readable when a message may be there. It never changes and
  // belongs to the subscriber. Take until empty: that last take() arms it again.
  Result<int> descriptor() { return raw_.descriptor(); }

  // For a WaitSet: ready exactly while take() would succeed. Names the subscriber without owning
  // it; it may be moved or closed while it is watched.
  Waitable waitable() const noexcept { return raw_.waitable(); }

  // Why take() was empty, if not because nothing is new: limit_reached (pins_max samples are held),
  // damaged, wrong_process, evicted (wait() says that once). Cleared by the next successful take().
  const Error* status() const noexcept { return raw_.status(); }

  // Messages overwritten before this subscriber came to them; and of one that evicted it all that
  // it has not taken, a growing number, looked up at each call in every slot of such a publisher.
  std::uint64_t lost_count() const noexcept { return raw_.lost_count(); }
  std::uint64_t skipped_count() const noexcept { return raw_.skipped_count(); }
  // Messages that nobody got (WhenBehind::drop_new) since this subscriber joined; publishers
  // attached now. Both enter the kernel only when somebody joined or left.
  std::uint64_t dropped_count() noexcept { return raw_.dropped_count(); }
  std::uint32_t publisher_count() { return raw_.publisher_count(); }

 private:
  explicit Subscriber(RawSubscriber raw) noexcept : raw_(std::move(raw)) {}
  RawSubscriber raw_;
};

}  // namespace signalbox
