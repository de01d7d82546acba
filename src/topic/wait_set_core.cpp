#include "topic/wait_set_core.hpp"

#include <algorithm>

#include "base/empty_handle.hpp"
#include "topic/subscriber_core.hpp"

namespace signalbox {

namespace {

constexpr std::int64_t kPeriodNsMin = 1'000;

// A period may be longer than the clock goes on.
std::int64_t period_end(std::int64_t now, std::int64_t period_ns) noexcept {
  return period_ns > INT64_MAX - now ? INT64_MAX : now + period_ns;
}

Error refuse(Errc code, std::string text) {
  return {code, 0, {}, "cannot watch: " + std::move(text)};
}

}  // namespace

Result<std::shared_ptr<WaitSetCore>> WaitSetCore::create(std::uint32_t watches_max) {
  if (watches_max == 0 || watches_max > watches_limit) {
    return std::unexpected(Error{Errc::bad_argument,
                                 0,
                                 {},
                                 "cannot make a wait set: watches_max is " +
                                     std::to_string(watches_max) + "; use 1 to 65536."});
  }
  auto poll = os::PollSet::create(watches_max);
  if (!poll) return std::unexpected(std::move(poll.error()));
  return std::make_shared<WaitSetCore>(watches_max, std::move(*poll));
}

WaitSetCore::WaitSetCore(std::uint32_t watches_max, os::PollSet poll)
    : poll_(std::move(poll)), slots_(watches_max), generation_(os::fork_generation()) {
  used_.reserve(watches_max);
  topics_.reserve(watches_max);
  topic_slots_.reserve(watches_max);
  ready_.reserve(watches_max);
  words_.resize(os::futex_words_max);
  free_.reserve(watches_max);
  for (std::uint32_t i = watches_max; i > 0; --i) free_.push_back(i - 1);
}

WaitSetCore::~WaitSetCore() {
  for (const std::uint32_t index : used_) {
    if (slots_[index].topic != nullptr) slots_[index].topic->watcher = nullptr;
  }
}

bool WaitSetCore::is_foreign() const noexcept { return generation_ != os::fork_generation(); }

// ---- watching -----------------------------------------------------------------------------------

Result<void> WaitSetCore::check(const Waitable& source, Events events,
                                std::int64_t period_ns) const {
  if (is_foreign()) {
    return std::unexpected(
        refuse(Errc::wrong_process, "the set belongs to the parent of a fork; make one here."));
  }
  if (source.lacks_memory_) return std::unexpected(detail::out_of_memory());
  const bool is_descriptor = source.topic_ == nullptr && source.source_ == nullptr;
  const Events allowed = is_descriptor ? Events::readable | Events::writable : Events::readable;
  if (!any_of(events, allowed) || (events | allowed) != allowed) {
    return std::unexpected(refuse(Errc::bad_argument,
                                  "ask a topic or a lock for readable, a descriptor for "
                                  "readable, writable or both."));
  }
  if (period_ns != 0 && period_ns < kPeriodNsMin) {
    return std::unexpected(refuse(Errc::bad_argument, "the period is under a microsecond."));
  }
  if (free_.empty()) {
    return std::unexpected(
        refuse(Errc::limit_reached, "the set has " + std::to_string(slots_.size()) +
                                        " watches, all it was made for; end one, or create it "
                                        "with a larger watches_max."));
  }
  const TopicSource* const topic = source.topic_.get();
  if (topic == nullptr) return {};
  if (topic->core == nullptr) {
    return std::unexpected(refuse(Errc::closed, "the subscriber was closed."));
  }
  if (topic->core->is_foreign()) {
    return std::unexpected(refuse(
        Errc::wrong_process, "the subscriber belongs to the parent of a fork; open one here."));
  }
  if (topic->watcher != nullptr) {
    return std::unexpected(refuse(Errc::already_exists,
                                  "a set watches this subscriber already; end that watch, or open "
                                  "another subscriber."));
  }
  return {};
}

Result<Watch> WaitSetCore::watch(const Waitable& source, Key key, Events events,
                                 std::int64_t period_ns) {
  if (auto ok = check(source, events, period_ns); !ok)
    return std::unexpected(std::move(ok.error()));
  const std::uint32_t index = free_.back();
  Slot& slot = slots_[index];
  slot = Slot{.number = slot.number + 1 == 0 ? 1 : slot.number + 1,
              .used = true,
              .key = key,
              .wanted = events,
              .topic = source.topic_,
              .source = source.source_,
              .fd = source.fd_,
              .file = {},
              .period_ns = period_ns};
  free_.pop_back();
  used_.push_back(index);
  if (auto begun = detail::or_out_of_memory([&] { return begin(slot); }); !begun) {
    end(slot);
    return std::unexpected(std::move(begun.error()));
  }
  Watch made;
  made.set_ = weak_from_this();
  made.slot_ = index;
  made.number_ = slot.number;
  return made;
}

Result<void> WaitSetCore::begin(Slot& slot) {
  if (slot.period_ns != 0) {
    ++periods_;
    slot.period_ends_ns = period_end(monotonic_now_ns(), slot.period_ns);
  }
  if (!slot.is_descriptor()) {
    slot.topic->watcher = this;
    slot.topic->slot = static_cast<std::uint32_t>(&slot - slots_.data());
    slot.progress = slot.topic->core->progress();
    list_topics();
    return settle_way_to_sleep();
  }
  ++descriptors_;
  int fd = std::exchange(slot.fd, -1);
  if (slot.source != nullptr) {
    ++sources_;
    const auto own = slot.source->descriptor();
    if (!own) return std::unexpected(own.error());
    fd = *own;
  }
  if (auto added = poll_.add(fd, slot.wanted, mark_of(slot)); !added) return added;
  slot.fd = fd;
  slot.file = os::open_file_of(fd);
  forget_numbers_given_out_again(slot);
  return settle_way_to_sleep();
}

// The kernel took this number, so whoever else stands here under it was closed meanwhile: ending
// that watch must not take this one out.
void WaitSetCore::forget_numbers_given_out_again(const Slot& fresh) noexcept {
  for (const std::uint32_t index : used_) {
    Slot& other = slots_[index];
    if (&other != &fresh && other.fd == fresh.fd) other.fd = -1;
  }
}

void WaitSetCore::unwatch(std::uint32_t slot, std::uint32_t number) noexcept {
  if (is_foreign() || slot >= slots_.size()) return;
  if (slots_[slot].used && slots_[slot].number == number) end(slots_[slot]);
}

void WaitSetCore::end(Slot& slot) noexcept {
  const auto index = static_cast<std::uint32_t>(&slot - slots_.data());
  leave_poll(slot);
  if (slot.is_descriptor()) --descriptors_;
  if (slot.source != nullptr) --sources_;
  if (slot.topic != nullptr && slot.topic->watcher == this) slot.topic->watcher = nullptr;
  if (slot.period_ns != 0) --periods_;
  slot = Slot{.number = slot.number, .topic = {}, .source = {}, .file = {}};
  std::erase(used_, index);
  free_.push_back(index);
  list_topics();
  // With less to watch there is nothing to enter, so nothing can fail.
  static_cast<void>(settle_way_to_sleep());
}

void WaitSetCore::source_closes(std::uint32_t index) noexcept {
  if (is_foreign()) return;
  leave_poll(slots_[index]);
  slots_[index].topic->core = nullptr;
  list_topics();
  static_cast<void>(settle_way_to_sleep());
}

// On tickets while there are topics only, and not more than the kernel sleeps on at once.
Result<void> WaitSetCore::settle_way_to_sleep() {
  const std::size_t words = topics_.size() + 1;
  in_poll_ =
      descriptors_ != 0 || words > os::futex_words_max || (words > 1 && !os::can_wait_on_several());
  for (const std::uint32_t index : topic_slots_) {
    Slot& slot = slots_[index];
    if (!in_poll_) leave_poll(slot);
    if (!in_poll_ || slot.fd >= 0) continue;
    if (auto entered = enter_poll(slot); !entered) return entered;
  }
  return {};
}

Result<void> WaitSetCore::enter_poll(Slot& slot) {
  auto fd = slot.topic->core->descriptor();
  if (!fd) return std::unexpected(std::move(fd.error()));
  if (auto added = poll_.add(*fd, Events::readable, mark_of(slot)); !added) return added;
  slot.fd = *fd;
  forget_numbers_given_out_again(slot);
  return {};
}

void WaitSetCore::leave_poll(Slot& slot) noexcept {
  if (slot.fd >= 0) poll_.remove(std::exchange(slot.fd, -1));
}

void WaitSetCore::list_topics() noexcept {
  topics_.clear();
  topic_slots_.clear();
  std::int64_t spin_max_ns = INT64_MAX;
  for (const std::uint32_t index : used_) {
    const Slot& slot = slots_[index];
    if (slot.topic == nullptr || slot.topic->core == nullptr) continue;
    topics_.push_back(slot.topic->core);
    topic_slots_.push_back(index);
    spin_max_ns = std::min(spin_max_ns, slot.topic->core->spin_max_ns());
  }
  spin_.limit(topics_.empty() ? 0 : spin_max_ns);
}

std::uint64_t WaitSetCore::mark_of(const Slot& slot) const noexcept {
  return std::uint64_t{slot.number} << 32 | static_cast<std::uint64_t>(&slot - slots_.data());
}

// Null if the mark is an old watch's.
WaitSetCore::Slot* WaitSetCore::slot_of(std::uint64_t mark) noexcept {
  Slot& slot = slots_[mark & UINT32_MAX];
  return slot.used && slot.number == mark >> 32 && slot.fd >= 0 ? &slot : nullptr;
}

// ---- waiting ------------------------------------------------------------------------------------

Result<std::span<const WaitSet::Ready>> WaitSetCore::wait(Deadline deadline) {
  if (is_foreign()) {
    return std::unexpected(Error{Errc::wrong_process,
                                 0,
                                 {},
                                 "cannot wait: the set belongs to the parent of a fork; make one "
                                 "here."});
  }
  ready_.clear();
  note_progress();
  for (;;) {
    if (wake_word_.exchange(0) != 0) return std::span<const Ready>();
    ++wait_number_;
    collect_topics();
    collect_sources();
    const Deadline until = std::min(deadline, next_period_end());
    if (auto slept = in_poll_ ? sleep_in_poll(until) : sleep_on_words(until); !slept) {
      return std::unexpected(std::move(slept.error()));
    }
    collect_quiet();
    if (!ready_.empty()) break;
    if (wake_word_.load() == 0 && deadline.passed()) break;
  }
  ++turn_;
  return std::span<const Ready>(ready_);
}

void WaitSetCore::wake() noexcept {
  if (is_foreign()) return;
  wake_word_.store(1);
  os::futex_wake_all(&wake_word_);
  poll_.wake();
}

void WaitSetCore::tell(Slot& slot, Events events) noexcept {
  if (slot.told == wait_number_) return;
  slot.told = wait_number_;
  ready_.push_back({slot.key, events});
}

// Begins with another topic each time, so that whoever handles only the first is fair too.
bool WaitSetCore::collect_topics() noexcept {
  const std::size_t count = topics_.size();
  // In the epoll every second turn puts the descriptors first.
  const std::size_t first = in_poll_ ? turn_ / 2 : turn_;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = (first + i) % count;
    if (topics_[at]->anything_ready()) tell(slots_[topic_slots_[at]], Events::readable);
  }
  return !ready_.empty();
}

