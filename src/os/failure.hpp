// failure.hpp: turns errno into an Error that says which call failed on which object.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <cerrno>
#include <string>
#include <string_view>

#include "signalbox/error.hpp"

namespace signalbox::os {

// The code that errno maps to when nothing more specific is known.
Errc code_of(int sys_errno) noexcept;

// "cannot <tried>: <call> says <strerror>. <advice for this errno>"
// `tried` is the rest of the sentence "cannot ...", for example "create topic file /dev/shm/x".
Error failure(int sys_errno, std::string_view call, std::string tried);

// What helps against this errno when nothing more specific is known.
std::string general_advice(int sys_errno);

// The same, where the object knows better what the errno means there (a code, not the usual one)
// and what to do about it: which limit was hit, its value, how to see and raise it.
Error failure(int sys_errno, std::string_view call, std::string tried, Errc code,
              std::string_view advice);

// Of a text that holds a zero byte, where the kernel would stop reading it and do something else:
// "cannot <verb> <text>: ...".
Error zero_inside(Errc code, std::string_view verb, std::string_view text);

// Of a listener that was told to let fewer than no clients wait, which listen(2) takes for many.
Error none_could_wait(int waiting_max);

// Makes a call again that a signal handler interrupted: for calls that nobody waits in, so that an
// interruption is not worth telling.
template <class Call>
auto retried(Call call) noexcept {
  for (;;) {
    const auto answer = call();
    if (answer >= 0 || errno != EINTR) return answer;
  }
}

}  // namespace signalbox::os
