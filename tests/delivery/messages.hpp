// messages.hpp: numbered, summed messages, and the book in which a subscriber keeps what arrived.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>

#include "signalbox/describe.hpp"

namespace signalbox::delivery {

// Fits in a slot.
struct Small {
  std::uint64_t number;
  std::uint64_t sum;
  std::uint64_t words[4];
};

// Travels in a frame, with the picture as its tail.
struct Large {
  static constexpr bool sbx_tail = true;
  std::uint64_t number;
  std::uint64_t sum;
};
inline constexpr std::size_t large_tail_bytes = 1920 * 1080 * 3;

// Four sums side by side, weighted by place, so that neither an old word nor two that changed
// places go unnoticed, at the speed of memory.
inline std::uint64_t sum_of(std::uint64_t number, std::span<const std::byte> bytes) noexcept {
  std::uint64_t sums[4] = {number, ~number, number << 7, number >> 3};
  std::size_t at = 0;
  for (; at + 32 <= bytes.size(); at += 32) {
    std::uint64_t words[4];
    std::memcpy(words, bytes.data() + at, sizeof(words));
    for (std::size_t i = 0; i < 4; ++i) sums[i] = sums[i] * 0x9e3779b97f4a7c15 + words[i];
  }
  for (; at < bytes.size(); ++at) sums[at % 4] += std::to_integer<std::uint64_t>(bytes[at]);
  return sums[0] ^ (sums[1] << 1) ^ (sums[2] << 2) ^ (sums[3] << 3);
}

// Every byte differs from that of the message before.
inline void fill(std::uint64_t number, std::span<std::byte> bytes) noexcept {
  std::uint64_t word = number * 0x0101010101010101 + 1;
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    std::memcpy(bytes.data() + at, &word, sizeof(word));
    word += 0x9e3779b97f4a7c15;
  }
}

// What one subscriber saw, in memory that it shares with its parent.
struct Book {
  std::uint64_t received;
  std::uint64_t missed;     // numbers leapt over
  std::uint64_t doubled;    // the number of the message before again
  std::uint64_t reordered;  // a number from further back
  std::uint64_t torn;       // the sum does not fit
  std::uint64_t counted;    // what lost_count() said
  std::uint64_t visits;     // how often it joined
};

// Each publisher's numbers rise by one.
class Accounts {
 public:
  explicit Accounts(Book& book) : book_(book) {}
  // From zero for publishers that are new; `any` accepts a first number as it comes.
  void enter(std::uint64_t publisher, std::uint64_t number, bool is_whole, bool any = false) {
    const auto [entry, is_new] = next_.try_emplace(publisher, any ? number : 0);
    std::uint64_t& next = entry->second;
    ++book_.received;
    book_.torn += is_whole ? 0 : 1;
    if (number > next) book_.missed += number - next;
    if (number + 1 == next) ++book_.doubled;
    if (number + 1 < next) ++book_.reordered;
    if (number >= next) next = number + 1;
  }

 private:
  Book& book_;
  std::map<std::uint64_t, std::uint64_t> next_;
};

}  // namespace signalbox::delivery

SBX_DESCRIBE(signalbox::delivery::Small, number, sum, words);
SBX_DESCRIBE(signalbox::delivery::Large, number, sum);
