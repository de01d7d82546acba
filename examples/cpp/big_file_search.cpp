// Finds every place of some words in a file that is larger than what is mapped of it at a time:
//   big_file_search WORDS FILE
#include <fcntl.h>

#include <cinttypes>
#include <cstdio>

#include "signalbox/os/mapped_file.hpp"

namespace os = signalbox::os;

int main(int words, char* word[]) {
  if (words != 3) return std::fputs("usage: big_file_search WORDS FILE\n", stderr), 2;
  const os::Fd file(open(word[2], O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return std::perror(word[2]), 1;

  // Nothing is read into memory of ours: a window of the file is mapped, and moves on. What lies
  // across two windows is found as well.
  constexpr std::size_t window_bytes = std::size_t{1} << 20;
  auto search = os::FileSearch::create(file, word[1], 0, window_bytes).value();
  for (;;) {
    const auto found = search.next();
    if (!found) return std::fprintf(stderr, "%s\n", found.error().text.c_str()), 1;
    if (!*found) return 0;
    std::printf("%" PRIu64 "\n", **found);
  }
}
