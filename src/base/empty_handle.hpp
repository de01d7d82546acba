// empty_handle.hpp: what a call on a handle answers that was moved from.
#pragma once

#include <string>

#include "signalbox/error.hpp"

namespace signalbox {

// `tried` as in "wait in a wait set".
inline Error empty_handle(const char* tried) noexcept {
  return detail::explained(Errc::bad_argument, [&]() -> Error {
    return {Errc::bad_argument,
            0,
            {},
            std::string("cannot ") + tried +
                ": the handle is empty, it was moved from. Use the one that it was moved to."};
  });
}

}  // namespace signalbox
