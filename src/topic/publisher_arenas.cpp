// How a publisher grows: further arenas for tails that are longer than it was opened for, made when
// a loan asks for them.
#include <utility>

#include "topic/footprint.hpp"
#include "topic/publisher_core.hpp"

namespace signalbox {

namespace {

std::string sum_of(const topic::ArenaPlan& plan) {
  return " A further arena for tails of up to " + std::to_string(plan.tail_bytes_max) +
         " bytes takes " + std::to_string(plan.frames) + " frames of " +
         std::to_string(plan.frame_bytes) + " bytes.";
}

}  // namespace

// On failure why_ says why.
bool PublisherCore::lend_grown(RawLoan& loan, std::size_t tail_bytes) noexcept {
  const std::uint32_t number =
      topic::arena_for(tail_bytes, shape_.tail_bytes_max, shape_.grown_tail_bytes_max);
  if ((arenas_shown_ & 1U << number) == 0) {
    if (auto grown = detail::or_out_of_memory([&] { return grow(number); }); !grown) {
      why_ = detail::explained(grown.error().code, [&]() -> Error {
        if (grown.error().text.find(directory_.name()) == std::string::npos) {
          grown.error().text.insert(0, "topic \"" + directory_.name() + "\": ");
        }
        return std::move(grown.error());
      });
      return false;
    }
  }
  if (!pool_.has_free(number) && !make_frames_free(number)) return false;
  const OwnArena& arena = arenas_[number - 1];
  loan.chunk_ = pool_.lend_from(number);
  loan.arena_ = number;
  const std::uint64_t index = loan.chunk_ - std::uint64_t{number} * shape_.arena_frames;
  loan.frame_ = arena.mapping.data() + arena.frames_offset + index * arena.frame_bytes;
  loan.data_bytes_ = shape_.fixed_bytes;
  loan.tail_bytes_ = tail_bytes;
  loan.owner_ = this;
  ++loans_open_;
  return true;
}

// Nothing of it counts before the last step, and whatever fails is tried again by the next loan.
Result<void> PublisherCore::grow(std::uint32_t number) {
  if (arenas_.size() < number) arenas_.resize(number);
  OwnArena& arena = arenas_[number - 1];
  if (!arena.mapping.is_mapped()) {
    const topic::ArenaPlan plan = topic::plan_arena(directory_.type(), options_, number);
    auto fresh = directory_.create_arena(segment_, number, plan);
    if (!fresh) {
      Error error = std::move(fresh.error());
      if (error.code == Errc::no_space) error.text += sum_of(plan);
      return std::unexpected(std::move(error));
    }
    pool_.add_arena(number);
    fresh->mapping.raise_when_lost(lane_.bell->epoch);
    arena = {.file = std::move(fresh->file),
             .mapping = std::move(fresh->mapping),
             .frame_bytes = plan.frame_bytes,
             .frames_offset = plan.frames_offset};
  }
  if (auto shown = directory_.show_arena(segment_, number, arena.file); !shown) return shown;
  arena.is_shown = true;
  arenas_shown_ |= 1U << number;
  page_->arenas.store(arenas_shown_);
  // Everybody maps it now, or at the latest when a slot names it.
  directory_.announce_change();
  static_cast<void>(refresh());
  return {};
}

void PublisherCore::look_for_lost_arenas() const noexcept {
  for (const OwnArena& arena : arenas_) {
    if (arena.file.is_open()) directory_.look_for_loss(arena.mapping, arena.file);
  }
}

}  // namespace signalbox
