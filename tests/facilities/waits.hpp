// waits.hpp: calls of the os layer that sleep, with what wakes them, and what they must not lose.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "done.hpp"
#include "ground.hpp"
#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/on_signal.hpp"

namespace facilities {

struct Waiting {
  std::function<signalbox::Result<void>(signalbox::Deadline, signalbox::os::OnSignal)> wait;
  std::function<void()> satisfy;            // from another thread: now the wait succeeds
  std::function<bool()> is_unchanged = {};  // after a wait that did not succeed
};

struct Wait {
  const char* name;
  Waiting (*prepare)(const Ground&);
  // Some never end for a signal: those of the C library, and of ours those of topics.
  bool may_give_up = true;
  // The kernel goes on by itself where the handler was installed with SA_RESTART.
  bool kernel_restarts = false;
};
inline std::ostream& operator<<(std::ostream& out, const Wait& wait) { return out << wait.name; }

std::vector<Wait> event_waits();
std::vector<Wait> lock_waits();
std::vector<Wait> queue_waits();
std::vector<Wait> socket_waits();
std::vector<Wait> stream_waits();

inline signalbox::Result<void> passed_the_deadline() {
  return std::unexpected(signalbox::Error{signalbox::Errc::timed_out, 0, {}, "timed out"});
}
inline signalbox::Result<void> was_interrupted() {
  return std::unexpected(signalbox::Error{signalbox::Errc::interrupted, 0, {}, "interrupted"});
}

}  // namespace facilities
