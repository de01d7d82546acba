// Pipes, FIFOs and unix sockets by bare system calls. What reads and writes is called the same for
// all of them, and our own ends never wait unless asked to.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "actor.hpp"

namespace signalbox::scenarios {

namespace {

std::map<std::string, int> descriptors;

std::string keep(const std::string& name, int fd) {
  if (fd >= 0) descriptors[name] = fd;
  return answer_of(fd);
}

void never_wait(int fd, bool never) {
  const int flags = ::fcntl(fd, F_GETFL);
  ::fcntl(fd, F_SETFL, never ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

// pipe_create READER WRITER [CAPACITY]
std::string create_pipe(const Words& words) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return answer_of(-1);
  descriptors[words[0]] = ends[0];
  descriptors[words[1]] = ends[1];
  return words.has(2) ? answer_of(::fcntl(ends[0], F_SETPIPE_SZ, words.number(2))) : ok();
}

std::string capacity(const Words& words) {
  return ok(::fcntl(descriptors.at(words[0]), F_GETPIPE_SZ));
}

std::string write(const Words& words, bool wait) {
  const int fd = descriptors.at(words[0]);
  never_wait(fd, !wait);
  const std::string bytes = words.bytes(1);
  const ssize_t count = ::write(fd, bytes.data(), bytes.size());
  return count < 0 ? answer_of(count) : ok(count);
}

// stream_read NAME BYTES_MAX: "end" at the end of the file.
std::string read(const Words& words, bool wait) {
  const int fd = descriptors.at(words[0]);
  never_wait(fd, !wait);
  std::string bytes(static_cast<std::size_t>(words.number(1)), '\0');
  const ssize_t count = ::read(fd, bytes.data(), bytes.size());
  if (count < 0) return answer_of(count);
  return count == 0 ? ok("end") : ok(word_of(bytes.substr(0, static_cast<std::size_t>(count))));
}

std::string close(const Words& words) {
  const int fd = descriptors.at(words[0]);
  descriptors.erase(words[0]);
  return answer_of(::close(fd));
}

// fifo_open NAME PATH r|w [wait]
std::string open_fifo(const Words& words) {
  const int flags = (words[2] == "r" ? O_RDONLY : O_WRONLY) | O_CLOEXEC;
  return keep(words[0],
              ::open(words[1].c_str(), words.contains("wait") ? flags : flags | O_NONBLOCK));
}

struct Address {
  sockaddr_un address{};
  socklen_t length = 0;
};

// A path, or @NAME for an abstract name.
Address address_of(const std::string& word) {
  Address found;
  found.address.sun_family = AF_UNIX;
  std::memcpy(found.address.sun_path, word.data(), word.size());
  if (word[0] == '@') found.address.sun_path[0] = '\0';
  found.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + word.size() +
                                        (word[0] == '@' ? 0 : 1));
  return found;
}

int kind_of(const std::string& word) {
  return word == "stream" ? SOCK_STREAM : word == "datagram" ? SOCK_DGRAM : SOCK_SEQPACKET;
}

// socket_bind NAME KIND ADDRESS: listens, too, where that kind is connected to.
std::string bind(const Words& words) {
  const int fd = ::socket(AF_UNIX, kind_of(words[1]) | SOCK_CLOEXEC, 0);
  const Address address = address_of(words[2]);
  if (fd < 0) return answer_of(-1);
  const bool bound =
      ::bind(fd, reinterpret_cast<const sockaddr*>(&address.address), address.length) == 0 &&
      (words[1] == "datagram" || ::listen(fd, 8) == 0);
  if (bound) return keep(words[0], fd);
  const std::string answer = answer_of(-1);
  ::close(fd);
  return answer;
}

// socket_connect NAME KIND ADDRESS
std::string connect(const Words& words) {
  const int fd = ::socket(AF_UNIX, kind_of(words[1]) | SOCK_CLOEXEC, 0);
  const Address address = address_of(words[2]);
  if (fd < 0) return answer_of(-1);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address.address), address.length) == 0) {
    return keep(words[0], fd);
  }
  const std::string answer = answer_of(-1);
  ::close(fd);
  return answer;
}

// socket_accept NAME LISTENER
std::string accept(const Words& words) {
  return keep(words[0], ::accept4(descriptors.at(words[1]), nullptr, nullptr, SOCK_CLOEXEC));
}