// Those that are not ready are armed by being asked.
void WaitSetCore::collect_sources() noexcept {
  if (sources_ == 0) return;
  for (const std::uint32_t index : used_) {
    Slot& slot = slots_[index];
    if (slot.source != nullptr && slot.source->look()) tell(slot, Events::readable);
  }
}

bool WaitSetCore::spin(Deadline until) noexcept {
  const TicketSleep look{.topics = topics_, .wake_word = &wake_word_, .words = {}};
  return spin_.until(until, [&look] { return anything_ready(look); });
}

Result<void> WaitSetCore::sleep_on_words(Deadline until) {
  if (!ready_.empty() || until.passed()) return {};
  if (!spin(until)) {
    const auto slept =
        sleep_on_tickets({.topics = topics_, .wake_word = &wake_word_, .words = words_}, until);
    if (!slept) return std::unexpected(slept.error());
  }
  collect_topics();
  return {};
}

Result<void> WaitSetCore::sleep_in_poll(Deadline until) {
  bool only_look = !ready_.empty() || until.passed();
  if (!only_look && spin(until)) {
    collect_topics();
    only_look = true;
  }
  const auto events = poll_until(only_look ? Deadline::immediate() : until);
  if (!events) return std::unexpected(events.error());
  const std::size_t topics_told = ready_.size();
  for (const os::PollEvent& event : *events) collect(event);
  // Topics have the front this time, descriptors the next; within each group somebody else has.
  const auto descriptors = std::span(ready_).subspan(topics_told);
  if (!descriptors.empty()) {
    const std::size_t first = turn_ / 2 % descriptors.size();
    std::ranges::rotate(descriptors, descriptors.begin() + static_cast<std::ptrdiff_t>(first));
  }
  if (turn_ % 2 == 1) {
    std::ranges::rotate(ready_, ready_.begin() + static_cast<std::ptrdiff_t>(topics_told));
  }
  if (poll_is_stale_) return rebuild_poll();
  return {};
}

