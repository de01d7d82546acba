// Boost.Interprocess: a message queue in shared memory, which copies every message in and out.
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstring>
#include <optional>
#include <vector>

#include "bench/payload.hpp"
#include "bench/peers/link.hpp"

namespace bench {

namespace {

namespace ipc = boost::interprocess;

class BoostLink final : public Link {
 public:
  explicit BoostLink(const LinkPlan& plan) : plan_(plan) {}
  void open_sender() override { open(); }
  void open_receiver() override { open(); }
  void send(std::uint64_t round) override {
    if (plan_.frame()) {
      std::memcpy(frame_.data(), &round, sizeof(round));
      queue_->send(frame_.data(), frame_.size(), 0);
      return;
    }
    const Payload payload = payload_of(round);
    queue_->send(&payload, sizeof(payload), 0);
  }
  void receive(std::uint64_t round) override {
    if (plan_.frame()) {
      take(frame_.data(), frame_.size());
      std::uint64_t got = 0;
      std::memcpy(&got, frame_.data(), sizeof(got));
      if (got != round) std::abort();
      return;
    }
    Payload payload{};
    take(&payload, sizeof(payload));
    check(payload, round);
  }

 private:
  void open() {
    const std::size_t bytes = plan_.frame() ? frame_bytes : sizeof(Payload);
    const std::size_t depth = plan_.work == Work::stream ? stream_depth : 4;
    queue_.emplace(ipc::open_or_create, plan_.tag.c_str(), depth, bytes);
    if (plan_.frame()) frame_.resize(bytes);
  }
  void take(void* into, std::size_t bytes) {
    ipc::message_queue::size_type got = 0;
    unsigned priority = 0;
    if (plan_.blocking()) {
      queue_->receive(into, bytes, got, priority);
    } else {
      while (!queue_->try_receive(into, bytes, got, priority)) {
      }
    }
    if (got != bytes) std::abort();
  }
  LinkPlan plan_;
  std::optional<ipc::message_queue> queue_;
  std::vector<std::byte> frame_;
};

}  // namespace

std::unique_ptr<Link> boost_link(const LinkPlan& plan) { return std::make_unique<BoostLink>(plan); }

}  // namespace bench
