#include "os/placed_object.hpp"

namespace signalbox::os {

namespace {

Error said(Errc code, std::string text) { return {code, 0, {}, std::move(text)}; }

}  // namespace

Result<void> detail::check_room(std::span<const std::byte> bytes, std::size_t size,
                                std::size_t alignment) {
  const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
  if (bytes.size() >= size && bytes.data() != nullptr && address % alignment == 0) return {};
  return std::unexpected(signalbox::detail::explained(Errc::bad_argument, [&] {
    return said(Errc::bad_argument, "cannot place an object in " + std::to_string(bytes.size()) +
                                        " bytes of memory: it needs " + std::to_string(size) +
                                        ", aligned to " + std::to_string(alignment) + ".");
  }));
}

std::string_view name_of(Placed kind) noexcept {
  switch (kind) {
    case Placed::empty:
      return "nothing";
    case Placed::in_the_making:
      return "an object in the making";
    case Placed::semaphore:
      return "a semaphore";
    case Placed::robust_mutex:
      return "a robust mutex";
    case Placed::condition:
      return "a condition";
    case Placed::reader_writer_lock:
      return "a reader/writer lock";
    case Placed::barrier:
      return "a barrier";
  }
  return "bytes of something else";
}

Error room_used_error(Placed kind, std::uint32_t found) noexcept {
  return signalbox::detail::explained(Errc::already_exists, [&] {
    return said(Errc::already_exists,
                "cannot create " + std::string(name_of(kind)) + " there: the memory holds " +
                    std::string(name_of(static_cast<Placed>(found))) +
                    ". Open it instead, or begin with memory that is all zero.");
  });
}

Error nothing_placed_error(Placed kind, std::uint32_t found) noexcept {
  return signalbox::detail::explained(Errc::not_found, [&] {
    return said(Errc::not_found, "cannot open " + std::string(name_of(kind)) +
                                     ": the memory holds " +
                                     std::string(name_of(static_cast<Placed>(found))) +
                                     ". Whoever makes the memory creates it first.");
  });
}

Error object_closed_error(Placed kind) noexcept {
  return signalbox::detail::explained(Errc::closed, [&] {
    return said(Errc::closed, "cannot use " + std::string(name_of(kind)) +
                                  ": this handle is empty; it was moved from or destroyed.");
  });
}

Error placed_failure(int error_number, std::string_view call, Placed kind) noexcept {
  return signalbox::detail::explained(code_of(error_number), [&] {
    std::string tried = "make or destroy " + std::string(name_of(kind));
    switch (error_number) {
      case EBUSY:
        return failure(error_number, call, std::move(tried), Errc::would_block,
                       "Somebody holds it: let them leave first.");
      case EINVAL:
        return failure(error_number, call, std::move(tried), Errc::bad_argument,
                       "A value is outside the range that the C library allows.");
      case ENOTSUP:
        return failure(error_number, call, std::move(tried), Errc::not_supported,
                       "This kernel or C library lacks what was asked for.");
      default:
        return failure(error_number, call, std::move(tried));
    }
  });
}

}  // namespace signalbox::os
