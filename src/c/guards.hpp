// guards.hpp: C++'s guards inside the structs in which C's callers keep them.
//
//   Threads  as the guard
//   Crash    as the guard
//   Fork     a child's copy of a guard releases nothing
//   Limits   a guard of two words
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "c/edge.hpp"

namespace signalbox::c {

// A number that no other living thread of the process has; never 0.
inline std::uint64_t this_thread() noexcept {
  static thread_local const char here = 0;
  return reinterpret_cast<std::uintptr_t>(&here);
}

template <class Guard, class Kept>
Guard& inside(Kept& kept) noexcept {
  static_assert(sizeof(Guard) <= sizeof(kept.opaque) && alignof(Guard) <= alignof(Kept));
  return *std::launder(reinterpret_cast<Guard*>(kept.opaque));
}

template <class Kept, class Guard>
void put_in(Kept& kept, Guard&& guard) noexcept {
  kept = {};
  static_assert(sizeof(Guard) <= sizeof(kept.opaque) && alignof(Guard) <= alignof(Kept));
  std::construct_at(reinterpret_cast<Guard*>(kept.opaque), std::forward<Guard>(guard));
  kept.is_held = 1;
}

// Keeps what was taken where the caller wants it, and by whom it has to be released.
template <class Held, class Kept>
void keep(Held&& taken, bool any_thread, Kept& kept) noexcept {
  if (any_thread) taken.let_any_thread_release();
  put_in(kept, std::forward<Held>(taken));
  kept.thread = any_thread ? 0 : this_thread();
}
template <class Held, class Kept>
void keep(Held&& taken, bool any_thread, Kept& kept, int& owner_died) noexcept {
  owner_died = taken.owner_died() ? 1 : 0;
  keep(std::forward<Held>(taken), any_thread, kept);
}

template <class Guard, class Kept>
Guard take_out(Kept& kept) noexcept {
  Guard& there = inside<Guard>(kept);
  Guard guard(std::move(there));
  std::destroy_at(&there);
  kept = {};
  return guard;
}

// SBX_OK if something is held; and by this thread, where threads matter.
template <class Kept>
int check_held(std::string_view function, const Kept* kept, std::string_view name,
               sbx_error* error) noexcept {
  if (const int bad = need(function, {{kept, name}}, error)) return bad;
  if (kept->is_held != 1) {
    return bad_argument(function, "nothing is held: it was released before, or never taken", error);
  }
  if constexpr (requires { kept->thread; }) {
    if (kept->thread != 0 && kept->thread != this_thread()) {
      return bad_argument(function,
                          "another thread holds it: only the one that locked may release, unless "
                          "the lock was opened with any_thread",
                          error);
    }
  }
  return SBX_OK;
}

// The caller says that what a dead owner left half changed is whole again.
template <class Held, class Kept>
int repaired(std::string_view function, Kept* kept, sbx_error* error) noexcept {
  if (const int bad = check_held(function, kept, "guard", error)) return bad;
  Held& held = inside<Held>(*kept);
  held = Held(std::move(held).regardless());
  return SBX_OK;
}

}  // namespace signalbox::c
