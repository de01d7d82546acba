// Bytes through a pipe, a FIFO and every kind of socket: 48 written, the same 48 read.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/scratch_domain.hpp"
#include "bench/wrapped_call.hpp"
#include "signalbox/os/fifo.hpp"
#include "signalbox/os/pipe.hpp"
#include "signalbox/os/tcp_socket.hpp"
#include "signalbox/os/unix_datagram.hpp"
#include "signalbox/os/unix_socket.hpp"
#include "signalbox/os/zero_copy.hpp"

namespace bench {

namespace {

using namespace signalbox::os;
using signalbox::Deadline;

// The name of a FIFO that is not there yet.
std::string new_fifo_path() { return scratch_directory() + "/fifo"; }
// Whoever has it open goes on without its name.
void remove_fifo(const std::string& path) { ::unlink(path.c_str()); }

// Ours of everything with write() and read().
template <class Writer, class Reader>
auto written_and_read(Writer writer, Reader reader) {
  return [writer = std::move(writer), reader = std::move(reader), room = Room{}]() mutable {
    const auto put = writer.write(room.bytes, Deadline::never());
    must(put.has_value());
    use(*put);
    const auto got = reader.read(room.bytes, Deadline::never());
    must(got.has_value());
    use(*got);
  };
}

auto bare_written_and_read(int writer, int reader) {
  return [writer, reader, room = Room{}]() mutable {
    const ssize_t put = ::write(writer, room.bytes, sizeof(room.bytes));
    must(put >= 0);
    use(put);
    const ssize_t got = ::read(reader, room.bytes, sizeof(room.bytes));
    must(got >= 0);
    use(got);
  };
}

// A socket's write() without MSG_NOSIGNAL may kill its process.
auto bare_sent_and_read(int writer, int reader) {
  return [writer, reader, room = Room{}]() mutable {
    const ssize_t put = ::send(writer, room.bytes, sizeof(room.bytes), MSG_NOSIGNAL);
    must(put >= 0);
    use(put);
    const ssize_t got = ::read(reader, room.bytes, sizeof(room.bytes));
    must(got >= 0);
    use(got);
  };
}

template <class Socket>
auto sent_and_received(std::pair<Socket, Socket> both) {
  return [both = std::move(both), room = Room{}]() mutable {
    must(both.first.send(room.bytes, Deadline::never()).has_value());
    const auto got = both.second.receive(room.bytes, Deadline::never());
    must(got.has_value());
    use(got->bytes);
    use(got->bytes_sent);
    use(got->has_lost_descriptors);
  };
}

// recvmsg(), because recv() does not tell that descriptors were lost.
auto bare_sent_and_received(int type) {
  int both[2];
  opened(::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, both));
  return [from = both[0], to = both[1], room = Room{}]() mutable {
    must(::send(from, room.bytes, sizeof(room.bytes), MSG_NOSIGNAL) >= 0);
    iovec part{.iov_base = room.bytes, .iov_len = sizeof(room.bytes)};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t got = ::recvmsg(to, &message, MSG_TRUNC | MSG_CMSG_CLOEXEC);
    must(got >= 0);
    use(std::min(static_cast<std::size_t>(got), sizeof(room.bytes)));
    use(got);
    use((message.msg_flags & MSG_CTRUNC) != 0);
  };
}

auto bare_pipe() {
  int ends[2];
  opened(::pipe2(ends, O_CLOEXEC | O_NONBLOCK));
  return bare_written_and_read(ends[1], ends[0]);
}

auto our_pipe() {
  auto pipe = must(Pipe::create());
  return written_and_read(std::move(pipe.writer), std::move(pipe.reader));
}

auto our_fifo() {
  const std::string path = new_fifo_path();
  must(Fifo::create(path));
  auto reader = must(Fifo::try_open_reader(path));
  auto writer = must(Fifo::try_open_writer(path));
  remove_fifo(path);
  return written_and_read(std::move(writer), std::move(reader));
}

auto bare_fifo() {
  const std::string path = new_fifo_path();
  opened(::mkfifo(path.c_str(), 0600));
  const int reader = opened(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  const int writer = opened(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  remove_fifo(path);
  return bare_written_and_read(writer, reader);
}

auto our_stream() {
  auto both = must(UnixStream::pair());
  return written_and_read(std::move(both.first), std::move(both.second));
}

auto bare_stream() {
  int both[2];
  opened(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, both));
  return bare_sent_and_read(both[0], both[1]);
}

auto our_tcp() {
  auto listener = must(TcpListener::listen("127.0.0.1", "0"));
  auto writer = must(TcpStream::connect(must(listener.address()), Deadline::never()));
  return written_and_read(std::move(writer), must(listener.accept(Deadline::never())));
}

auto bare_tcp() {
  const int listener = opened(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof(at);
  auto* const name = reinterpret_cast<sockaddr*>(&at);
  opened(::bind(listener, name, bytes));
  opened(::listen(listener, 1));
  opened(::getsockname(listener, name, &bytes));
  const int writer = opened(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  opened(::setsockopt(writer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
  opened(::connect(writer, name, bytes));
  return bare_sent_and_read(writer, opened(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)));
}

// A byte a time to nowhere: there is nothing to read back.
constexpr std::size_t spliced_bytes = 4096;

auto our_splice() {
  auto pipe = must(Pipe::create());
  const Room all[spliced_bytes / message_bytes] = {};
  must(pipe.writer.try_write(std::as_bytes(std::span(all))));
  return [pipe = std::move(pipe), to = Fd(opened(::open("/dev/null", O_WRONLY | O_CLOEXEC)))] {
    const auto moved = splice_out(pipe.reader, to, 1, Deadline::never());
    must(moved.has_value());
    use(*moved);
  };
}

auto bare_splice() {
  int ends[2];
  opened(::pipe2(ends, O_CLOEXEC | O_NONBLOCK));
  const Room all[spliced_bytes / message_bytes] = {};
  must(::write(ends[1], all, sizeof(all)) > 0);
  return [from = ends[0], to = opened(::open("/dev/null", O_WRONLY | O_CLOEXEC))] {
    const ssize_t moved =
        ::splice(from, nullptr, to, nullptr, 1, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    must(moved >= 0);
    use(moved);
  };
}

}  // namespace

std::vector<WrappedCall> stream_calls() {
  const auto datagram = [] { return sent_and_received(must(UnixDatagram::pair())); };
  const auto seqpacket = [] { return sent_and_received(must(UnixSeqpacket::pair())); };
  const auto bare_datagram = [] { return bare_sent_and_received(SOCK_DGRAM); };
  const auto bare_seqpacket = [] { return bare_sent_and_received(SOCK_SEQPACKET); };
  return {
      {"pipe", "write, read", many_of(our_pipe), many_of(bare_pipe)},
      {"fifo", "write, read", many_of(our_fifo), many_of(bare_fifo)},
      {"unix stream", "send, read", many_of(our_stream), many_of(bare_stream)},
      {"unix datagram", "send, recvmsg", many_of(datagram), many_of(bare_datagram)},
      {"unix seqpacket", "send, recvmsg", many_of(seqpacket), many_of(bare_seqpacket)},
      {"tcp", "send, read", many_of(our_tcp), many_of(bare_tcp)},
      {"splice", "splice", many_of(our_splice), many_of(bare_splice)},
  };
}

}  // namespace bench