// Looks up ten times a second where somebody else has to ring: whoever publishes may die before he
// does, and whoever gives a lock back may have no descriptor left to do it with.
Result<std::span<const os::PollEvent>> WaitSetCore::poll_until(Deadline until) {
  if (topics_.empty() && sources_ == 0) return poll_.wait(until);
  for (;;) {
    const Deadline next_look = Deadline::at_ns(monotonic_now_ns() + look_again_every_ns);
    auto events = poll_.wait(std::min(until, next_look));
    const bool only_timed_out = events && events->empty() && !until.passed();
    if (!only_timed_out || !topics_.empty() || wake_word_.load() != 0 || glance()) return events;
  }
}

bool WaitSetCore::glance() const noexcept {
  return std::ranges::any_of(used_, [this](std::uint32_t index) {
    const auto& source = slots_[index].source;
    return source != nullptr && source->glance();
  });
}

void WaitSetCore::collect(const os::PollEvent& event) noexcept {
  Slot* const slot = slot_of(event.mark);
  if (slot == nullptr) {
    poll_is_stale_ = true;
    return;
  }
  if (slot->source != nullptr) {
    if (slot->source->look()) tell(*slot, Events::readable);
    return;
  }
  if (slot->is_descriptor()) {
    tell(*slot, event.events);
    return;
  }
  // Its descriptor says that a message may be there. If none is (it was taken, or a publisher died)
  // the descriptor is armed anew, which looks once more.
  SubscriberCore& topic = *slot->topic->core;
  if (topic.anything_ready() || topic.arm_again()) tell(*slot, Events::readable);
}

