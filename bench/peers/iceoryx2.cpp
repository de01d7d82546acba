// iceoryx2: shared memory that is lent and read where it lies, without a daemon. It is a library in
// Rust, so the link itself is written in Rust, in the folder iceoryx2, and this passes calls on.
#include "bench/payload.hpp"
#include "bench/peers/link.hpp"

extern "C" {

// As in iceoryx2/src/lib.rs.
struct PeerIceoryx2Plan {
  bool blocking;
  bool frame;
  bool publishes;
  std::size_t depth;
};
struct PeerIceoryx2;

PeerIceoryx2* peer_iceoryx2_open(PeerIceoryx2Plan plan, const char* tag, bool sends);
void peer_iceoryx2_await_receiver(PeerIceoryx2* link);
void peer_iceoryx2_send(PeerIceoryx2* link, std::uint64_t round);
void peer_iceoryx2_receive(PeerIceoryx2* link, std::uint64_t round);
bool peer_iceoryx2_took_any(PeerIceoryx2* link);

}  // extern "C"

namespace bench {

namespace {

class Iceoryx2Link final : public Link {
 public:
  explicit Iceoryx2Link(const LinkPlan& plan) : plan_(plan) {}
  void open_sender() override { open(true); }
  void open_receiver() override { open(false); }
  void await_receiver() override { peer_iceoryx2_await_receiver(link_); }
  void send(std::uint64_t round) override { peer_iceoryx2_send(link_, round); }
  void receive(std::uint64_t round) override { peer_iceoryx2_receive(link_, round); }
  bool took_any() override { return peer_iceoryx2_took_any(link_); }

 private:
  void open(bool sends) {
    const std::size_t depth = plan_.work == Work::stream ? stream_depth : 4;
    link_ = peer_iceoryx2_open({plan_.blocking(), plan_.frame(), plan_.publishes(), depth},
                               plan_.tag.c_str(), sends);
  }
  LinkPlan plan_;
  PeerIceoryx2* link_ = nullptr;
};

}  // namespace

std::unique_ptr<Link> iceoryx2_link(const LinkPlan& plan) {
  return std::make_unique<Iceoryx2Link>(plan);
}

}  // namespace bench
