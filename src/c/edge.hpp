// edge.hpp: where C++ results become C codes, and where exceptions end.
//
//   Threads  any
//   Crash    nothing to lose
//   Fork     safe
//   Limits   texts longer than sbx_error holds end with "..."
#pragma once

#include <cstddef>
#include <exception>
#include <initializer_list>
#include <new>
#include <string_view>
#include <utility>

#include "signalbox/error.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/raw_topic.hpp"
#include "signalbox/signalbox.h"

namespace signalbox::c {

// Fills `error` (NULL is allowed) and answers the code to return.
int report(Errc code, int sys_errno, std::string_view text, sbx_error* error) noexcept;
int report(const Error& failure, sbx_error* error) noexcept;

// SBX_BAD_ARGUMENT with "<function>: <problem>"; the problem names the parameter and the remedy.
int bad_argument(std::string_view function, std::string_view problem, sbx_error* error) noexcept;

// The type as the layer below takes it. `type.description` is not NULL.
TypeDescription described(const sbx_type& type);

// The size of the fixed part of a description that an open has accepted, and whether the messages
// are such a fixed part alone.
struct Shape {
  std::size_t fixed_bytes;
  bool has_tail;
};
Shape shape_of(const sbx_type& type);

// Writes the defaults, a whole options struct of this library, to a caller's struct of `size`
// bytes: no byte behind it, and 0 to what this library does not know. All structs start with a
// uint32_t struct_size.
void write_options(const void* defaults, std::size_t defaults_size, void* options,
                   std::size_t size) noexcept;

// Reads an options struct that may have another header's size into `out`, which holds the defaults:
// fields the caller's header lacks keep their default, fields this library lacks must be all 0, so
// nothing the caller asked for is dropped in silence. `first_size` is that of the struct's first
// version; the caller's own size stands in the struct.
int read_options(std::string_view function, const void* options, void* out, std::size_t out_size,
                 std::size_t first_size, sbx_error* error) noexcept;

// A pointer that a caller must give, and the parameter's name.
struct Needed {
  // Not explicit, to be written as a pair; also of a pointer to a pointer.
  template <class T>
  Needed(const T* given, std::string_view parameter) noexcept
      : pointer(static_cast<const void*>(given)), name(parameter) {}
  const void* pointer;
  std::string_view name;
};
// SBX_OK if none is NULL, else SBX_BAD_ARGUMENT with the name of the first that is.
int need(std::string_view function, std::initializer_list<Needed> all, sbx_error* error) noexcept;

// Writes facts, a whole struct of this library, to a caller's struct that says its own size.
// `first_size` is that of the struct's first version. The check alone is for those who take
// something before they write it.
int check_facts_size(std::string_view function, const void* facts, std::size_t first_size,
                     sbx_error* error) noexcept;
int write_facts(std::string_view function, const void* whole, std::size_t whole_size, void* facts,
                std::size_t first_size, sbx_error* error) noexcept;

// NULL is the empty text: that of the environment, for a domain.
inline std::string_view text_of(const char* text) noexcept {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// An sbx_on_signal; another number counts as SBX_ON_SIGNAL_GO_ON.
inline os::OnSignal on_signal_of(int number) noexcept {
  static_assert(SBX_ON_SIGNAL_GO_ON == static_cast<int>(os::OnSignal::go_on));
  static_assert(SBX_ON_SIGNAL_GIVE_UP == static_cast<int>(os::OnSignal::give_up));
  return number == SBX_ON_SIGNAL_GIVE_UP ? os::OnSignal::give_up : os::OnSignal::go_on;
}

template <class T>
int answer(const Result<T>& result, sbx_error* error) noexcept {
  return result ? SBX_OK : report(result.error(), error);
}

// Gives the caller a handle for what was made, if it was. Throws std::bad_alloc.
template <class Handle, class Value>
int hand_out(Result<Value> made, Handle** out, sbx_error* error) {
  if (!made) return report(made.error(), error);
  *out = new Handle{std::move(*made)};
  return SBX_OK;
}

// Runs `body`, which answers a code. Exceptions end here, since unwinding has no meaning in C; none
// but want of memory is expected from below.
template <class Body>
int guarded(std::string_view function, sbx_error* error, Body&& body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return report(Errc::out_of_memory, 0, "out of memory: free some, or raise the process's limit",
                  error);
  } catch (const std::exception& thrown) {
    return bad_argument(function, thrown.what(), error);
  }
}

}  // namespace signalbox::c
