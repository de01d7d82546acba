// iceoryx: shared memory that is lent, read where it lies, and kept by a daemon, iox-roudi.
#include <unistd.h>

#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <optional>
#include <stdexcept>

#include "bench/payload.hpp"
#include "bench/peers/link.hpp"

namespace bench {

namespace {

class IceoryxLink final : public Link {
 public:
  explicit IceoryxLink(const LinkPlan& plan) : plan_(plan) {}
  void open_sender() override {
    enter();
    iox::popo::PublisherOptions options;
    options.subscriberTooSlowPolicy = plan_.publishes()
                                          ? iox::popo::ConsumerTooSlowPolicy::DISCARD_OLDEST_DATA
                                          : iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
    out_.emplace(service(), options);
  }
  void open_receiver() override {
    enter();
    iox::popo::SubscriberOptions options;
    // 256 is the most it allows.
    options.queueCapacity = plan_.frame() || plan_.publishes() ? 4 : 256;
    options.queueFullPolicy = plan_.publishes() ? iox::popo::QueueFullPolicy::DISCARD_OLDEST_DATA
                                                : iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
    in_.emplace(service(), options);
    if (!plan_.blocking()) return;
    waiting_.emplace();
    const auto attached = waiting_->attachState(*in_, iox::popo::SubscriberState::HAS_DATA);
    if (attached.has_error()) throw std::runtime_error("iceoryx: cannot attach to the wait set");
  }
  void await_receiver() override {
    while (!out_->hasSubscribers()) {
    }
  }
  void send(std::uint64_t round) override {
    const std::size_t bytes = plan_.frame() ? frame_bytes : sizeof(Payload);
    auto loan = out_->loan(static_cast<std::uint32_t>(bytes));
    if (loan.has_error()) throw std::runtime_error("iceoryx: no memory to lend");
    if (plan_.frame()) {
      *static_cast<std::uint64_t*>(loan.value()) = round;
    } else {
      fill(*static_cast<Payload*>(loan.value()), round);
    }
    out_->publish(loan.value());
  }
  void receive(std::uint64_t round) override {
    for (;;) {
      if (plan_.blocking()) static_cast<void>(waiting_->wait());
      auto taken = in_->take();
      if (taken.has_error()) continue;
      if (!plan_.frame()) {
        check(*static_cast<const Payload*>(taken.value()), round);
      } else if (*static_cast<const std::uint64_t*>(taken.value()) != round) {
        std::abort();
      }
      in_->release(taken.value());
      return;
    }
  }
  bool took_any() override {
    auto taken = in_->take();
    if (taken.has_error()) return false;
    in_->release(taken.value());
    return true;
  }

 private:
  static void enter() {
    iox::log::LogManager::GetLogManager().SetDefaultLogLevel(
        iox::log::LogLevel::kError, iox::log::LogLevelOutput::kHideLogLevel);
    const std::string name = "signalbox-bench-" + std::to_string(::getpid());
    iox::runtime::PoshRuntime::initRuntime(
        iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name.c_str()));
  }
  iox::capro::ServiceDescription service() const {
    const iox::capro::IdString_t tag(iox::cxx::TruncateToCapacity, plan_.tag.c_str());
    return {"signalbox", "bench", tag};
  }
  LinkPlan plan_;
  std::optional<iox::popo::UntypedPublisher> out_;
  std::optional<iox::popo::UntypedSubscriber> in_;
  std::optional<iox::popo::WaitSet<>> waiting_;
};

}  // namespace

std::unique_ptr<Link> iceoryx_link(const LinkPlan& plan) {
  return std::make_unique<IceoryxLink>(plan);
}

}  // namespace bench
