// Pipes, FIFOs and unix sockets by os::Pipe, os::Fifo and the sockets of os/unix_*.hpp. The end of
// a file, which is a length of 0 to us, is "end" in the answer, as it is for the bare calls.
#include <fcntl.h>

#include <span>
#include <variant>

#include "actor.hpp"
#include "ours.hpp"
#include "signalbox/os/fifo.hpp"
#include "signalbox/os/pipe.hpp"
#include "signalbox/os/unix_datagram.hpp"
#include "signalbox/os/unix_listener.hpp"
#include "signalbox/os/unix_socket.hpp"

namespace signalbox::scenarios {

namespace {

using End = std::variant<os::PipeReader, os::PipeWriter, os::UnixListener, os::UnixStream,
                         os::UnixSeqpacket, os::UnixDatagram>;
std::map<std::string, End> ends;
// How descriptors came that were passed: what adopts them here sets the flag anyway.
std::map<std::string, bool> came_close_on_exec;

template <class T>
std::string keep_end(const std::string& name, Result<T> made) {
  if (!made) return answer_of(made.error());
  ends.insert_or_assign(name, End(std::move(*made)));
  return ok();
}

int descriptor_of(const std::string& name) {
  return std::visit([](const auto& end) { return end.fd().get(); }, ends.at(name));
}

// READER WRITER [CAPACITY]. Ours makes one at least so large; a smaller one is asked for
// afterwards.
std::string create_pipe(const Words& words) {
  auto pipe = os::Pipe::create();
  if (!pipe) return answer_of(pipe.error());
  if (words.has(2)) {
    const auto given = pipe->writer.set_capacity(static_cast<std::size_t>(words.number(2)));
    if (!given) return answer_of(given.error());
  }
  ends.insert_or_assign(words[0], End(std::move(pipe->reader)));
  ends.insert_or_assign(words[1], End(std::move(pipe->writer)));
  return ok();
}

std::string capacity(const Words& words) {
  const End& end = ends.at(words[0]);
  const auto* const reader = std::get_if<os::PipeReader>(&end);
  const auto bytes =
      reader != nullptr ? reader->capacity() : std::get<os::PipeWriter>(end).capacity();
  return bytes ? ok(*bytes) : answer_of(bytes.error());
}

std::string count_of(const Result<std::size_t>& count) {
  return count ? ok(*count) : answer_of(count.error());
}

std::string write(const Words& words, bool waits) {
  auto& writer = std::get<os::PipeWriter>(ends.at(words[0]));
  const std::string text = words.bytes(1);
  const auto bytes = std::as_bytes(std::span(text));
  return count_of(waits ? writer.write(bytes, Deadline::never(), as_the_kernel)
                        : writer.try_write(bytes));
}

std::string text_of(const Result<std::size_t>& count, const std::string& room) {
  if (!count) return answer_of(count.error());
  return *count == 0 ? ok("end") : ok(word_of(room.substr(0, *count)));
}

std::string read(const Words& words, bool waits) {
  auto& reader = std::get<os::PipeReader>(ends.at(words[0]));
  std::string room(static_cast<std::size_t>(words.number(1)), '\0');
  const auto bytes = std::as_writable_bytes(std::span(room));
  return text_of(
      waits ? reader.read(bytes, Deadline::never(), as_the_kernel) : reader.try_read(bytes), room);
}

std::string open_fifo(const Words& words) {
  const bool waits = words.contains("wait");
  if (words[2] == "r") {
    return keep_end(words[0],
                    waits ? os::Fifo::open_reader(words[1], Deadline::never(), as_the_kernel)
                          : os::Fifo::try_open_reader(words[1]));
  }
  return keep_end(words[0], waits
                                ? os::Fifo::open_writer(words[1], Deadline::never(), as_the_kernel)
                                : os::Fifo::try_open_writer(words[1]));
}

Result<os::UnixAddress> address_of(const std::string& word) {
  return word[0] == '@' ? os::UnixAddress::abstract(word.substr(1)) : os::UnixAddress::path(word);
}

// NAME KIND ADDRESS
std::string bind(const Words& words) {
  const auto at = address_of(words[2]);
  if (!at) return answer_of(at.error());
  if (words[1] == "datagram") return keep_end(words[0], os::UnixDatagram::bind(*at));
  const auto kind =
      words[1] == "stream" ? os::UnixListener::Kind::stream : os::UnixListener::Kind::seqpacket;
  return keep_end(words[0], os::UnixListener::listen(*at, {.kind = kind}));
}

std::string connect(const Words& words) {
  const auto to = address_of(words[2]);
  if (!to) return answer_of(to.error());
  if (words[1] == "stream") {
    return keep_end(words[0], os::UnixStream::connect(*to, Deadline::never(), as_the_kernel));
  }
  if (words[1] == "seqpacket") {
    return keep_end(words[0], os::UnixSeqpacket::connect(*to, Deadline::never(), as_the_kernel));
  }
  auto datagram = os::UnixDatagram::create();
  if (!datagram) return answer_of(datagram.error());
  if (auto connected = datagram->connect(*to); !connected) return answer_of(connected);
  return keep_end(words[0], std::move(datagram));
}

std::string accept(const Words& words) {
  auto& listener = std::get<os::UnixListener>(ends.at(words[1]));
  if (listener.kind() == os::UnixListener::Kind::stream) {
    return keep_end(words[0], listener.accept(Deadline::never(), as_the_kernel));
  }
  return keep_end(words[0], listener.accept_seqpacket(Deadline::never(), as_the_kernel));
}

template <class Pair>
std::string keep_pair(const Words& words, Result<Pair> made) {
  if (!made) return answer_of(made.error());
  ends.insert_or_assign(words[0], End(std::move(made->first)));
  ends.insert_or_assign(words[1], End(std::move(made->second)));
  return ok();
}

std::string pair(const Words& words) {
  if (words[2] == "stream") return keep_pair(words, os::UnixStream::pair());
  if (words[2] == "seqpacket") return keep_pair(words, os::UnixSeqpacket::pair());
  return keep_pair(words, os::UnixDatagram::pair());
}

std::string send(const Words& words) {
  const std::string text = words.bytes(1);
  const auto bytes = std::as_bytes(std::span(text));
  std::vector<int> passed;
  for (std::size_t i = 2; i < words.count(); ++i) passed.push_back(descriptor_of(words[i]));
  End& end = ends.at(words[0]);
  if (auto* const stream = std::get_if<os::UnixStream>(&end)) {
    return count_of(passed.empty()
                        ? stream->write(bytes, Deadline::never(), as_the_kernel)
                        : stream->write_with(bytes, passed, Deadline::never(), as_the_kernel));
  }
  auto* const seqpacket = std::get_if<os::UnixSeqpacket>(&end);
  const auto sent =
      seqpacket != nullptr
          ? seqpacket->send(bytes, Deadline::never(), as_the_kernel, passed)
          : std::get<os::UnixDatagram>(end).send(bytes, Deadline::never(), as_the_kernel, passed);
  return sent ? ok(text.size()) : answer_of(sent.error());
}

Result<std::size_t> receive_into(End& end, std::span<std::byte> room, bool waits,
                                 std::vector<os::Fd>* descriptors) {
  const auto deadline = Deadline::never();
  if (auto* const stream = std::get_if<os::UnixStream>(&end)) {
    if (!waits) return stream->try_read(room);
    if (descriptors == nullptr) return stream->read(room, deadline, as_the_kernel);
    auto came = stream->read_with(room, *descriptors, deadline, as_the_kernel);
    if (!came) return std::unexpected(std::move(came.error()));
    return came->bytes;
  }
  Result<os::Received> received = std::unexpected(Error{Errc::system});
  if (auto* const seqpacket = std::get_if<os::UnixSeqpacket>(&end)) {
    received = waits ? seqpacket->receive(room, deadline, as_the_kernel, descriptors)
                     : seqpacket->try_receive(room, descriptors);
  } else {
    auto& datagram = std::get<os::UnixDatagram>(end);
    received = waits ? datagram.receive(room, deadline, as_the_kernel, nullptr, descriptors)
                     : datagram.try_receive(room, nullptr, descriptors);
  }
  if (!received) return std::unexpected(std::move(received.error()));
  return received->bytes;
}

// NAME BYTES_MAX [DESCRIPTOR]. Ours takes all descriptors that come; the row asked for one, and the
// others are closed here.
std::string receive(const Words& words, bool waits) {
  std::string room(static_cast<std::size_t>(words.number(1)), '\0');
  std::vector<os::Fd> descriptors;
  std::string text =
      text_of(receive_into(ends.at(words[0]), std::as_writable_bytes(std::span(room)), waits,
                           words.has(2) ? &descriptors : nullptr),
              room);
  if (!words.has(2) || !text.starts_with("ok")) return text;
  if (descriptors.empty()) return text + " none";
  came_close_on_exec[words[2]] = (::fcntl(descriptors[0].get(), F_GETFD) & FD_CLOEXEC) != 0;
  // Rows pass either end of a pipe.
  const bool reads = (::fcntl(descriptors[0].get(), F_GETFL) & O_ACCMODE) == O_RDONLY;
  const std::string kept =
      reads ? keep_end(words[2], os::PipeReader::adopt(std::move(descriptors[0])))
            : keep_end(words[2], os::PipeWriter::adopt(std::move(descriptors[0])));
  return kept == "ok" ? text + " passed" : kept;
}

}  // namespace

void offer_streams(Actor& actor) {
  actor.offer("pipe_create", create_pipe);
  actor.offer("pipe_capacity", capacity);
  actor.offer("stream_write", [](const Words& words) { return write(words, true); });
  actor.offer("stream_try_write", [](const Words& words) { return write(words, false); });
  actor.offer("stream_read", [](const Words& words) { return read(words, true); });
  actor.offer("stream_try_read", [](const Words& words) { return read(words, false); });
  actor.offer("stream_close",
              [](const Words& words) { return ends.erase(words[0]) == 1 ? ok() : "EBADF"; });
  actor.offer("fifo_create",
              [](const Words& words) { return answer_of(os::Fifo::create(words[0])); });
  actor.offer("fifo_open", open_fifo);
  actor.offer("socket_bind", bind);
  actor.offer("socket_connect", connect);
  actor.offer("socket_accept", accept);
  actor.offer("socket_pair", pair);
  actor.offer("socket_send", send);
  actor.offer("socket_receive", [](const Words& words) { return receive(words, true); });
  actor.offer("socket_try_receive", [](const Words& words) { return receive(words, false); });
  actor.offer("close_on_exec", [](const Words& words) {
    return ok(came_close_on_exec.at(words[0]) ? "yes" : "no");
  });
}

}  // namespace signalbox::scenarios
