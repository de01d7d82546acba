// object_calls.hpp: what the calls on all the kernel's objects do alike: look at their parameters,
// call a C++ object, answer a code. A handle is a struct with the object, `raw`.
//
//   Threads  as the object
//   Crash    nothing to lose
//   Fork     as the object
//   Limits   none
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "c/edge.hpp"

namespace signalbox::c {

// Makes a handle. `made` answers the object.
template <class Handle, class Make>
int make(std::string_view function, Handle** out, sbx_error* error, Make&& made) noexcept {
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{out, "out"}}, error)) return bad;
    *out = nullptr;
    return hand_out(made(), out, error);
  });
}

// Does something to the object of `handle`, a parameter called `name`.
template <class Handle, class Act>
int act(std::string_view function, Handle* handle, std::string_view name, sbx_error* error,
        Act&& acted) noexcept {
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{handle, name}}, error)) return bad;
    return answer(acted(handle->raw), error);
  });
}

// Asks the object for something that is handed over where the caller wants it.
template <class Handle, class Value, class Ask>
int ask(std::string_view function, Handle* handle, std::string_view name, Value* out,
        std::string_view out_name, sbx_error* error, Ask&& asked) noexcept {
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{handle, name}, {out, out_name}}, error)) return bad;
    const auto result = asked(handle->raw);
    if (result) *out = *result;
    return answer(result, error);
  });
}

// Reads options of which there is one version so far; NULL: the defaults that `out` holds.
template <class Options>
int read_first_options(std::string_view function, const Options* given, Options& out,
                       sbx_error* error) noexcept {
  if (given == nullptr) return SBX_OK;
  return read_options(function, given, &out, sizeof(out), sizeof(out), error);
}

// A pointer that must be given unless it is to nothing: to no bytes, or to no elements.
inline int need_bytes(std::string_view function, const void* data, std::size_t count,
                      std::string_view name, sbx_error* error) noexcept {
  return count == 0 ? SBX_OK : need(function, {{data, name}}, error);
}
inline std::span<const std::byte> bytes_of(const void* data, std::size_t bytes) noexcept {
  return {static_cast<const std::byte*>(data), bytes};
}
inline std::span<std::byte> room_of(void* buffer, std::size_t room) noexcept {
  return {static_cast<std::byte*>(buffer), room};
}

}  // namespace signalbox::c
