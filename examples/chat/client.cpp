// Takes part in the chat of chat_server, until the end of the input:
//   chat_client SOCKET NAME
#include <unistd.h>

#include <cstdio>
#include <string>

#include "signalbox/os/unix_socket.hpp"
#include "signalbox/wait_set.hpp"

namespace sbx = signalbox;
namespace os = signalbox::os;
using sbx::Deadline;

sbx::Result<void> say(os::UnixSeqpacket& server, std::string_view line) {
  if (line.empty()) return {};
  return server.send(std::as_bytes(std::span(line)), Deadline::never());
}

// Sends each line that is complete; false at the end of the input, or of the server.
bool send_typed(os::UnixSeqpacket& server, std::string& typed) {
  char room[4096];
  const ssize_t got = read(STDIN_FILENO, room, sizeof room);
  if (got <= 0) return static_cast<void>(say(server, typed)), false;
  typed.append(room, static_cast<std::size_t>(got));
  for (std::size_t end = 0; (end = typed.find('\n')) != std::string::npos;) {
    if (!say(server, std::string_view(typed).substr(0, end))) return false;
    typed.erase(0, end + 1);
  }
  return true;
}

// Prints the next line; false when the server has gone.
bool print_heard(os::UnixSeqpacket& server) {
  std::byte room[2048];
  const auto heard = server.try_receive(room);
  if (!heard) return heard.error().code == sbx::Errc::would_block;
  if (heard->bytes == 0) return false;
  std::printf("%.*s\n", static_cast<int>(heard->bytes), reinterpret_cast<const char*>(room));
  std::fflush(stdout);
  return true;
}

int main(int words, char* word[]) {
  if (words != 3) return std::fputs("usage: chat_client SOCKET NAME\n", stderr), 2;
  try {
    auto server = os::UnixSeqpacket::connect(os::UnixAddress::path(word[1]).value(),
                                             Deadline::after(std::chrono::seconds(10)))
                      .value();
    say(server, word[2]).value();
    enum : sbx::WaitSet::Key { input, socket };
    auto set = sbx::WaitSet::create(2).value();
    const sbx::Watch watches[] = {set.watch(sbx::Waitable::descriptor(STDIN_FILENO), input).value(),
                                  set.watch(server.waitable(), socket).value()};
    for (std::string typed;;) {
      const auto ready = set.wait(Deadline::never()).value();
      for (const auto [source, events] : ready) {
        if (source == input && !send_typed(server, typed)) return 0;
        if (source == socket && !print_heard(server)) {
          return std::puts("* the server has closed the connection"), 1;
        }
      }
    }
  } catch (const std::bad_expected_access<sbx::Error>& failed) {
    return std::fprintf(stderr, "chat_client: %s\n", failed.error().text.c_str()), 1;
  }
}
