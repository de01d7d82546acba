// ZeroMQ: a pair of sockets over a Unix socket. Its own threads do the sending and receiving.
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
    open();
    must(zmq_connect(socket_, address().c_str()));
  }
  void open_receiver() override {
    open();
    must(zmq_bind(socket_, address().c_str()));
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

 private:
  static void must(int result) {
    if (result < 0) throw std::runtime_error(zmq_strerror(zmq_errno()));
  }
  std::string address() const { return "ipc:///dev/shm/" + plan_.tag; }
  void open() {
    socket_ = zmq_socket(zmq_ctx_new(), ZMQ_PAIR);
    if (plan_.frame()) frame_.resize(frame_bytes);
  }
  LinkPlan plan_;
  void* socket_ = nullptr;
  std::vector<std::byte> frame_;
};

}  // namespace

std::unique_ptr<Link> zeromq_link(const LinkPlan& plan) {
  // On two pinned CPUs a spinning receiver would take the CPU from the thread it waits for.
  if (plan.work == Work::spinning) return nullptr;
  return std::make_unique<ZeromqLink>(plan);
}

}  // namespace bench
