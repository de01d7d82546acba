// NNG: sockets over a Unix socket, a pair of them or PUB and SUB. Its own threads do the sending
// and receiving.
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#include "bench/payload.hpp"
#include "bench/peers/link.hpp"

namespace bench {

namespace {

class NngLink final : public Link {
 public:
  explicit NngLink(const LinkPlan& plan) : plan_(plan) {}
  void open_sender() override {
    open(plan_.publishes() ? nng_pub0_open : nng_pair0_open);
    plan_.publishes() ? listen() : dial();
  }
  void open_receiver() override {
    open(plan_.publishes() ? nng_sub0_open : nng_pair0_open);
    if (plan_.publishes()) must(nng_socket_set(socket_, NNG_OPT_SUB_SUBSCRIBE, "", 0));
    plan_.publishes() ? dial() : listen();
  }
  void send(std::uint64_t round) override {
    if (plan_.frame()) {
      std::memcpy(frame_.data(), &round, sizeof(round));
      must(nng_send(socket_, frame_.data(), frame_.size(), 0));
      return;
    }
    Payload payload = payload_of(round);
    must(nng_send(socket_, &payload, sizeof(payload), 0));
  }
  void receive(std::uint64_t round) override {
    if (plan_.frame()) {
      std::size_t bytes = frame_.size();
      must(nng_recv(socket_, frame_.data(), &bytes, 0));
      std::uint64_t got = 0;
      std::memcpy(&got, frame_.data(), sizeof(got));
      if (got != round || bytes != frame_bytes) std::abort();
      return;
    }
    Payload payload{};
    std::size_t bytes = sizeof(payload);
    must(nng_recv(socket_, &payload, &bytes, 0));
    check(payload, round);
  }
  bool took_any() override {
    Payload payload{};
    std::size_t bytes = sizeof(payload);
    return nng_recv(socket_, &payload, &bytes, NNG_FLAG_NONBLOCK) == 0;
  }

 private:
  static void must(int result) {
    if (result != 0) throw std::runtime_error(nng_strerror(result));
  }
  std::string address() const { return "ipc:///dev/shm/" + plan_.tag; }
  void dial() { must(nng_dial(socket_, address().c_str(), nullptr, NNG_FLAG_NONBLOCK)); }
  void listen() { must(nng_listen(socket_, address().c_str(), nullptr, 0)); }
  void open(int (*of_protocol)(nng_socket*)) {
    must(of_protocol(&socket_));
    must(nng_socket_set_ms(socket_, NNG_OPT_RECONNMINT, 5));
    // Larger messages than 1 MiB are refused unless one says so.
    must(nng_socket_set_size(socket_, NNG_OPT_RECVMAXSZ, 0));
    if (plan_.work == Work::stream) {
      must(nng_socket_set_int(socket_, NNG_OPT_SENDBUF, stream_depth));
      must(nng_socket_set_int(socket_, NNG_OPT_RECVBUF, stream_depth));
    }
    if (plan_.frame()) frame_.resize(frame_bytes);
  }
  LinkPlan plan_;
  nng_socket socket_ = NNG_SOCKET_INITIALIZER;
  std::vector<std::byte> frame_;
};

}  // namespace

std::unique_ptr<Link> nng_link(const LinkPlan& plan) { return std::make_unique<NngLink>(plan); }

}  // namespace bench