// A descriptor was closed while a copy of it stayed open elsewhere, and then its watch ended or its
// number was given out again: the kernel goes on reporting it and lets nobody take it out.
Result<void> WaitSetCore::rebuild_poll() {
  if (auto begun = poll_.start_over(); !begun) return begun;
  poll_is_stale_ = false;
  for (const std::uint32_t index : used_) {
    Slot& slot = slots_[index];
    if (slot.fd < 0) continue;
    const bool same = !slot.is_descriptor() || os::open_file_of(slot.fd) == slot.file;
    if (!same || !poll_.add(slot.fd, slot.wanted, mark_of(slot))) slot.fd = -1;
  }
  return {};
}

// ---- periods ------------------------------------------------------------------------------------

// Messages that were taken between two waits were not missed.
void WaitSetCore::note_progress() noexcept {
  if (periods_ == 0) return;
  const std::int64_t now = monotonic_now_ns();
  for (const std::uint32_t index : topic_slots_) {
    Slot& slot = slots_[index];
    if (slot.period_ns == 0) continue;
    const std::uint64_t progress = slot.topic->core->progress();
    if (progress == slot.progress) continue;
    slot.progress = progress;
    slot.period_ends_ns = period_end(now, slot.period_ns);
  }
}

Deadline WaitSetCore::next_period_end() const noexcept {
  std::int64_t next = INT64_MAX;
  if (periods_ == 0) return Deadline::never();
  for (const std::uint32_t index : used_) {
    const Slot& slot = slots_[index];
    if (slot.period_ns != 0 && slot.is_open()) next = std::min(next, slot.period_ends_ns);
  }
  return Deadline::at_ns(next);
}

