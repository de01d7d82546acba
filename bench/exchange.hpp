// exchange.hpp: one way to hand a message back and forth between two processes.
//
// An exchange is opened once in each process (`open` runs after the fork), then played in windows:
// the leader calls ping() once a round and times it, the follower calls pong() as often.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace bench {

enum class Side { leader, follower };

class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual void open(Side side) = 0;
  // Sends message number `round` and returns when the answer to it has been read.
  virtual void ping(std::uint64_t round) = 0;
  // Waits for message number `round`, reads it and answers.
  virtual void pong(std::uint64_t round) = 0;
};

// Limits: what the machine itself needs.
std::unique_ptr<Exchange> raw_cache_line();
std::unique_ptr<Exchange> raw_futex();

// Ours.
std::unique_ptr<Exchange> topic_spinning();
std::unique_ptr<Exchange> topic_blocking();
std::unique_ptr<Exchange> topic_frames();

}  // namespace bench
