#include "signalbox/error.hpp"

namespace signalbox {

std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::bad_argument:
      return "bad_argument";
    case Errc::bad_name:
      return "bad_name";
    case Errc::permission_denied:
      return "permission_denied";
    case Errc::not_found:
      return "not_found";
    case Errc::already_exists:
      return "already_exists";
    case Errc::type_mismatch:
      return "type_mismatch";
    case Errc::layout_mismatch:
      return "layout_mismatch";
    case Errc::damaged:
      return "damaged";
    case Errc::no_space:
      return "no_space";
    case Errc::limit_reached:
      return "limit_reached";
    case Errc::too_large:
      return "too_large";
    case Errc::timed_out:
      return "timed_out";
    case Errc::would_block:
      return "would_block";
    case Errc::interrupted:
      return "interrupted";
    case Errc::closed:
      return "closed";
    case Errc::abandoned:
      return "abandoned";
    case Errc::wrong_process:
      return "wrong_process";
    case Errc::not_supported:
      return "not_supported";
    case Errc::out_of_memory:
      return "out_of_memory";
    case Errc::system:
      return "system";
    case Errc::evicted:
      return "evicted";
    case Errc::removed:
      return "removed";
    case Errc::out_of_range:
      return "out_of_range";
    case Errc::would_deadlock:
      return "would_deadlock";
  }
  return "unknown";
}

}  // namespace signalbox
