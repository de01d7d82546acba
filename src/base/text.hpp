// text.hpp: pieces of text that others wrote, as they may stand in a message.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace signalbox {

// The beginning of `text`, of at most so many bytes, with no UTF-8 character split: half of one
// makes the whole message unreadable to languages that insist.
constexpr std::string_view cut_to(std::string_view text, std::size_t bytes_max) noexcept {
  if (text.size() <= bytes_max) return text;
  std::size_t at = bytes_max;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0u) == 0x80u) --at;
  return text.substr(0, at);
}

// Whether C, and so the kernel, would read less of it than there is.
constexpr bool holds_zero(std::string_view text) noexcept { return text.contains('\0'); }

// With its zero bytes written as \0.
inline std::string shown(std::string_view text) {
  std::string visible;
  for (const char c : text) c == '\0' ? visible.append("\\0") : visible.append(1, c);
  return visible;
}

}  // namespace signalbox
