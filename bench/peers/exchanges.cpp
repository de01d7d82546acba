// A peer's links played as exchanges, so that peers and topics do the same work in the same
// windows.
#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <stdexcept>

#include "bench/peers/link.hpp"

namespace bench {

namespace {

struct alignas(64) Word {
  std::atomic<std::uint64_t> round;
};

Word* shared_word() {
  void* at =
      ::mmap(nullptr, sizeof(Word), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::runtime_error("cannot map shared memory");
  return new (at) Word{};
}

void await_word(const Word* word, std::uint64_t round) {
  // sync[bench.round] acquire: meets the store of the other process.
  while (word->round.load(std::memory_order_acquire) < round) {
  }
}

void store_word(Word* word, std::uint64_t round) {
  // sync[bench.round] release: all of the round has been read.
  word->round.store(round, std::memory_order_release);
}

// The follower leaves as soon as it has answered for the last time, but a peer that sends by a
// thread of its own may not have sent that answer yet. So it stays until the leader has read it.
Word* last_read = nullptr;
std::uint64_t last_answered = 0;
void stay_until_read() { await_word(last_read, last_answered); }

class PingPong final : public Exchange {
 public:
  PingPong(std::unique_ptr<Link> there, std::unique_ptr<Link> back)
      : there_(std::move(there)), back_(std::move(back)) {}
  void open(Side side) override {
    const bool leads = side == Side::leader;
    Link& out = leads ? *there_ : *back_;
    out.open_sender();
    (leads ? *back_ : *there_).open_receiver();
    out.await_receiver();
    if (leads) return;
    last_read = read_;
    std::atexit(stay_until_read);
  }
  void ping(std::uint64_t round) override {
    there_->send(round);
    back_->receive(round);
    store_word(read_, round);
  }
  void pong(std::uint64_t round) override {
    there_->receive(round);
    last_answered = round;
    back_->send(round);
  }

 private:
  std::unique_ptr<Link> there_, back_;
  Word* read_ = shared_word();
};

class OneWay final : public Exchange {
 public:
  explicit OneWay(std::unique_ptr<Link> link) : link_(std::move(link)) {}
  void open(Side side) override {
    if (side == Side::follower) return link_->open_receiver();
    link_->open_sender();
    link_->await_receiver();
  }
  void ping(std::uint64_t round) override {
    const std::uint64_t first = round * stream_messages;
    for (std::uint64_t i = 0; i < stream_messages; ++i) link_->send(first + i);
    await_word(answer_, round);
  }
  void pong(std::uint64_t round) override {
    const std::uint64_t first = round * stream_messages;
    for (std::uint64_t i = 0; i < stream_messages; ++i) link_->receive(first + i);
    store_word(answer_, round);
  }

 private:
  std::unique_ptr<Link> link_;
  Word* answer_ = shared_word();
};

}  // namespace

std::unique_ptr<Exchange> exchange_over(const Peer& peer, Work work, const std::string& tag) {
  if (idle_subscribers(work) > 0) return fan_out(peer, {work, tag + "-there"});
  auto there = peer.link({work, tag + "-there"});
  if (work == Work::stream) return std::make_unique<OneWay>(std::move(there));
  return std::make_unique<PingPong>(std::move(there), peer.link({work, tag + "-back"}));
}

std::unique_ptr<Exchange> our_exchange(Work work, const std::string& tag) {
  switch (work) {
    case Work::spinning:
      return topic_spinning();
    case Work::blocking:
      return topic_blocking();
    case Work::stream:
      return topic_stream();
    case Work::frame:
      return topic_frames();
    default:
      return fan_out({"Signalbox", topic_link}, {work, tag + "-ours"});
  }
}

}  // namespace bench
