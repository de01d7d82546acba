// ZeroMQ: sockets over a Unix socket, a pair of them or PUB and SUB. Its own threads do the sending
// and receiving.
#include <zmq.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#include "bench/payload.hpp"
#include "bench/peers/link.hpp"

namespace bench {

namespace {

class ZeromqLink final : public Link {
 public:
  explicit ZeromqLink(const LinkPlan& plan) : plan_(plan) {}
  void open_sender() override {
    open(plan_.publishes() ? ZMQ_PUB : ZMQ_PAIR);
    // One end is at the address and the others come: of a pair the receiver, else the publisher.
    const auto come = plan_.publishes() ? zmq_bind : zmq_connect;
    must(come(socket_, address().c_str()));
  }
  void open_receiver() override {
    open(plan_.publishes() ? ZMQ_SUB : ZMQ_PAIR);
    const auto come = plan_.publishes() ? zmq_connect : zmq_bind;
    if (plan_.publishes()) keep_the_newest();
    must(come(socket_, address().c_str()));
  }
  void send(std::uint64_t round) override {
    if (plan_.frame()) {
      std::memcpy(frame_.data(), &round, sizeof(round));
      must(zmq_send(socket_, frame_.data(), frame_.size(), 0));
      return;
    }
    const Payload payload = payload_of(round);
    must(zmq_send(socket_, &payload, sizeof(payload), 0));
  }
  void receive(std::uint64_t round) override {
    if (plan_.frame()) {
      must(zmq_recv(socket_, frame_.data(), frame_.size(), 0));
      std::uint64_t got = 0;
      std::memcpy(&got, frame_.data(), sizeof(got));
      if (got != round) std::abort();
      return;
    }
    Payload payload{};
    must(zmq_recv(socket_, &payload, sizeof(payload), 0));
    check(payload, round);
  }
  bool took_any() override {
    Payload payload{};
    return zmq_recv(socket_, &payload, sizeof(payload), ZMQ_DONTWAIT) > 0;
  }

 private:
  static void must(int result) {
    if (result < 0) throw std::runtime_error(zmq_strerror(zmq_errno()));
  }
  std::string address() const { return "ipc:///dev/shm/" + plan_.tag; }
  void keep_the_newest() {
    const int yes = 1;
    must(zmq_setsockopt(socket_, ZMQ_CONFLATE, &yes, sizeof(yes)));
    must(zmq_setsockopt(socket_, ZMQ_SUBSCRIBE, "", 0));
  }
  void open(int type) {
    // One context a process, and with it one thread that sends and receives, as its manual advises.
    static void* const context = zmq_ctx_new();
    socket_ = zmq_socket(context, type);
    if (plan_.frame()) frame_.resize(frame_bytes);
  }
  LinkPlan plan_;
  void* socket_ = nullptr;
  std::vector<std::byte> frame_;
};

}  // namespace

std::unique_ptr<Link> zeromq_link(const LinkPlan& plan) {
  return std::make_unique<ZeromqLink>(plan);
}

}  // namespace bench
