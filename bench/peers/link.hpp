// link.hpp: one direction from a sending process to a receiving one, as a peer offers it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "bench/exchange.hpp"

namespace bench {

enum class Work { spinning, blocking, stream, frame };

// What a link is to do, and a word that no other link on this machine has in its name.
struct LinkPlan {
  Work work;
  std::string tag;
  bool frame() const { return work == Work::frame; }
  bool blocking() const { return work == Work::blocking; }
};

class Link {
 public:
  virtual ~Link() = default;
  // Each process opens one end, after the fork.
  virtual void open_sender() = 0;
  virtual void open_receiver() = 0;
  // Returns when a message sent now would arrive; the other end may open later than ours.
  virtual void await_receiver() {}
  virtual void send(std::uint64_t round) = 0;
  // Returns when message number `round` has been read; stops the process if it is another.
  virtual void receive(std::uint64_t round) = 0;
};

// A peer was installed when this program was built if `link` is set. It answers nullptr for work
// that the peer does not offer.
struct Peer {
  std::string name;
  std::unique_ptr<Link> (*link)(const LinkPlan& plan);
};

std::unique_ptr<Link> boost_link(const LinkPlan& plan);
std::unique_ptr<Link> iceoryx_link(const LinkPlan& plan);
std::unique_ptr<Link> zeromq_link(const LinkPlan& plan);
std::unique_ptr<Link> nng_link(const LinkPlan& plan);

// Plays a peer's links as an exchange: one each way, or for a stream one and an answer in memory.
std::unique_ptr<Exchange> exchange_over(const Peer& peer, Work work, const std::string& tag);
// The same work done by us.
std::unique_ptr<Exchange> our_exchange(Work work);

}  // namespace bench
