// As tee(1), but no byte passes through this process: the kernel lets the pipes share the pages.
//   producer | pipe_fan_out >(one consumer) >(another) | the last
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <thread>
#include <vector>

#include "signalbox/os/zero_copy.hpp"

namespace os = signalbox::os;
using signalbox::Deadline;

// Gives each byte to one output and to what follows, which then finds the end of the file.
void pass_on(os::PipeReader from, const os::PipeWriter& copy, os::Fd rest) {
  os::FanOut both(from, copy, rest);
  for (;;) {
    const auto moved = both.step(Deadline::never());
    if (!moved) std::fprintf(stderr, "pipe_fan_out: %s\n", moved.error().text.c_str());
    if (!moved) std::exit(1);
    if (*moved == 0) return;
  }
}

int main(int words, char* word[]) {
  auto from = os::PipeReader::adopt(os::Fd(dup(STDIN_FILENO)));
  if (!from || words < 2) return std::fputs("usage: ... | pipe_fan_out PIPE...\n", stderr), 2;
  std::deque<os::PipeWriter> outputs;
  for (int i = 1; i < words; ++i) {
    auto output = os::PipeWriter::adopt(os::Fd(open(word[i], O_WRONLY | O_CLOEXEC)));
    if (!output) return std::fprintf(stderr, "%s: %s\n", word[i], output.error().text.c_str()), 1;
    outputs.push_back(std::move(*output));
  }

  // A chain: each link takes from a pipe, and the last gives the rest to standard output. As with
  // tee(1), the slowest output sets the pace.
  std::vector<std::jthread> links;
  for (os::PipeWriter& output : outputs) {
    const bool is_last = &output == &outputs.back();
    auto next = os::Pipe::create().value();
    os::Fd rest = is_last ? os::Fd(dup(STDOUT_FILENO)) : next.writer.release();
    links.emplace_back(pass_on, std::move(*from), std::cref(output), std::move(rest));
    *from = std::move(next.reader);
  }
}
