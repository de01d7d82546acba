#include <sys/stat.h>

#include <array>
#include <chrono>

#include "attempt.hpp"
#include "joined.hpp"
#include "signalbox/os/tcp_socket.hpp"
#include "signalbox/os/unix_datagram.hpp"
#include "signalbox/os/unix_listener.hpp"
#include "signalbox/os/unix_socket.hpp"

namespace facilities {

namespace {

using namespace std::chrono_literals;
using namespace signalbox::os;
using signalbox::Deadline;

constexpr std::array<std::byte, 5> kBytes{};
const Deadline kWatchdog = Deadline::never();

UnixAddress address_in(const Ground& ground) {
  return UnixAddress::path(ground.path("socket")).value();
}

std::string unless_mode(const Ground& ground, unsigned mode) {
  struct stat facts{};
  const bool is = ::stat(ground.path("socket").c_str(), &facts) == 0;
  return unless(is && (facts.st_mode & 0777U) == mode, "it has another mode than asked for");
}

std::vector<Operation> of_listener() {
  return {
      {"UnixListen",
       [](const Ground& ground) {
         return making<UnixListener>(
             [&] { return UnixListener::listen(address_in(ground), {.name = {.mode = 0626}}); },
             [&](UnixListener&) { return unless_mode(ground, 0626); });
       }},
      {"UnixListenOverStale",
       [](const Ground& ground) {
         static_cast<void>(UnixListener::listen(address_in(ground)).value());
         return making<UnixListener>([&] { return UnixListener::listen(address_in(ground)); },
                                     [&](UnixListener&) { return unless_mode(ground, 0600); });
       },
       true, true},
      {"UnixAccept",
       [](const Ground& ground) {
         auto listener =
             std::make_shared<UnixListener>(UnixListener::listen(address_in(ground)).value());
         auto client = std::make_shared<UnixStream>(
             UnixStream::connect(address_in(ground), kWatchdog).value());
         return making<UnixStream>(
             [listener, client] { return listener->accept(Deadline::after(2s)); });
       }},
      {"UnixAcceptWaits",
       [](const Ground& ground) {
         return with<UnixListener>(UnixListener::listen(address_in(ground)).value(),
                                   [](UnixListener& listener) {
                                     return until_deadline(listener.accept(Deadline::after(2ms)));
                                   });
       }},
      {"UnixConnect",
       [](const Ground& ground) {
         auto listener =
             std::make_shared<UnixListener>(UnixListener::listen(address_in(ground)).value());
         return making<UnixStream>([&, listener] {
           return UnixStream::connect(address_in(ground), Deadline::after(1s));
         });
       }},
      {"UnixUnlink",
       [](const Ground& ground) {
         return with<UnixListener>(
             UnixListener::listen(address_in(ground)).value(),
             [](UnixListener& listener) { return listener.unlink(); }, {}, ground.folder());
       },
       true},
      {"UnixDatagramBind",
       [](const Ground& ground) {
         return making<UnixDatagram>([&] { return UnixDatagram::bind(address_in(ground)); },
                                     [&](UnixDatagram&) { return unless_mode(ground, 0600); });
       }},
  };
}

struct Streams {
  std::pair<UnixStream, UnixStream> ends = UnixStream::pair().value();
};

struct Messages {
  std::pair<UnixSeqpacket, UnixSeqpacket> ends = UnixSeqpacket::pair().value();
};

std::vector<Operation> of_stream() {
  return {
      {"UnixStreamPair",
       [](const Ground&) {
         return making<std::pair<UnixStream, UnixStream>>([] { return UnixStream::pair(); });
       }},
      {"UnixStreamWrite",
       [](const Ground&) {
         return with<Streams>(
             Streams(),
             [](Streams& both) { return done(both.ends.first.write(kBytes, Deadline::after(1s))); },
             [](Streams& both) {
               std::array<std::byte, 16> room{};
               return unless(both.ends.second.try_read(room).value() == 5, "not written once");
             });
       }},
      {"UnixStreamReadWaits",
       [](const Ground&) {
         return with<Streams>(Streams(), [](Streams& both) {
           std::array<std::byte, 16> room{};
           return until_deadline(both.ends.first.read(room, Deadline::after(2ms)));
         });
       }},
      {"UnixStreamDescriptors",
       [](const Ground&) {
         return with<Streams>(Streams(), [](Streams& both) -> Result<void> {
           const std::array given{both.ends.first.fd().get()};
           std::array<std::byte, 16> room{};
           std::vector<Fd> came;
           auto sent = both.ends.first.write_with(kBytes, given, Deadline::after(1s));
           if (!sent) return done(std::move(sent));
           auto received = both.ends.second.read_with(room, came, Deadline::after(1s));
           if (received && came.size() != 1) std::abort();
           if (!received) static_cast<void>(both.ends.second.try_read(room));
           return done(std::move(received));
         });
       }},
  };
}

std::vector<Operation> of_seqpacket() {
  return {
      {"UnixSeqpacketSend",
       [](const Ground&) {
         return with<Messages>(
             Messages(),
             [](Messages& both) { return both.ends.first.send(kBytes, Deadline::after(1s)); },
             [](Messages& both) {
               std::array<std::byte, 16> room{};
               const bool came = both.ends.second.try_receive(room).value().bytes == 5;
               return unless(came && !both.ends.second.try_receive(room), "not sent once");
             });
       }},
      {"UnixSeqpacketReceive",
       [](const Ground&) {
         Messages both;
         static_cast<void>(both.ends.first.try_send(kBytes).value());
         return with<Messages>(std::move(both), [](Messages& ends) {
           std::array<std::byte, 16> room{};
           return done(ends.ends.second.receive(room, Deadline::after(1s)));
         });
       }},
  };
}

std::vector<Operation> of_tcp() {
  return {
      {"TcpListen",
       [](const Ground&) {
         return making<TcpListener>([] { return TcpListener::listen("127.0.0.1", "0"); });
       }},
      {"TcpConnect",
       [](const Ground&) {
         auto listener =
             std::make_shared<TcpListener>(TcpListener::listen("127.0.0.1", "0").value());
         const auto port = listener->address().value();
         return making<TcpStream>(
             [listener, port] { return TcpStream::connect(port, Deadline::after(2s)); });
       }},
      {"TcpAccept",
       [](const Ground&) {
         auto listener =
             std::make_shared<TcpListener>(TcpListener::listen("127.0.0.1", "0").value());
         auto client = std::make_shared<TcpStream>(
             TcpStream::connect(listener->address().value(), Deadline::after(5s)).value());
         return making<TcpStream>(
             [listener, client] { return listener->accept(Deadline::after(2s)); });
       }},
  };
}

}  // namespace

std::vector<Operation> socket_operations() {
  return joined<Operation>({of_listener(), of_stream(), of_seqpacket(), of_tcp()});
}

}  // namespace facilities
