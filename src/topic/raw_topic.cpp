// The public handles over the cores.
#include "signalbox/raw_topic.hpp"

#include <algorithm>
#include <cstring>

#include "shm/pins.hpp"
#include "topic/publisher_core.hpp"
#include "topic/subscriber_core.hpp"

namespace signalbox {

namespace {

// What the layers below say of a lock or a timer does not know for which topic it was: here is
// where every failure gets that name.
template <class T>
Result<T> about(std::string_view topic, Result<T> result) {
  if (result || result.error().text.find(topic) != std::string::npos) return result;
  result.error().text.insert(0, "topic \"" + std::string(topic) + "\": ");
  return result;
}

}  // namespace

// ---- RawLoan ------------------------------------------------------------------------------------

RawLoan::RawLoan(RawLoan&& other) noexcept { *this = std::move(other); }

RawLoan& RawLoan::operator=(RawLoan&& other) noexcept {
  if (this == &other) return *this;
  if (owner_ != nullptr) owner_->drop(*this);
  owner_ = std::exchange(other.owner_, nullptr);
  frame_ = other.frame_;
  chunk_ = other.chunk_;
  arena_ = other.arena_;
  data_bytes_ = other.data_bytes_;
  tail_bytes_ = other.tail_bytes_;
  if (owner_ != nullptr && frame_ == nullptr)
    std::memcpy(in_place_, other.in_place_, padded_bytes(data_bytes_ + tail_bytes_));
  return *this;
}

void RawLoan::drop() noexcept { owner_->drop(*this); }

std::span<std::byte> RawLoan::tail() noexcept {
  if (frame_ != nullptr) return {frame_ + topic::tail_offset(data_bytes_), tail_bytes_};
  return {in_place_ + data_bytes_, tail_bytes_};
}

Result<void> RawLoan::shorten(std::size_t tail_bytes) {
  if (tail_bytes > tail_bytes_) {
    return std::unexpected(detail::explained(Errc::bad_argument, [&]() -> Error {
      return {Errc::bad_argument,
              0,
              {},
              "cannot shorten a tail of " + std::to_string(tail_bytes_) + " bytes to " +
                  std::to_string(tail_bytes) +
                  ": a loan cannot grow; ask for the larger tail at loan()."};
    }));
  }
  tail_bytes_ = tail_bytes;
  return {};
}

// ---- RawPublisher -------------------------------------------------------------------------------

Result<RawPublisher> RawPublisher::open(std::string_view topic, const TypeDescription& type,
                                        const PublisherOptions& options) {
  return detail::or_out_of_memory([&]() -> Result<RawPublisher> {
    auto core = about(topic, PublisherCore::open(topic, type, options));
    if (!core) return std::unexpected(std::move(core.error()));
    return RawPublisher(std::move(*core));
  });
}

RawPublisher::RawPublisher(std::unique_ptr<PublisherCore> core) noexcept
    : core_(std::move(core)), lane_(&core_->lane()) {}
RawPublisher::RawPublisher(RawPublisher&&) noexcept = default;
RawPublisher& RawPublisher::operator=(RawPublisher&&) noexcept = default;
RawPublisher::~RawPublisher() = default;

bool RawPublisher::lend(RawLoan& loan, std::size_t tail_bytes) noexcept {
  return core_->lend(loan, tail_bytes);
}
Result<std::uint64_t> RawPublisher::publish(RawLoan& loan, Deadline deadline) {
  return core_->publish(loan, deadline);
}
std::size_t RawPublisher::publish_batch(std::span<RawLoan* const> loans,
                                        Deadline deadline) noexcept {
  return core_->publish_batch(loans, deadline);
}
std::uint64_t RawPublisher::send_in_place(const std::byte* padded, Deadline deadline) noexcept {
  return core_->send_in_place(padded, deadline);
}
std::size_t RawPublisher::send_batch(const std::byte* messages, std::size_t count,
                                     Deadline deadline) noexcept {
  return core_->send_batch(messages, count, deadline);
}
void RawPublisher::wake_sleepers() noexcept { core_->wake_sleepers(); }
Error RawPublisher::why() const noexcept {
  return detail::explained(core_->why().code, [this] { return core_->why(); });
}
std::uint32_t RawPublisher::subscriber_count() { return core_->subscriber_count(); }
std::uint64_t RawPublisher::dropped_count() const noexcept { return core_->dropped_count(); }
std::uint64_t RawPublisher::evicted_count() const noexcept { return core_->evicted_count(); }

// ---- RawSample ----------------------------------------------------------------------------------

RawSample::RawSample(RawSample&& other) noexcept { *this = std::move(other); }

RawSample& RawSample::operator=(RawSample&& other) noexcept {
  if (this == &other) return *this;
  release();
  frame_ = other.frame_;
  keeps_ = std::move(other.keeps_);
  pin_ = std::exchange(other.pin_, nullptr);
  data_bytes_ = other.data_bytes_;
  tail_bytes_ = other.tail_bytes_;
  position_ = other.position_;
  publisher_ = std::exchange(other.publisher_, 0);
  if (publisher_ != 0 && frame_ == nullptr)
    std::memcpy(in_place_, other.in_place_, padded_bytes(data_bytes_ + tail_bytes_));
  return *this;
}

void RawSample::release() noexcept {
  if (pin_ != nullptr) {
    const auto* view = static_cast<const PublisherView*>(keeps_.get());
    // A forked child holds a copy of this handle, but the pin is the parent's.
    if (view->presence->generation == os::fork_generation()) {
      shm::unpin(*static_cast<topic::AtomicU64*>(pin_));
    }
    pin_ = nullptr;
    keeps_.reset();
  }
  publisher_ = 0;
}

std::span<const std::byte> RawSample::tail() const noexcept {
  if (frame_ != nullptr) return {frame_ + topic::tail_offset(data_bytes_), tail_bytes_};
  return {in_place_ + data_bytes_, tail_bytes_};
}

// ---- RawSubscriber ------------------------------------------------------------------------------

Result<RawSubscriber> RawSubscriber::open(std::string_view topic, const TypeDescription& type,
                                          const SubscriberOptions& options) {
  return detail::or_out_of_memory([&]() -> Result<RawSubscriber> {
    auto core = about(topic, SubscriberCore::open(topic, type, options));
    if (!core) return std::unexpected(std::move(core.error()));
    return RawSubscriber(std::move(*core));
  });
}

RawSubscriber::RawSubscriber(std::unique_ptr<SubscriberCore> core) noexcept
    : core_(std::move(core)), lane_(&core_->lane()) {}
RawSubscriber::RawSubscriber(RawSubscriber&&) noexcept = default;
RawSubscriber& RawSubscriber::operator=(RawSubscriber&&) noexcept = default;
RawSubscriber::~RawSubscriber() = default;

bool RawSubscriber::take(RawSample& sample) noexcept { return core_->take(sample); }
void RawSubscriber::wake_publisher(const shm::TakeLink<shm::RealAtomics>& link) noexcept {
  os::futex_wake_all(&link.progress->position);
}
bool RawSubscriber::take_latest(RawSample& sample) noexcept { return core_->take_latest(sample); }
std::size_t RawSubscriber::take_batch(std::byte* messages, std::size_t room) noexcept {
  return core_->take_batch(messages, room);
}
Result<Wake> RawSubscriber::wait(Deadline deadline) {
  return detail::or_out_of_memory([&] { return about(core_->topic(), core_->wait(deadline)); });
}
Result<int> RawSubscriber::descriptor() {
  return detail::or_out_of_memory([this] { return about(core_->topic(), core_->descriptor()); });
}
const Error* RawSubscriber::status() const noexcept { return core_->status(); }
std::uint64_t RawSubscriber::lost_count() const noexcept { return core_->lost_count(); }
std::uint64_t RawSubscriber::dropped_count() noexcept { return core_->dropped_count(); }
std::uint64_t RawSubscriber::skipped_count() const noexcept { return core_->skipped_count(); }
std::uint32_t RawSubscriber::publisher_count() { return core_->publisher_count(); }
Waitable RawSubscriber::waitable() const noexcept { return core_->waitable(); }

}  // namespace signalbox
