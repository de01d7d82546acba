// payload.hpp: the bytes that every exchange writes and reads, and the check that it did.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "signalbox/describe.hpp"

namespace bench {

template <std::size_t count>
struct Words {
  std::uint64_t words[count];
};
using Payload = Words<6>;
using Payload256 = Words<32>;
using Payload1024 = Words<128>;
using Payload4096 = Words<512>;
using Payload16384 = Words<2048>;

// A picture of 1920 x 1080 in RGB, which nobody copies: its number, and a tail of pixels.
struct FrameInfo {
  static constexpr bool sbx_tail = true;
  std::uint64_t round;
};
inline constexpr std::uint64_t frame_bytes = 1920ULL * 1080 * 3;

template <std::size_t count>
void fill(Words<count>& payload, std::uint64_t round) {
  for (std::uint64_t i = 0; i < count; ++i) payload.words[i] = round + i;
}

inline Payload payload_of(std::uint64_t round) {
  Payload payload;
  fill(payload, round);
  return payload;
}

template <std::size_t count>
void check(const Words<count>& payload, std::uint64_t round) {
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < count; ++i) wrong |= payload.words[i] ^ (round + i);
  if (wrong == 0) return;
  std::fprintf(stderr, "bench: message %llu arrived damaged\n",
               static_cast<unsigned long long>(round));
  std::abort();
}

}  // namespace bench

SBX_DESCRIBE(bench::FrameInfo, round);
SBX_DESCRIBE(bench::Payload, words);
SBX_DESCRIBE(bench::Payload256, words);
SBX_DESCRIBE(bench::Payload1024, words);
SBX_DESCRIBE(bench::Payload4096, words);
SBX_DESCRIBE(bench::Payload16384, words);
