// A parent asks its child over one pipe and is answered over another, as a shell's coprocess does.
// When the parent closes its end, the child finds the end of its input, and ends.
#include <cstdio>
#include <iostream>
#include <span>
#include <string>

#include "signalbox/os/child.hpp"
#include "signalbox/os/pipe.hpp"

namespace os = signalbox::os;
using signalbox::Deadline;

// The child could be any program that reads lines and answers each at once.
int answer_squares() {
  for (int number = 0; std::cin >> number;) std::cout << number * number << "\n" << std::flush;
  return std::cin.eof() ? 0 : 1;
}

int main(int words, char**) {
  if (words == 2) return answer_squares();

  auto [ours, theirs] = os::DuplexPipe::create().value();
  const std::string program[] = {"/proc/self/exe", "child"};
  os::Child child =
      os::Child::spawn(program, {.input = os::ChildStream::give(theirs.reader.release()),
                                 .output = os::ChildStream::give(theirs.writer.release())})
          .value();

  std::byte room[64];
  for (const std::string question : {"3\n", "12\n", "100\n"}) {
    ours.writer.write_atomic(std::as_bytes(std::span(question)), Deadline::never()).value();
    const std::size_t got = ours.reader.read(room, Deadline::never()).value();
    std::printf("%.*s squared is %.*s", static_cast<int>(question.size() - 1), question.data(),
                static_cast<int>(got), reinterpret_cast<const char*>(room));
  }

  ours.writer.close();
  const bool at_end = ours.reader.read(room, Deadline::never()).value() == 0;
  const os::ChildEnd end = child.wait(Deadline::never()).value();
  std::printf("%s, and the child's status is %d\n", at_end ? "end of file" : "more came",
              end.status);
}
