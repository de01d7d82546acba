// A topic in an event loop of your own: descriptor() is readable when a message may be there.
// Here epoll sleeps on a topic and on standard input; a line typed is published and comes back.
#include <sys/epoll.h>
#include <unistd.h>

#include <cstdio>

#include "signalbox/topic.hpp"

bool publish_line(signalbox::Publisher<signalbox::Bytes>& lines) {
  auto loan = lines.loan(256);
  const ssize_t got = loan ? read(STDIN_FILENO, loan.tail().data(), loan.tail().size()) : 0;
  if (got <= 0) return false;
  return loan.shorten(static_cast<std::size_t>(got)) && lines.publish(std::move(loan));
}

int main() {
  auto out = signalbox::Publisher<signalbox::Bytes>::open("chat", {.tail_bytes_max = 256});
  auto in = signalbox::Subscriber<signalbox::Bytes>::open("chat");
  const auto descriptor = in ? in->descriptor() : std::unexpected(in.error());
  if (!out || !descriptor) {
    std::fprintf(stderr, "%s\n", (!out ? out.error() : descriptor.error()).text.c_str());
    return 1;
  }
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (const int fd : {STDIN_FILENO, *descriptor}) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) return std::perror("epoll_ctl"), 1;
  }

  bool open = true;
  while (open) {
    epoll_event event{};
    if (epoll_wait(epoll, &event, 1, -1) != 1) continue;
    if (event.data.fd == STDIN_FILENO) open = publish_line(*out);
    // Until empty: the take() that finds nothing arms the descriptor again.
    while (auto line = in->take()) {
      const auto text = line.tail();
      std::printf("chat: %.*s", static_cast<int>(text.size()),
                  reinterpret_cast<const char*>(text.data()));
      std::fflush(stdout);
    }
  }
  close(epoll);
}
