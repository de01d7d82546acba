#include <signal.h>

#include <array>
#include <optional>

#include "signalbox/os/child.hpp"
#include "signalbox/os/fifo.hpp"
#include "signalbox/os/pipe.hpp"
#include "signalbox/os/tcp_socket.hpp"
#include "signalbox/os/unix_datagram.hpp"
#include "signalbox/os/unix_listener.hpp"
#include "signalbox/os/unix_socket.hpp"
#include "signalbox/os/zero_copy.hpp"
#include "waits.hpp"

namespace facilities {

namespace {

using namespace signalbox::os;
using signalbox::Deadline;

constexpr std::array<std::byte, 8> kBytes{};
constexpr std::size_t kFull = 65'536;

struct Room {
  std::array<std::byte, 8> bytes;
};

std::shared_ptr<Pipe> pipe_with(std::size_t bytes) {
  auto pipe = std::make_shared<Pipe>(Pipe::create().value());
  if (bytes > 0) static_cast<void>(pipe->writer.try_write(std::vector<std::byte>(bytes)).value());
  return pipe;
}

Waiting reading(const Ground&) {
  auto pipe = pipe_with(0);
  return {[pipe](Deadline until, OnSignal how) {
            Room room;
            return done(pipe->reader.read(room.bytes, until, how));
          },
          [pipe] { static_cast<void>(pipe->writer.try_write(kBytes)); },
          {}};
}

void empty(Pipe& pipe) {
  std::vector<std::byte> room(kFull);
  static_cast<void>(pipe.reader.try_read(room));
}

Waiting writing(const Ground&) {
  auto pipe = pipe_with(kFull);
  return {
      [pipe](Deadline until, OnSignal how) { return done(pipe->writer.write(kBytes, until, how)); },
      [pipe] { empty(*pipe); }, [pipe] { return pipe->reader.readable_bytes().value() == kFull; }};
}

Waiting writing_atomically(const Ground&) {
  auto pipe = pipe_with(kFull);
  return {[pipe](Deadline until, OnSignal how) {
            return pipe->writer.write_atomic(kBytes, until, how);
          },
          [pipe] { empty(*pipe); },
          [pipe] { return pipe->reader.readable_bytes().value() == kFull; }};
}

Waiting splicing(const Ground&) {
  auto from = pipe_with(0);
  auto to = pipe_with(0);
  return {[from, to](Deadline until, OnSignal how) {
            return done(splice_out(from->reader, to->writer.fd(), 8, until, how));
          },
          [from] { static_cast<void>(from->writer.try_write(kBytes)); },
          [to] { return to->reader.readable_bytes().value() == 0; }};
}

Waiting opening_to_read(const Ground& ground) {
  static_cast<void>(Fifo::create(ground.path("fifo")));
  auto writer = std::make_shared<std::optional<PipeWriter>>();
  const std::string path = ground.path("fifo");
  return {
      [path](Deadline until, OnSignal how) { return done(Fifo::open_reader(path, until, how)); },
      [path, writer] {
        if (auto opened = Fifo::open_writer(path, Deadline::never())) {
          static_cast<void>(opened->try_write(kBytes));
          *writer = std::move(*opened);
        }
      },
      {}};
}

Waiting opening_to_write(const Ground& ground) {
  static_cast<void>(Fifo::create(ground.path("fifo")));
  auto reader = std::make_shared<std::optional<PipeReader>>();
  const std::string path = ground.path("fifo");
  return {
      [path](Deadline until, OnSignal how) { return done(Fifo::open_writer(path, until, how)); },
      [path, reader] { *reader = Fifo::try_open_reader(path).value(); },
      {}};
}

const std::vector<std::string> kSleep{"/bin/sleep", "1000"};

struct Sleeper {
  Child child = Child::spawn(kSleep).value();
  ~Sleeper() {
    static_cast<void>(child.signal(SIGKILL));
    static_cast<void>(child.wait(Deadline::never()));
  }
};

Waiting waiting_for_a_child(const Ground&) {
  auto sleeper = std::make_shared<Sleeper>();
  return {[sleeper](Deadline until, OnSignal how) { return done(sleeper->child.wait(until, how)); },
          [sleeper] { static_cast<void>(sleeper->child.signal(SIGKILL)); },
          [sleeper] { return sleeper->child.process().is_alive(); }};
}

Waiting waiting_for_a_process(const Ground&) {
  auto sleeper = std::make_shared<Sleeper>();
  return {[sleeper](Deadline until, OnSignal how) {
            return sleeper->child.process().wait_until_ended(until, how);
          },
          [sleeper] { static_cast<void>(sleeper->child.signal(SIGKILL)); },
          {}};
}

Waiting reading_a_stream(const Ground&) {
  auto ends = std::make_shared<std::pair<UnixStream, UnixStream>>(UnixStream::pair().value());
  return {[ends](Deadline until, OnSignal how) {
            Room room;
            return done(ends->first.read(room.bytes, until, how));
          },
          [ends] { static_cast<void>(ends->second.try_write(kBytes)); },
          {}};
}

Waiting receiving(const Ground&) {
  auto ends =
      std::make_shared<std::pair<UnixSeqpacket, UnixSeqpacket>>(UnixSeqpacket::pair().value());
  return {[ends](Deadline until, OnSignal how) {
            Room room;
            return done(ends->first.receive(room.bytes, until, how));
          },
          [ends] { static_cast<void>(ends->second.try_send(kBytes)); },
          {}};
}

Waiting sending_a_datagram(const Ground&) {
  auto ends = std::make_shared<std::pair<UnixDatagram, UnixDatagram>>(UnixDatagram::pair().value());
  while (ends->first.try_send(kBytes)) {
  }
  return {[ends](Deadline until, OnSignal how) { return ends->first.send(kBytes, until, how); },
          [ends] {
            Room room;
            while (ends->second.try_receive(room.bytes)) {
            }
          },
          [ends] { return !ends->first.try_send(kBytes); }};
}

Waiting accepting(const Ground&) {
  auto listener =
      std::make_shared<UnixListener>(UnixListener::listen(UnixAddress::chosen_by_kernel()).value());
  auto client = std::make_shared<UnixStream>();
  return {[listener](Deadline until, OnSignal how) { return done(listener->accept(until, how)); },
          [listener, client] {
            *client = UnixStream::connect(listener->address().value(), Deadline::never()).value();
          },
          {}};
}

Waiting accepting_tcp(const Ground&) {
  auto listener = std::make_shared<TcpListener>(TcpListener::listen("127.0.0.1", "0").value());
  auto client = std::make_shared<TcpStream>();
  return {[listener](Deadline until, OnSignal how) { return done(listener->accept(until, how)); },
          [listener, client] {
            *client = TcpStream::connect(listener->address().value(), Deadline::never()).value();
          },
          {}};
}

}  // namespace

std::vector<Wait> stream_waits() {
  return {
      {"PipeRead", reading},
      {"PipeWrite", writing},
      {"PipeWriteAtomic", writing_atomically},
      {"SpliceOut", splicing},
      {"FifoOpenReader", opening_to_read},
      {"FifoOpenWriter", opening_to_write},
      {"Child", waiting_for_a_child},
      {"Pidfd", waiting_for_a_process},
      {"UnixStreamRead", reading_a_stream},
      {"UnixSeqpacketReceive", receiving},
      {"UnixDatagramSend", sending_a_datagram},
      {"UnixAccept", accepting},
      {"TcpAccept", accepting_tcp},
  };
}

}  // namespace facilities
