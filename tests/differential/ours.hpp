// ours.hpp: our results as answers that can be held against the kernel's.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <cerrno>
#include <chrono>

#include "../scenarios/our_errno.hpp"
#include "base/must.hpp"
#include "operation.hpp"
#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/on_signal.hpp"

namespace signalbox::differential {

template <class T>
Answer answer_of(const Result<T>& result) {
  Answer answer;
  if (!result) answer.error = scenarios::errno_of(result.error());
  return answer;
}

// "It would have had to wait" is a value of ours and EAGAIN of the kernel's.
inline Answer answer_or_would_block(const Result<bool>& result) {
  Answer answer = answer_of(result);
  if (result && !*result) answer.error = EAGAIN;
  return answer;
}

inline Deadline deadline_of(const Operation& operation) {
  return operation.wait == Wait::shortly ? Deadline::after(std::chrono::microseconds(shortly_us))
                                         : Deadline::never();
}

// Wait::shortly has no signal to meet.
inline os::OnSignal on_signal_of(const Operation& operation) {
  return operation.wait == Wait::until_done ? os::OnSignal::go_on : os::OnSignal::give_up;
}

}  // namespace signalbox::differential
