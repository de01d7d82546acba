// ours.hpp: our results as an actor's answers, and what its operations say to our calls.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "../our_errno.hpp"
#include "actor.hpp"
#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/on_signal.hpp"

namespace signalbox::scenarios {

// The kernel ends a wait at a signal, so ours is asked to.
constexpr auto as_the_kernel = os::OnSignal::give_up;

inline std::string answer_of(const Error& error) { return word_of_errno(errno_of(error)); }

template <class T>
std::string answer_of(const Result<T>& result) {
  return result ? ok() : answer_of(result.error());
}

// "It would have had to wait" is a value of ours.
inline std::string answer_or_would_block(const Result<bool>& result) {
  return result && !*result ? word_of_errno(EAGAIN) : answer_of(result);
}

// Keeps a handle under its name in the scenario.
template <class T>
std::string keep(std::map<std::string, T>& all, const std::string& name, Result<T> made) {
  if (!made) return answer_of(made.error());
  all.erase(name);
  all.emplace(name, std::move(*made));
  return ok();
}

// A span of time, or "past".
inline Deadline deadline_of(const Words& words, std::size_t index) {
  return words[index] == "past" ? Deadline::immediate()
                                : Deadline::after(std::chrono::nanoseconds(words.span_ns(index)));
}

inline std::uint32_t mode_of(const Words& words, std::size_t index) {
  return words.has(index) ? static_cast<std::uint32_t>(std::stoul(words[index], nullptr, 8))
                          : 0600U;
}

}  // namespace signalbox::scenarios
