// allocation_window.hpp: runs calls of the library while the test counts, and may refuse, what they
// allocate.
#pragma once

#include <cstdlib>
#include <new>
#include <vector>

#include "signalbox/error.hpp"

namespace allocation {

using signalbox::Errc;

// What this thread allocates meanwhile is counted: the library's own threads come as they like.
extern thread_local bool in_library;

enum Exit : int {
  succeeded = 0,
  refused = 10,
  threw = 11,
  second_try_failed = 12,
  wrong_code = 13
};

// Runs one call of the library under the count; an exception that leaves it ends the process.
template <class Call>
auto of_library(Call call) {
  struct Window {
    Window() { in_library = true; }
    ~Window() { in_library = false; }
  };
  try {
    const Window window;
    return call();
  } catch (const std::bad_alloc&) {
    std::_Exit(threw);
  }
}

// What the call answers the first time and, if memory was refused, the second: that must succeed.
template <class Call>
auto insist(bool& was_refused, Call call) {
  auto answer = of_library(call);
  if (answer) return answer;
  if (answer.error().code != Errc::out_of_memory) std::_Exit(wrong_code);
  was_refused = true;
  answer = of_library(call);
  if (!answer) std::_Exit(second_try_failed);
  return answer;
}

// A refusal that is none of memory keeps its code, also where there was no room for its text.
template <class Call>
void expect_refusal(Errc code, Call call) {
  const auto answer = of_library(call);
  if (answer) std::_Exit(wrong_code);
  const bool is_right = answer.error().code == code || answer.error().code == Errc::out_of_memory;
  if (!is_right) std::_Exit(wrong_code);
}

// Closes a handle under the count.
template <class Handle>
void close(Handle handle) {
  of_library([&] { return static_cast<void>(Handle(std::move(handle))), 0; });
}

// A process of its own plays it; the answer is an Exit.
struct Play {
  const char* name;
  int (*act)();
};
std::vector<Play> lock_plays();
std::vector<Play> looking_plays();

}  // namespace allocation
