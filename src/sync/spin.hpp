// spin.hpp: looks again a few times before it is worth to sleep.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  about a microsecond
#pragma once

namespace signalbox::sync {

// True as soon as `look` answers true. Sleeping and being woken takes longer than this.
template <class Look>
bool spin(Look look) noexcept {
  for (int i = 0; i < 40; ++i) {
    if (look()) return true;
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
  return false;
}

}  // namespace signalbox::sync
