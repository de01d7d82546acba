// publisher.cpp: sbx_publisher and sbx_loan over RawPublisher and RawLoan.
#include <algorithm>
#include <cassert>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "c/edge.hpp"
#include "c/publisher_options.hpp"
#include "signalbox/raw_topic.hpp"
#include "signalbox/signalbox.h"

using signalbox::Deadline;
using signalbox::Errc;
using signalbox::RawLoan;
using signalbox::RawPublisher;
using signalbox::c::bad_argument;
using signalbox::c::guarded;
using signalbox::c::read_publisher_options;
using signalbox::c::report;

// The loans live here and not in the caller's struct: an sbx_loan is plain C data that knows
// nothing of destructors. `chunk_` in it is the address of its slot.
struct sbx_publisher {
  RawPublisher raw;
  signalbox::c::Shape shape;
  std::uint32_t loans_max;
  std::unique_ptr<RawLoan[]> loans;  // after `raw`: loans must end before their publisher

  // Whether messages travel in their slot and have one size, so that no loan is needed to send one.
  bool is_plain() const noexcept {
    return shape.fixed_bytes != 0 && shape.fixed_bytes <= signalbox::inline_bytes_max &&
           !shape.has_tail;
  }
};

namespace {

RawLoan* slot_of(const sbx_loan& loan) noexcept {
  return reinterpret_cast<RawLoan*>(static_cast<std::uintptr_t>(loan.chunk_));
}

// The loan's slot if it is one of this publisher's and in use; else null.
RawLoan* own_slot(sbx_publisher& publisher, const sbx_loan& loan) noexcept {
  for (std::uint32_t i = 0; i < publisher.loans_max; ++i) {
    RawLoan& slot = publisher.loans[i];
    if (&slot == slot_of(loan)) return slot ? &slot : nullptr;
  }
  return nullptr;
}

// A slot that is as good as new: what an ended loan remembers of its frame must not come back.
RawLoan* free_slot(sbx_publisher& publisher) noexcept {
  for (std::uint32_t i = 0; i < publisher.loans_max; ++i) {
    RawLoan& slot = publisher.loans[i];
    if (slot) continue;
    slot = RawLoan{};
    return &slot;
  }
  return nullptr;
}

// What the caller sees of a loan. An absent part is NULL, not a pointer to nothing.
void show(RawLoan& slot, sbx_loan& loan) noexcept {
  const std::span<std::byte> data = slot.data();
  const std::span<std::byte> tail = slot.tail();
  loan = sbx_loan{};
  loan.data = data.empty() ? nullptr : data.data();
  loan.tail = tail.empty() ? nullptr : tail.data();
  loan.data_bytes = data.size();
  loan.tail_bytes = tail.size();
  loan.chunk_ = reinterpret_cast<std::uintptr_t>(&slot);
}

int lend(sbx_publisher& publisher, std::uint64_t tail_bytes, sbx_loan& loan, sbx_error* error) {
  loan = sbx_loan{};
  if (tail_bytes > SIZE_MAX) {
    return report(Errc::too_large, 0, "sbx_publisher_loan: the tail exceeds the address space",
                  error);
  }
  // With every slot taken loans_max is reached, or this is a forked child: lend() says which.
  RawLoan refused;
  RawLoan* slot = free_slot(publisher);
  if (!publisher.raw.lend(slot == nullptr ? refused : *slot,
                          static_cast<std::size_t>(tail_bytes))) {
    return report(publisher.raw.why(), error);
  }
  assert(slot != nullptr);
  show(*slot, loan);
  return SBX_OK;
}

constexpr const char* no_loan =
    "'loan' is not an open loan of this publisher: fill it with sbx_publisher_loan(); publish and "
    "drop end it";

int publish(sbx_publisher& publisher, RawLoan& loan, std::int64_t deadline_ns,
            std::uint64_t* position, sbx_error* error) {
  const auto published = publisher.raw.publish(loan, Deadline::at_ns(deadline_ns));
  if (!published) return report(published.error(), error);
  if (position != nullptr) *position = *published;
  return SBX_OK;
}

// send() for messages that travel in their slot: a copy with zeroes behind it where it needs some.
int send_in_place(sbx_publisher& publisher, const void* data, std::int64_t deadline_ns,
                  std::uint64_t* position, sbx_error* error) {
  alignas(16) std::byte padded[signalbox::inline_bytes_max];
  const std::size_t bytes = publisher.shape.fixed_bytes;
  const auto* whole = static_cast<const std::byte*>(data);
  if (bytes != signalbox::padded_bytes(bytes)) {
    std::memset(padded + bytes, 0, signalbox::padded_bytes(bytes) - bytes);
    std::memcpy(padded, data, bytes);
    whole = padded;
  }
  const std::uint64_t sent = publisher.raw.send_in_place(whole, Deadline::at_ns(deadline_ns));
  if (sent == RawPublisher::no_position) return report(publisher.raw.why(), error);
  if (position != nullptr) *position = sent;
  return SBX_OK;
}

// send() for all others: loan, copy, publish.
int send_by_loan(sbx_publisher& publisher, const void* data, const void* tail,
                 std::uint64_t tail_bytes, std::int64_t deadline_ns, std::uint64_t* position,
                 sbx_error* error) {
  RawLoan loan;
  if (!publisher.raw.lend(loan, static_cast<std::size_t>(tail_bytes))) {
    return report(publisher.raw.why(), error);
  }
  const std::span<std::byte> fixed = loan.data();
  if (!fixed.empty() && data != nullptr) std::memcpy(fixed.data(), data, fixed.size());
  if (tail_bytes > 0) std::memcpy(loan.tail().data(), tail, loan.tail().size());
  return publish(publisher, loan, deadline_ns, position, error);
}

}  // namespace

