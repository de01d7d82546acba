// Streams and messages between connected sockets, and connecting where nobody accepts.
#include <array>
#include <chrono>
#include <type_traits>
#include <utility>
#include <vector>

#include "signalbox/os/tcp_socket.hpp"
#include "signalbox/os/unix_datagram.hpp"
#include "signalbox/os/unix_listener.hpp"
#include "signalbox/os/unix_socket.hpp"
#include "waits.hpp"

namespace facilities {

namespace {

using namespace signalbox::os;
using namespace std::chrono_literals;
using signalbox::Deadline;
using signalbox::Result;

constexpr std::array<std::byte, 8> kBytes{};
using Room = std::array<std::byte, 4096>;

template <class Stream>
struct Ends {
  Stream ours;
  Stream theirs;
};

template <class Stream>
std::shared_ptr<Ends<Stream>> unix_pair() {
  auto [one, other] = Stream::pair().value();
  return std::make_shared<Ends<Stream>>(std::move(one), std::move(other));
}

// Small buffers of a fixed size: the kernel would let those that it adapts grow meanwhile.
std::shared_ptr<Ends<TcpStream>> tcp_pair() {
  const TcpOptions small{.send_buffer = 16'384, .receive_buffer = 16'384};
  auto listener = TcpListener::listen("127.0.0.1", "0", {.accepted = small}).value();
  auto ours = TcpStream::connect(listener.address().value(), Deadline::after(10s), small).value();
  return std::make_shared<Ends<TcpStream>>(std::move(ours),
                                           listener.accept(Deadline::after(10s)).value());
}

template <class Stream>
Waiting reading_from(const std::shared_ptr<Ends<Stream>>& ends) {
  return {[ends](Deadline until, OnSignal how) {
            Room room;
            return done(ends->ours.read(room, until, how));
          },
          [ends] { static_cast<void>(ends->theirs.try_write(kBytes)); },
          {}};
}

// Full is what stays full. TCP asks again after 200 ms whether a little more would go.
template <class Stream>
Waiting writing_to(const std::shared_ptr<Ends<Stream>>& ends) {
  constexpr auto stays_full = std::is_same_v<Stream, TcpStream> ? 250ms : 1ms;
  const Room much{};
  do {
    while (ends->ours.try_write(much) || ends->ours.try_write(kBytes)) {
    }
    static_cast<void>(ends->ours.write(kBytes, Deadline::after(stays_full)));
  } while (ends->ours.try_write(kBytes));
  return {
      [ends](Deadline until, OnSignal how) { return done(ends->ours.write(kBytes, until, how)); },
      [ends] {
        Room room;
        while (ends->theirs.read(room, Deadline::after(20ms))) {
        }
      },
      [ends] { return !ends->ours.try_write(kBytes); }};
}

Waiting reading_tcp(const Ground&) { return reading_from(tcp_pair()); }
Waiting writing_tcp(const Ground&) { return writing_to(tcp_pair()); }
Waiting writing_a_stream(const Ground&) { return writing_to(unix_pair<UnixStream>()); }

Waiting sending(const Ground&) {
  auto ends = unix_pair<UnixSeqpacket>();
  while (ends->ours.try_send(kBytes)) {
  }
  return {[ends](Deadline until, OnSignal how) { return ends->ours.send(kBytes, until, how); },
          [ends] {
            Room room;
            while (ends->theirs.try_receive(room)) {
            }
          },
          [ends] { return !ends->ours.try_send(kBytes); }};
}

Waiting receiving_a_datagram(const Ground&) {
  auto ends = unix_pair<UnixDatagram>();
  return {[ends](Deadline until, OnSignal how) {
            Room room;
            return done(ends->ours.receive(room, until, how));
          },
          [ends] { static_cast<void>(ends->theirs.try_send(kBytes)); },
          {}};
}

// Somebody who listens and accepts nobody, and as many who wait for him as may.
template <class Listener, class Stream>
struct Crowded {
  Listener listener;
  std::vector<Stream> waiting;
  explicit Crowded(Listener made) : listener(std::move(made)) {
    while (auto stream = Stream::connect(listener.address().value(), Deadline::after(20ms))) {
      waiting.push_back(std::move(*stream));
    }
  }
};

template <class Listener, class Stream>
Waiting connecting_to(Listener listener) {
  auto crowd = std::make_shared<Crowded<Listener, Stream>>(std::move(listener));
  const auto address = crowd->listener.address().value();
  return {[address](Deadline until, OnSignal how) {
            if constexpr (std::is_same_v<Stream, TcpStream>) {
              return done(Stream::connect(address, until, {}, how));
            } else {
              return done(Stream::connect(address, until, how));
            }
          },
          [crowd] {
            while (crowd->listener.accept(Deadline::after(20ms))) {
            }
          },
          {}};
}

Waiting connecting_tcp(const Ground&) {
  return connecting_to<TcpListener, TcpStream>(
      TcpListener::listen("127.0.0.1", "0", {.waiting_max = 1}).value());
}

Waiting connecting(const Ground&) {
  return connecting_to<UnixListener, UnixStream>(
      UnixListener::listen(UnixAddress::chosen_by_kernel(), {.waiting_max = 1}).value());
}

}  // namespace

std::vector<Wait> socket_waits() {
  return {
      {"TcpStreamRead", reading_tcp},
      {"TcpStreamWrite", writing_tcp},
      {"TcpConnect", connecting_tcp},
      {"UnixStreamWrite", writing_a_stream},
      {"UnixConnect", connecting},
      {"UnixSeqpacketSend", sending},
      {"UnixDatagramReceive", receiving_a_datagram},
  };
}

}  // namespace facilities
