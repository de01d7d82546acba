// done.hpp: that a call succeeded, where its value does not matter.
#pragma once

#include <utility>

#include "signalbox/error.hpp"

namespace facilities {

template <class T>
signalbox::Result<void> done(signalbox::Result<T> result) {
  if (!result) return std::unexpected(std::move(result.error()));
  return {};
}

}  // namespace facilities
