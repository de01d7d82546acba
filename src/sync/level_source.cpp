#include "sync/level_source.hpp"

namespace signalbox::sync {

std::string pipe_name(std::uint64_t token, std::uint64_t number) {
  return member_file_name(token) + "." + std::to_string(number);
}

Result<int> LevelSource::descriptor() {
  if (event_.is_open()) return event_.get();
  const auto object = object_.lock();
  if (object == nullptr) {
    return std::unexpected(Error{
        Errc::closed, 0, {}, "cannot watch: the last handle of the lock or semaphore is gone."});
  }
  if (object->is_foreign()) return std::unexpected(object->wrong_process("watch"));
  static std::atomic<std::uint64_t> last_number{0};
  number_ = ++last_number;
  members_ = object->members();
  pipe_ = pipe_name(members_->token(), number_);
  auto event = os::EventDescriptor::create(members_->directory(), pipe_, members_->sharing().files);
  if (!event) return std::unexpected(std::move(event.error()));
  event_ = std::move(*event);
  if (!members_->tells_of_deaths()) {
    if (auto watched = event_.watch_clock(); !watched) return std::unexpected(watched.error());
  }
  return event_.get();
}

bool LevelSource::stands_in(SharedObject& object) const noexcept {
  if (place_ == shm::no_place) return false;
  const auto& place = object.line().places[place_];
  return place.owner.load() == members_->token() && place.pipe.load() == number_ &&
         static_cast<shm::Wants>(place.wants.load()) == shm::Wants::news;
}

bool LevelSource::look() noexcept {
  const auto object = object_.lock();
  if (object == nullptr || object->is_foreign() || !event_.is_open()) return false;
  if (object->is_free()) return true;
  event_.drain();
  if (!members_->tells_of_deaths()) object->look_for_the_dead();
  if (!stands_in(*object)) {
    shm::Stand self = object->stand(shm::Wants::news);
    self.pipe = number_;
    place_ = shm::enter(object->line(), self);
    if (place_ == shm::no_place) {
      static_cast<void>(
          signalbox::detail::or_out_of_memory([this] { return event_.watch_clock(); }));
    }
  }
  if (place_ != shm::no_place) object->line().places[place_].call.store(0);
  object->announce();
  return object->is_free();
}

bool LevelSource::glance() const noexcept {
  const auto object = object_.lock();
  if (object == nullptr || object->is_foreign() || !event_.is_open()) return false;
  if (object->is_free()) return true;
  return stands_in(*object) && object->line().places[place_].call.load() != 0;
}

LevelSource::~LevelSource() {
  if (members_ == nullptr || members_->is_foreign()) return;
  const auto object = object_.lock();
  if (object != nullptr && stands_in(*object)) shm::leave(object->line(), place_);
  os::unlink_file(members_->directory(), pipe_);
}

}  // namespace signalbox::sync
