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
  // Before each ping(), and not timed: lets a follower fall asleep that is to be asleep.
  virtual void rest() {}
  // Waits for message number `round`, reads it and answers.
  virtual void pong(std::uint64_t round) = 0;
};

// Limits: what the machine itself needs.
std::unique_ptr<Exchange> raw_cache_line();
std::unique_ptr<Exchange> raw_lines_256();    // the same with 256 bytes
std::unique_ptr<Exchange> raw_lines_1024();   // with 1 KiB
std::unique_ptr<Exchange> raw_lines_4096();   // with 4 KiB
std::unique_ptr<Exchange> raw_lines_16384();  // and with 16 KiB
std::unique_ptr<Exchange> raw_futex();
std::unique_ptr<Exchange> raw_semaphore();  // sem_post() and sem_wait()
std::unique_ptr<Exchange> raw_eventfd();    // write() and read()
std::unique_ptr<Exchange> raw_pipe();
std::unique_ptr<Exchange> raw_event_loop();  // eventfd and epoll
std::unique_ptr<Exchange> raw_slot_ring();   // a stream: stream_messages in one direction a round
std::unique_ptr<Exchange> raw_open_close();  // of the files that a topic needs

// Ours.
std::unique_ptr<Exchange> topic_spinning();
std::unique_ptr<Exchange> topic_spinning_writable();  // SubscriberOptions::writable_ring
std::unique_ptr<Exchange> topic_256();
std::unique_ptr<Exchange> topic_256_writable();
std::unique_ptr<Exchange> topic_1024();
std::unique_ptr<Exchange> topic_4096();
std::unique_ptr<Exchange> topic_16384();
std::unique_ptr<Exchange> topic_blocking();      // sleeps at once
std::unique_ptr<Exchange> topic_adaptive();      // spins a while first, as by default
std::unique_ptr<Exchange> topic_event_loop();    // the subscriber's descriptor in an epoll
std::unique_ptr<Exchange> topic_stream();        // one by one
std::unique_ptr<Exchange> topic_stream_batch();  // 64 at a time
std::unique_ptr<Exchange> topic_frames();
std::unique_ptr<Exchange> topic_open_close();  // of a topic's only publisher
std::unique_ptr<Exchange> publish_to_one();    // published_a_round messages to a subscriber
std::unique_ptr<Exchange> publish_to_many();   // ... to 256

// What one round of a stream carries.
inline constexpr std::uint64_t stream_messages = 8192;
inline constexpr std::uint64_t stream_depth = 1024;
inline constexpr std::uint64_t published_a_round = 1000;

}  // namespace bench
