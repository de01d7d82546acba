// Ours as a link, for what is played by the very same code as the peers: publishing to several.
#include <optional>
#include <stdexcept>

#include "base/must.hpp"
#include "bench/payload.hpp"
#include "bench/peers/link.hpp"
#include "signalbox/topic.hpp"

namespace bench {

namespace {

class TopicLink final : public Link {
 public:
  explicit TopicLink(const LinkPlan& plan) : name_("bench/" + plan.tag) {}
  void open_sender() override { out_ = must(signalbox::Publisher<Payload>::open(name_)); }
  void open_receiver() override { in_ = must(signalbox::Subscriber<Payload>::open(name_)); }
  void send(std::uint64_t round) override {
    if (!out_->send(payload_of(round))) throw std::runtime_error("cannot publish");
  }
  void receive(std::uint64_t round) override {
    for (;;) {
      if (auto sample = in_->take()) return check(*sample, round);
    }
  }
  bool took_any() override { return static_cast<bool>(in_->take()); }

 private:
  std::string name_;
  std::optional<signalbox::Publisher<Payload>> out_;
  std::optional<signalbox::Subscriber<Payload>> in_;
};

}  // namespace

std::unique_ptr<Link> topic_link(const LinkPlan& plan) { return std::make_unique<TopicLink>(plan); }

}  // namespace bench
