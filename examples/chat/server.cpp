// A chat for everybody on this machine who may write to the socket:
//   chat_server SOCKET [LINES_MAX]
// The first message of a client is its name; each later one is a line that all get.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "signalbox/os/signals.hpp"
#include "signalbox/os/unix_listener.hpp"
#include "signalbox/wait_set.hpp"

namespace sbx = signalbox;
namespace os = signalbox::os;
using Key = sbx::WaitSet::Key;
using Line = std::shared_ptr<const std::string>;  // one copy, in however many queues it waits

constexpr std::size_t clients_max = 900, line_bytes_max = 1000, name_bytes_max = 32;
enum : Key { listener_key, signals_key, first_client_key };

struct Client {
  os::UnixSeqpacket socket;
  sbx::Watch watch;
  std::string name;          // empty until it has told
  std::deque<Line> waiting;  // for room in its socket
  std::string end;           // why it is to go; empty: it stays
};

class Chat {
 public:
  Chat(const std::string& path, std::size_t lines_max)
      : lines_max_(lines_max),
        listener_(os::UnixListener::listen(os::UnixAddress::path(path).value(),
                                           {.kind = os::UnixListener::Kind::seqpacket})
                      .value()) {
    listen();
  }

  // Until SIGINT or SIGTERM.
  void run() {
    const auto watch = set_.watch(signals_.waitable(), signals_key).value();
    for (;;) {
      const auto ready = set_.wait(sbx::Deadline::never()).value();
      for (const auto [key, events] : ready) {
        if (key == signals_key && signals_.take()) return end();
        if (key == listener_key) accept();
        if (key >= first_client_key) serve(key, events);
        dismiss();
      }
    }
  }

 private:
  void listen() { listening_ = set_.watch(listener_.waitable(), listener_key).value(); }

  void accept() {
    auto socket = clients_.size() < clients_max
                      ? listener_.try_accept_seqpacket()
                      : std::unexpected(sbx::Error{.code = sbx::Errc::limit_reached});
    if (socket) {
      const Key key = next_key_++;
      auto& client = clients_[key];
      client.socket = std::move(*socket);
      watch(key, client);
    } else if (socket.error().code == sbx::Errc::limit_reached) {
      listening_.end();  // who comes waits until somebody leaves
    }
  }

  void watch(Key key, Client& client) {
    const auto events = client.waiting.empty() ? sbx::Events::readable
                                               : sbx::Events::readable | sbx::Events::writable;
    client.watch.end();
    auto watch = set_.watch(client.socket.waitable(), key, events);
    if (watch) client.watch = std::move(*watch);
    if (!watch) client.end = "is one too many";
  }

  void serve(Key key, sbx::Events events) {
    const auto found = clients_.find(key);
    if (found == clients_.end()) return;  // dismissed meanwhile
    Client& client = found->second;
    if (any_of(events, sbx::Events::writable)) send_waiting(key, client);
    if (!any_of(events, sbx::Events::readable | sbx::Events::hung_up)) return;

    // One message at a time, so that who talks without end keeps nobody from talking.
    std::byte room[line_bytes_max];
    const auto received = client.socket.try_receive(room);
    if (!received && received.error().code == sbx::Errc::would_block) return;
    if (!received || received->bytes == 0) {
      client.end = "has left";
    } else if (client.name.empty()) {
      join(client, printable(room, std::min(received->bytes, name_bytes_max)));
    } else {
      say(client.name + ": " + printable(room, received->bytes));
    }
  }

  void join(Client& client, std::string name) {
    const bool is_taken =
        std::ranges::any_of(clients_, [&](const auto& it) { return it.second.name == name; });
    if (is_taken) {
      give(client, std::make_shared<const std::string>("* the name " + name + " is taken"));
      client.end = "is here already";
      return;
    }
    client.name = std::move(name);
    say("* " + client.name + " has joined");
  }

  // A client sends what it likes; nothing of it may move the cursors of other people's terminals.
  static std::string printable(const std::byte* bytes, std::size_t count) {
    std::string text(reinterpret_cast<const char*>(bytes), count);
    std::ranges::replace_if(
        text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
    return text;
  }

  void say(const std::string& text) {
    const Line line = std::make_shared<const std::string>(text);
    for (auto& [key, client] : clients_) {
      if (client.name.empty() || !client.end.empty()) continue;
      const bool was_waiting = !client.waiting.empty();
      give(client, line);
      if (!was_waiting && !client.waiting.empty()) watch(key, client);
    }
  }

  // Never waits: what the socket has no room for is put into the queue, which has an end.
  void give(Client& client, const Line& line) {
    if (client.waiting.empty()) {
      const auto sent = client.socket.try_send(std::as_bytes(std::span(*line)));
      if (sent) return;
      if (sent.error().code != sbx::Errc::would_block) client.end = "has left";
    }
    if (client.waiting.size() >= lines_max_) client.end = "was too slow and is dropped";
    if (client.end.empty()) client.waiting.push_back(line);
  }

  void send_waiting(Key key, Client& client) {
    while (!client.waiting.empty()) {
      const auto sent = client.socket.try_send(std::as_bytes(std::span(*client.waiting.front())));
      if (!sent && sent.error().code != sbx::Errc::would_block) client.end = "has left";
      if (!sent) return;
      client.waiting.pop_front();
    }
    watch(key, client);
  }

  // Takes out those who have to go. Telling the others may show that more have to.
  void dismiss() {
    for (;;) {
      const auto found =
          std::ranges::find_if(clients_, [](const auto& it) { return !it.second.end.empty(); });
      if (found == clients_.end()) return;
      const std::string name = found->second.name, end = found->second.end;
      clients_.erase(found);
      if (!name.empty()) say("* " + name + " " + end);
      if (!listening_) listen();
    }
  }

  void end() {
    say("* the server ends");
    static_cast<void>(listener_.unlink());
  }

  std::size_t lines_max_;
  os::Signals signals_ = os::Signals::block({SIGINT, SIGTERM}).value();
  os::UnixListener listener_;
  sbx::WaitSet set_ = sbx::WaitSet::create(clients_max + 2).value();
  sbx::Watch listening_;
  std::map<Key, Client> clients_;
  Key next_key_ = first_client_key;
};

int main(int words, char* word[]) {
  if (words < 2) return std::fputs("usage: chat_server SOCKET [LINES_MAX]\n", stderr), 2;
  try {
    Chat chat(word[1], words > 2 ? std::strtoul(word[2], nullptr, 10) : 10'000);
    std::puts("ready");
    std::fflush(stdout);
    chat.run();
  } catch (const std::bad_expected_access<sbx::Error>& failed) {
    return std::fprintf(stderr, "chat_server: %s\n", failed.error().text.c_str()), 1;
  }
}
