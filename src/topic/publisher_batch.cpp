// Many loans published at once: one look at the bell, and who sleeps is woken once.
#include <utility>

#include "topic/publisher_core.hpp"

namespace signalbox {

std::size_t PublisherCore::publish_batch(std::span<RawLoan* const> loans,
                                         Deadline deadline) noexcept {
  std::size_t published = 0;
  bool is_told = true;
  for (RawLoan* const loan : loans) {
    if (loan->owner_ == this && is_fast()) {
      loan->frame_ == nullptr ? fill_with_copy(*loan) : fill_with_frame(*loan);
      is_told = false;
    } else {
      // It may sleep for room: whoever is to make it must know what is there already.
      if (!is_told) ring_the_bell();
      is_told = true;
      auto shown = detail::or_out_of_memory([&] { return publish_slowly(*loan, deadline); });
      if (!shown) {
        why_ = std::move(shown.error());
        return published;
      }
    }
    ++published;
  }
  if (!is_told) ring_the_bell();
  if (shape_.frames != 0 && !loans.empty()) prepare_next_frame(loans.back()->tail_bytes_);
  return published;
}

}  // namespace signalbox
