// error.hpp: the one error vocabulary of Signalbox, and the result type every call returns.
//
//   Threads  values; share them like any other value
//   Crash    nothing to lose
//   Fork     safe
//   Limits   none
#pragma once

#include <expected>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>

namespace signalbox {

// What went wrong, in one of about twenty words. "Nothing yet" is not an error (it is an empty
// handle), and a deadline that passed in a wait is a Wake, not an Errc.
// The numbers are part of the C ABI and never change.
enum class Errc : int {
  bad_argument = 1,       // a parameter is outside its documented range
  bad_name = 2,           // a topic or domain name has a forbidden character or length
  permission_denied = 3,  // the kernel refused access to a file or call
  not_found = 4,          // the object does not exist
  already_exists = 5,     // the object exists and was asked to be new
  type_mismatch = 6,      // both sides describe the message differently; the text names the field
  layout_mismatch = 7,    // the segment was written by an older or newer shared layout
  damaged = 8,            // the segment is truncated, garbage, or breaks its own invariants
  no_space = 9,           // the file system or memory limit cannot hold what was asked for
  limit_reached = 10,     // a documented limit (_max) is used up
  too_large = 11,         // one message is larger than the topic or transport allows
  timed_out = 12,         // the deadline passed and nothing was changed
  would_block = 13,       // it cannot be done at once and the call was asked not to wait
  interrupted = 14,       // a signal handler ran during the wait
  closed = 15,            // the object or its peer is closed
  abandoned = 16,         // the peer died in the middle of what was asked
  wrong_process = 17,     // the object belongs to the parent of a fork
  not_supported = 18,     // this kernel or file system lacks what is needed
  out_of_memory = 19,     // memory or address space is used up
  system = 20,            // any other errno: see Error::sys_errno
  evicted = 21,           // this reliable subscriber was too slow and was left behind
  removed = 22,           // somebody removed the object while it was used or waited for
  out_of_range = 23,      // a count would leave the range that its object can hold
  would_deadlock = 24,    // waiting would never end: this thread holds what it waits for
};

// The name of a code as it appears in every text, for example "type_mismatch".
std::string_view to_string(Errc code) noexcept;

// One failure, complete enough to act on. `text` is a sentence for people: what was tried on which
// object, what was found, what to do. Where the heap is used up it is just "out of memory"; the
// code still says what could not be done.
struct Error {
  Errc code;
  int sys_errno = 0;        // 0 when no system call is to blame
  std::string_view call{};  // the system call that failed, a literal; empty if none
  std::string text{};
};

template <class T>
using Result = std::expected<T, Error>;

namespace detail {

// So short that it lies in the string itself: saying that memory is used up takes none.
inline Error out_of_memory(Errc code = Errc::out_of_memory) noexcept {
  return {code, 0, {}, "out of memory"};
}

// Runs `work`, which answers a Result: that the heap is used up becomes an error like any other,
// and no exception leaves the library.
template <class Work>
std::invoke_result_t<Work> or_out_of_memory(Work work) noexcept {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return std::unexpected(out_of_memory());
  }
}

// Runs `work`, which answers whether it is done. What the heap did not suffice for is not.
template <class Work>
bool done_unless_out_of_memory(Work work) noexcept {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return false;
  }
}

// An error with a text that `make` builds; where there is no memory for it, the code has to do.
template <class Make>
Error explained(Errc code, Make make) noexcept {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    return out_of_memory(code);
  }
}

}  // namespace detail

}  // namespace signalbox