// socket_pair NAME NAME KIND
std::string pair(const Words& words) {
  int ends[2];
  if (::socketpair(AF_UNIX, kind_of(words[2]) | SOCK_CLOEXEC, 0, ends) != 0) return answer_of(-1);
  descriptors[words[0]] = ends[0];
  descriptors[words[1]] = ends[1];
  return ok();
}

// socket_send NAME TEXT [DESCRIPTOR...]
std::string send(const Words& words) {
  const std::string bytes = words.bytes(1);
  std::vector<int> passed;
  for (std::size_t i = 2; i < words.count(); ++i) passed.push_back(descriptors.at(words[i]));
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  std::vector<char> control(CMSG_SPACE(passed.size() * sizeof(int)));
  if (!passed.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(passed.size() * sizeof(int));
    std::memcpy(CMSG_DATA(head), passed.data(), passed.size() * sizeof(int));
  }
  const ssize_t count = ::sendmsg(descriptors.at(words[0]), &message, MSG_NOSIGNAL);
  return count < 0 ? answer_of(count) : ok(count);
}

// socket_send_malformed NAME HOW: control data that the kernel must refuse.
std::string send_malformed(const Words& words) {
  char byte = 'x';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = words[1] == "kind" ? 0x7fff : SCM_RIGHTS;
  head->cmsg_len = words[1] == "short" ? 1 : words[1] == "long" ? 4096 : CMSG_LEN(sizeof(int));
  const int none = words[1] == "descriptor" ? -1 : STDIN_FILENO;
  std::memcpy(CMSG_DATA(head), &none, sizeof none);
  const ssize_t count = ::sendmsg(descriptors.at(words[0]), &message, MSG_NOSIGNAL);
  return count < 0 ? answer_of(count) : ok(count);
}

// socket_receive NAME BYTES_MAX [DESCRIPTOR]: room for one descriptor where one is named; what
// comes besides is dropped by the kernel. "none" stands for a descriptor that did not come.
std::string receive(const Words& words, int flags) {
  std::string bytes(static_cast<std::size_t>(words.number(1)), '\0');
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (words.has(2)) {
    message.msg_control = control;
    // Not CMSG_SPACE: what that adds to align what might follow is room for a second descriptor.
    message.msg_controllen = CMSG_LEN(sizeof(int));
  }
  const ssize_t count = ::recvmsg(descriptors.at(words[0]), &message, MSG_CMSG_CLOEXEC | flags);
  if (count < 0) return answer_of(count);
  const std::string text =
      count == 0 ? "end" : word_of(bytes.substr(0, static_cast<std::size_t>(count)));
  if (!words.has(2)) return ok(text);
  const cmsghdr* const head = CMSG_FIRSTHDR(&message);
  if (head == nullptr) return ok(text, "none");
  std::memcpy(&descriptors[words[2]], CMSG_DATA(head), sizeof(int));
  return ok(text, "passed");
}

std::string is_close_on_exec(const Words& words) {
  const int flags = ::fcntl(descriptors.at(words[0]), F_GETFD);
  return ok((flags & FD_CLOEXEC) != 0 ? "yes" : "no");
}

}  // namespace

void offer_streams(Actor& actor) {
  actor.offer("pipe_create", create_pipe);
  actor.offer("pipe_capacity", capacity);
  actor.offer("stream_write", [](const Words& words) { return write(words, true); });
  actor.offer("stream_try_write", [](const Words& words) { return write(words, false); });
  actor.offer("stream_read", [](const Words& words) { return read(words, true); });
  actor.offer("stream_try_read", [](const Words& words) { return read(words, false); });
  actor.offer("stream_close", close);
  actor.offer("fifo_create",
              [](const Words& words) { return answer_of(::mkfifo(words[0].c_str(), 0600)); });
  actor.offer("fifo_open", open_fifo);
  actor.offer("socket_bind", bind);
  actor.offer("socket_connect", connect);
  actor.offer("socket_accept", accept);
  actor.offer("socket_pair", pair);
  actor.offer("socket_send", send);
  actor.offer("socket_send_malformed", send_malformed);
  actor.offer("socket_receive", [](const Words& words) { return receive(words, 0); });
  actor.offer("socket_try_receive",
              [](const Words& words) { return receive(words, MSG_DONTWAIT); });
  actor.offer("close_on_exec", is_close_on_exec);
}

}  // namespace signalbox::scenarios
