// wait_source.hpp: a source of a WaitSet that is neither a topic nor a bare descriptor: it has a
// descriptor that wakes, and says itself whether it is ready.
//
//   Threads  one at a time, with the set that watches it
//   Crash    the source's own affair
//   Fork     callers have checked that they are in the right process
//   Limits   one descriptor each, and what the source says
#pragma once

#include <memory>
#include <utility>

#include "signalbox/error.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox {

struct WaitSource {
  WaitSource() = default;
  WaitSource(const WaitSource&) = delete;
  WaitSource& operator=(const WaitSource&) = delete;
  virtual ~WaitSource() = default;

  // False once nothing can make it ready any more: it is silent then, its periods as well.
  virtual bool is_there() const noexcept = 0;
  // Readable soon after the source became ready, once look() has answered false.
  virtual Result<int> descriptor() = 0;
  // Is it ready? If not, the descriptor is armed: what makes the source ready after this makes the
  // descriptor readable.
  virtual bool look() noexcept = 0;
  // After a look() that answered false: is another worth while? For whoever fears that a wake-up
  // did not come; arms nothing and enters no kernel.
  virtual bool glance() const noexcept = 0;

  // Of what `make` answers, a shared pointer.
  template <class Make>
  static Waitable waitable(Make make) noexcept {
    Waitable made(-1, nullptr);
    made.lacks_memory_ = !detail::done_unless_out_of_memory([&] {
      made.source_ = make();
      return true;
    });
    return made;
  }
};

}  // namespace signalbox
