#include "bench/counted_rows.hpp"

#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>

#include "bench/crowd.hpp"
#include "bench/instructions.hpp"
#include "bench/payload.hpp"
#include "signalbox/topic.hpp"

namespace bench {

namespace {

// Several, so that what the function around them does at its begin and end weighs as in any loop.
constexpr std::uint64_t sends_a_run = 12;

Steps publish_steps(std::size_t subscribers) {
  const std::string name = "bench/steps/" + std::to_string(subscribers);
  const Crowd crowd(name, subscribers);
  return count_steps([&]() -> std::function<void()> {
    static auto publisher = signalbox::Publisher<Payload>::open(name).value();
    if (publisher.subscriber_count() != subscribers) {
      throw std::runtime_error("not all subscribers are there");
    }
    static const Payload payload = payload_of(1);
    return [] {
      for (std::uint64_t left = sends_a_run; left != 0; --left) {
        if (!publisher.send(payload)) std::abort();
      }
    };
  });
}

double of_one(std::uint64_t instructions) {
  return static_cast<double>(instructions) / static_cast<double>(sends_a_run);
}

double in_us(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
}

}  // namespace

std::vector<Row> publish_rows(bool smoke) {
  const Steps one = publish_steps(1);
  std::vector<Row> rows{
      counted("publish, instructions", of_one(one.instructions), 40, 1.0,
              "40, the caller's among them"),
      counted("publish, system calls", static_cast<double>(one.system_calls), 0, 0.0, "none"),
  };
  for (const std::size_t many : {4, 16, 64, 256}) {
    const Steps steps = publish_steps(smoke ? 4 : many);
    rows.push_back(counted("publish, " + std::to_string(many) + " subscribers",
                           of_one(steps.instructions), of_one(one.instructions), 1.0,
                           "with one subscriber"));
  }
  return rows;
}

std::vector<Row> idle_rows(double seconds) {
  auto publisher = signalbox::Publisher<Payload>::open("bench/idle").value();
  auto subscriber = signalbox::Subscriber<Payload>::open("bench/idle").value();
  rusage before{};
  rusage after{};
  ::getrusage(RUSAGE_THREAD, &before);
  const auto time = std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
  static_cast<void>(subscriber.wait(signalbox::Deadline::after(time)));
  ::getrusage(RUSAGE_THREAD, &after);
  const auto slept = static_cast<double>(after.ru_nvcsw - before.ru_nvcsw);
  const double cpu_us = in_us(after.ru_utime) + in_us(after.ru_stime) - in_us(before.ru_utime) -
                        in_us(before.ru_stime);
  return {
      counted("idle wait, wake-ups a s", slept / seconds, 10, 1.0, "10: looks for the dead"),
      counted("idle wait, CPU us a s", cpu_us / seconds, 1000, 1.0, "0.1 % of one"),
  };
}

}  // namespace bench
