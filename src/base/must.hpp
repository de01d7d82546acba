// must.hpp: for tests and benches, which end where a Result holds an error.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <stdexcept>
#include <type_traits>
#include <utility>

#include "signalbox/error.hpp"

namespace signalbox {

// What the result holds; its error is thrown, and told by whoever runs the test.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace signalbox
