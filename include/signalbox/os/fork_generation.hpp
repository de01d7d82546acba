// os/fork_generation.hpp: which process of a line of forks this is.
//
//   Threads  any
//   Crash    nothing to lose
//   Fork     a child gets a new generation
//   Limits   none
#pragma once

#include <atomic>

namespace signalbox::os {

namespace detail {
// Defined where the handlers are that count it, so that who asks has linked them as well.
extern std::atomic<unsigned> fork_generation_word;
}  // namespace detail

// Grows by one in every forked child: a handle that remembers another value belongs to the parent.
inline unsigned fork_generation() noexcept { return detail::fork_generation_word.load(); }

}  // namespace signalbox::os
