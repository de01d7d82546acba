// Goal: lines that are asked for keep their content, and nothing beyond them is touched.
// Method: each size up to more than is taken back whole, in memory that ends there.
#include "shm/prefetch.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace signalbox::shm {
namespace {

constexpr std::size_t room = taken_back_whole_max + 4 * fetched_line;

struct alignas(fetched_line) Line {
  std::byte bytes[fetched_line];
};

std::vector<Line> lines_of(std::size_t bytes) {
  std::vector<Line> lines((bytes + fetched_line - 1) / fetched_line);
  unsigned next = 1;
  for (Line& line : lines) {
    for (std::byte& byte : line.bytes) byte = static_cast<std::byte>(next++ * 167U >> 3);
  }
  return lines;
}

TEST(Prefetch, LinesTakenBackKeepTheirContent) {
  for (std::size_t bytes = 1; bytes <= room; bytes += bytes < 4 * fetched_line ? 1 : 997) {
    std::vector<Line> lines = lines_of(bytes);
    const std::vector<Line> before = lines;
    auto* const first = reinterpret_cast<std::byte*>(lines.data());
    take_back(first, bytes);
    prefetch_to_read(first, bytes);
    prefetch_to_write(first);
    EXPECT_EQ(std::memcmp(lines.data(), before.data(), lines.size() * sizeof(Line)), 0) << bytes;
  }
}

}  // namespace
}  // namespace signalbox::shm
