#include "bench/crowd.hpp"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "bench/payload.hpp"
#include "signalbox/topic.hpp"

namespace bench {

namespace {

using Subscriber = signalbox::Subscriber<Payload>;

constexpr std::size_t kSleepersMax = 8;

void sleep_on(Subscriber& other) {
  for (;;) static_cast<void>(other.wait(signalbox::Deadline::never()));
}

void be_the_crowd(const std::string& topic, std::size_t count, const Bystander::Stay& stay) {
  std::vector<Subscriber> all;
  all.reserve(count);
  for (std::size_t i = 0; i < count; ++i) all.push_back(Subscriber::open(topic).value());
  std::vector<Subscriber> others;
  others.reserve(kSleepersMax);
  for (std::size_t i = 0; i < std::min(count, kSleepersMax); ++i) {
    others.push_back(Subscriber::open(topic + "/other/" + std::to_string(i)).value());
  }
  for (Subscriber& other : others) std::thread([&other] { sleep_on(other); }).detach();
  stay();
}

}  // namespace

Crowd::Crowd(const std::string& topic, std::size_t count)
    : Bystander("the crowd of " + topic,
                [&](const Stay& stay) { be_the_crowd(topic, count, stay); }) {}

}  // namespace bench