void WaitSetCore::collect_quiet() noexcept {
  if (periods_ == 0) return;
  const std::int64_t now = monotonic_now_ns();
  for (const std::uint32_t index : used_) {
    Slot& slot = slots_[index];
    if (slot.period_ns == 0 || !slot.is_open()) continue;
    if (slot.told == wait_number_) {
      slot.period_ends_ns = period_end(now, slot.period_ns);
    } else if (now >= slot.period_ends_ns) {
      tell(slot, Events::deadline_missed);
      slot.period_ends_ns += ((now - slot.period_ends_ns) / slot.period_ns + 1) * slot.period_ns;
    }
  }
}

// ---- the ends that others hold ------------------------------------------------------------------

void TopicSource::close() noexcept {
  if (watcher != nullptr) std::exchange(watcher, nullptr)->source_closes(slot);
  core = nullptr;
}

void Watch::end() noexcept {
  const std::uint32_t number = std::exchange(number_, 0);
  if (number == 0) return;
  if (const auto set = set_.lock()) set->unwatch(slot_, number);
  set_.reset();
}

Result<WaitSet> WaitSet::create(std::uint32_t watches_max) {
  return detail::or_out_of_memory([&]() -> Result<WaitSet> {
    auto core = WaitSetCore::create(watches_max);
    if (!core) return std::unexpected(std::move(core.error()));
    return WaitSet(std::move(*core));
  });
}

Result<Watch> WaitSet::watch(const Waitable& source, Key key, Events events) {
  if (core_ == nullptr) return std::unexpected(empty_handle("watch"));
  return detail::or_out_of_memory([&] { return core_->watch(source, key, events, 0); });
}

Result<Watch> WaitSet::watch_every(const Waitable& source, Key key,
                                   std::chrono::nanoseconds period) {
  if (core_ == nullptr) return std::unexpected(empty_handle("watch"));
  const std::int64_t period_ns = std::max<std::int64_t>(1, period.count());
  return detail::or_out_of_memory(
      [&] { return core_->watch(source, key, Events::readable, period_ns); });
}

Result<std::span<const WaitSet::Ready>> WaitSet::wait(Deadline deadline) {
  if (core_ == nullptr) return std::unexpected(empty_handle("wait in a wait set"));
  return detail::or_out_of_memory([&] { return core_->wait(deadline); });
}

void WaitSet::wake() const noexcept {
  if (core_ != nullptr) core_->wake();
}

}  // namespace signalbox
