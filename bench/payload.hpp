// payload.hpp: the 48 bytes that every exchange writes and reads, and the check that it did.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "signalbox/describe.hpp"

namespace bench {

struct Payload {
  std::uint64_t words[6];
};

inline Payload payload_of(std::uint64_t round) {
  Payload payload;
  for (std::uint64_t i = 0; i < 6; ++i) payload.words[i] = round + i;
  return payload;
}

inline void check(const Payload& payload, std::uint64_t round) {
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < 6; ++i) wrong |= payload.words[i] ^ (round + i);
  if (wrong == 0) return;
  std::fprintf(stderr, "bench: message %llu arrived damaged\n",
               static_cast<unsigned long long>(round));
  std::abort();
}

}  // namespace bench

SBX_DESCRIBE(bench::Payload, words);