extern "C" {

int sbx_publisher_open(const char* topic, const sbx_type* type,
                       const sbx_publisher_options* options, sbx_publisher** out,
                       sbx_error* error) {
  constexpr std::string_view function = "sbx_publisher_open";
  return guarded(function, error, [&]() -> int {
    if (out == nullptr) return bad_argument(function, "'out' is NULL", error);
    *out = nullptr;
    if (topic == nullptr) return bad_argument(function, "'topic' is NULL", error);
    if (type == nullptr || type->description == nullptr) {
      return bad_argument(function, "'type' or its description is NULL", error);
    }
    signalbox::PublisherOptions read;
    if (const int code = read_publisher_options(function, options, read, error)) return code;
    auto raw = RawPublisher::open(topic, signalbox::c::described(*type), read);
    if (!raw) return report(raw.error(), error);
    *out = new sbx_publisher{std::move(*raw), signalbox::c::shape_of(*type), read.loans_max,
                             std::make_unique<RawLoan[]>(read.loans_max)};
    return SBX_OK;
  });
}

void sbx_publisher_close(sbx_publisher* publisher) { delete publisher; }

int sbx_publisher_loan(sbx_publisher* publisher, uint64_t tail_bytes, sbx_loan* loan,
                       sbx_error* error) {
  constexpr std::string_view function = "sbx_publisher_loan";
  return guarded(function, error, [&]() -> int {
    if (publisher == nullptr) return bad_argument(function, "'publisher' is NULL", error);
    if (loan == nullptr) return bad_argument(function, "'loan' is NULL", error);
    return lend(*publisher, tail_bytes, *loan, error);
  });
}

int sbx_publisher_loan_batch(sbx_publisher* publisher, uint64_t tail_bytes, sbx_loan* loans,
                             size_t count, size_t* lent, sbx_error* error) {
  constexpr std::string_view function = "sbx_publisher_loan_batch";
  return guarded(function, error, [&]() -> int {
    if (lent == nullptr) return bad_argument(function, "'lent' is NULL", error);
    *lent = 0;
    if (publisher == nullptr) return bad_argument(function, "'publisher' is NULL", error);
    if (count == 0) return SBX_OK;
    if (loans == nullptr) return bad_argument(function, "'loans' is NULL", error);
    std::fill_n(loans, count, sbx_loan{});
    for (; *lent < count; ++*lent) {
      if (const int code = lend(*publisher, tail_bytes, loans[*lent], error)) return code;
    }
    return SBX_OK;
  });
}

int sbx_loan_shorten(sbx_loan* loan, uint64_t tail_bytes, sbx_error* error) {
  constexpr std::string_view function = "sbx_loan_shorten";
  return guarded(function, error, [&]() -> int {
    if (loan == nullptr || slot_of(*loan) == nullptr) {
      return bad_argument(function, "'loan' is NULL or not an open loan", error);
    }
    // Compared here as 64 bits, so that nothing is cut off where size_t has 32.
    if (tail_bytes > loan->tail_bytes) {
      return bad_argument(function, "'tail_bytes' is more than was lent", error);
    }
    RawLoan& slot = *slot_of(*loan);
    const auto shortened = slot.shorten(static_cast<std::size_t>(tail_bytes));
    if (!shortened) return report(shortened.error(), error);
    show(slot, *loan);
    return SBX_OK;
  });
}

int sbx_publisher_publish(sbx_publisher* publisher, sbx_loan* loan, int64_t deadline_ns,
                          uint64_t* position, sbx_error* error) {
  constexpr std::string_view function = "sbx_publisher_publish";
  return guarded(function, error, [&]() -> int {
    if (publisher == nullptr) return bad_argument(function, "'publisher' is NULL", error);
    RawLoan* slot = loan == nullptr ? nullptr : own_slot(*publisher, *loan);
    if (slot == nullptr) return bad_argument(function, no_loan, error);
    const int code = publish(*publisher, *slot, deadline_ns, position, error);
    if (code == SBX_OK) *loan = sbx_loan{};
    return code;
  });
}

int sbx_publisher_publish_batch(sbx_publisher* publisher, sbx_loan* loans, size_t count,
                                int64_t deadline_ns, size_t* published, sbx_error* error) {
  constexpr std::string_view function = "sbx_publisher_publish_batch";
  std::size_t unwanted = 0;
  std::size_t& done = published == nullptr ? unwanted : *published;
  done = 0;
  return guarded(function, error, [&]() -> int {
    if (publisher == nullptr) return bad_argument(function, "'publisher' is NULL", error);
    if (count == 0) return SBX_OK;
    if (loans == nullptr) return bad_argument(function, "'loans' is NULL", error);
    // No more can be open, so a longer batch has one that is not.
    RawLoan* slots[signalbox::loans_max];
    for (std::size_t i = 0; i < count; ++i) {
      RawLoan* const slot = own_slot(*publisher, loans[i]);
      if (slot == nullptr || i == signalbox::loans_max) {
        return bad_argument(function, no_loan, error);
      }
      slots[i] = slot;
    }
    done = publisher->raw.publish_batch({slots, count}, Deadline::at_ns(deadline_ns));
    std::fill_n(loans, done, sbx_loan{});
    return done == count ? SBX_OK : report(publisher->raw.why(), error);
  });
}

void sbx_publisher_drop(sbx_publisher* publisher, sbx_loan* loan) {
  if (publisher == nullptr || loan == nullptr) return;
  if (RawLoan* slot = own_slot(*publisher, *loan)) *slot = RawLoan{};
  *loan = sbx_loan{};
}

int sbx_publisher_send(sbx_publisher* publisher, const void* data, const void* tail,
                       uint64_t tail_bytes, int64_t deadline_ns, uint64_t* position,
                       sbx_error* error) {
  constexpr std::string_view function = "sbx_publisher_send";
  return guarded(function, error, [&]() -> int {
    if (publisher == nullptr) return bad_argument(function, "'publisher' is NULL", error);
    if (tail == nullptr && tail_bytes > 0) {
      return bad_argument(function, "'tail' is NULL but 'tail_bytes' is not 0", error);
    }
    if (tail_bytes > SIZE_MAX) {
      return report(Errc::too_large, 0, "sbx_publisher_send: the tail exceeds the address space",
                    error);
    }
    if (data == nullptr && publisher->shape.fixed_bytes != 0) {
      return bad_argument(function, "'data' is NULL but the type has a fixed part", error);
    }
    if (publisher->is_plain() && tail_bytes == 0) {
      return send_in_place(*publisher, data, deadline_ns, position, error);
    }
    return send_by_loan(*publisher, data, tail, tail_bytes, deadline_ns, position, error);
  });
}

int sbx_publisher_send_batch(sbx_publisher* publisher, const void* messages, size_t count,
                             int64_t deadline_ns, size_t* sent, sbx_error* error) {
  constexpr std::string_view function = "sbx_publisher_send_batch";
  std::size_t unwanted = 0;
  std::size_t& done = sent == nullptr ? unwanted : *sent;
  done = 0;
  return guarded(function, error, [&]() -> int {
    if (publisher == nullptr) return bad_argument(function, "'publisher' is NULL", error);
    const std::size_t bytes = publisher->shape.fixed_bytes;
    if (bytes == 0) return bad_argument(function, "the type has no fixed part", error);
    if (count == 0) return SBX_OK;
    if (messages == nullptr) return bad_argument(function, "'messages' is NULL", error);
    const auto* first = static_cast<const std::byte*>(messages);
    if (publisher->is_plain()) {
      done = publisher->raw.send_batch(first, count, Deadline::at_ns(deadline_ns));
      return done == count ? SBX_OK : report(publisher->raw.why(), error);
    }
    for (; done < count; ++done) {
      const int code =
          send_by_loan(*publisher, first + done * bytes, nullptr, 0, deadline_ns, nullptr, error);
      if (code != SBX_OK) return code;
    }
    return SBX_OK;
  });
}

uint32_t sbx_publisher_subscriber_count(sbx_publisher* publisher) {
  std::uint32_t count = 0;
  guarded("sbx_publisher_subscriber_count", nullptr, [&] {
    if (publisher != nullptr) count = publisher->raw.subscriber_count();
    return SBX_OK;
  });
  return count;
}

uint64_t sbx_publisher_dropped_count(const sbx_publisher* publisher) {
  return publisher == nullptr ? 0 : publisher->raw.dropped_count();
}

uint64_t sbx_publisher_evicted_count(const sbx_publisher* publisher) {
  return publisher == nullptr ? 0 : publisher->raw.evicted_count();
}

}  // extern "C"
