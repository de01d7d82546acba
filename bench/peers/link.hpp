// link.hpp: one direction from a sending process to a receiving one, as a peer offers it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "bench/exchange.hpp"
#include "bench/instructions.hpp"

namespace bench {

enum class Work {
  spinning,
  blocking,
  stream,
  frame,
  publish_to_1,  // so many idle subscribers, who took one message each and no other
  publish_to_4,
  publish_to_16,
  publish_to_64,
};

// 0 where one receiver takes every message.
std::size_t idle_subscribers(Work work);

// What a link is to do, and a word that no other link on this machine has in its name.
struct LinkPlan {
  Work work;
  std::string tag;
  bool frame() const { return work == Work::frame; }
  bool blocking() const { return work == Work::blocking; }
  // To subscribers that may miss messages, and must not hold the sender up.
  bool publishes() const { return idle_subscribers(work) > 0; }
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
  // Takes any message, and answers whether there was one. Asked of subscribers that are to be idle,
  // to learn that they are connected; only peers that publish to several need it.
  virtual bool took_any() { return false; }
};

// A peer was installed when this program was built if `link` is set.
struct Peer {
  std::string name;
  std::unique_ptr<Link> (*link)(const LinkPlan& plan) = nullptr;
  // Why it cannot be compared on some work; empty if it can.
  std::string (*cannot)(const LinkPlan& plan) = [](const LinkPlan&) { return std::string(); };
  std::string absent = "not installed";  // why `link` is not set
};

std::unique_ptr<Link> boost_link(const LinkPlan& plan);
std::unique_ptr<Link> cyclone_link(const LinkPlan& plan);
std::unique_ptr<Link> iceoryx_link(const LinkPlan& plan);
std::unique_ptr<Link> iceoryx2_link(const LinkPlan& plan);
std::unique_ptr<Link> zeromq_link(const LinkPlan& plan);
std::unique_ptr<Link> nng_link(const LinkPlan& plan);
std::unique_ptr<Link> topic_link(const LinkPlan& plan);  // ours, to publish to several

// Plays a peer's links as an exchange: one each way, or for a stream one and an answer in memory,
// or one to each idle subscriber.
std::unique_ptr<Exchange> exchange_over(const Peer& peer, Work work, const std::string& tag);
// The same work done by us.
std::unique_ptr<Exchange> our_exchange(Work work, const std::string& tag);
// Publishing to idle subscribers in the follower; one round is published_to_idle messages.
inline constexpr std::uint64_t published_to_idle = 200;
std::unique_ptr<Exchange> fan_out(const Peer& peer, const LinkPlan& plan);
// The instructions of one of these, in the thread that publishes.
Steps publish_steps(const Peer& peer, const LinkPlan& plan);

}  // namespace bench
