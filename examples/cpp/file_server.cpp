// Gives a file to everybody who connects to a Unix socket, and no byte of it passes through this
// process: the kernel sends what it has of the file.
//   file_server FILE SOCKET
#include <fcntl.h>

#include <chrono>
#include <csignal>
#include <cstdio>

#include "signalbox/os/signals.hpp"
#include "signalbox/os/unix_listener.hpp"
#include "signalbox/os/zero_copy.hpp"
#include "signalbox/wait_set.hpp"

namespace os = signalbox::os;
using signalbox::Deadline;

void serve_one(os::UnixListener& listener, const os::Fd& file) {
  auto client = listener.try_accept();
  std::uint64_t offset = 0;
  // One after the other, so that a client has ten seconds; a server for many waits in a WaitSet.
  const auto sent = client ? os::send_file_all(client->fd(), file, offset,
                                               Deadline::after(std::chrono::seconds(10)))
                           : std::unexpected(client.error());
  if (sent) std::printf("%llu bytes\n", static_cast<unsigned long long>(offset));
  if (!sent) std::printf("%s\n", sent.error().text.c_str());
  std::fflush(stdout);
}

int main(int words, char* word[]) {
  if (words != 3) return std::fputs("usage: file_server FILE SOCKET\n", stderr), 2;
  auto signals = os::Signals::block({SIGINT, SIGTERM}).value();
  const os::Fd file(open(word[1], O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return std::perror(word[1]), 1;
  auto listener = os::UnixListener::listen(os::UnixAddress::path(word[2]).value());
  if (!listener) return std::fprintf(stderr, "%s\n", listener.error().text.c_str()), 1;

  auto set = signalbox::WaitSet::create(2).value();
  const signalbox::Watch watches[] = {set.watch(listener->waitable(), 1).value(),
                                      set.watch(signals.waitable(), 2).value()};
  std::puts("ready");
  std::fflush(stdout);
  for (;;) {
    static_cast<void>(set.wait(Deadline::never()).value());
    if (signals.take()) return static_cast<void>(listener->unlink()), 0;
    serve_one(*listener, file);
  }
}
