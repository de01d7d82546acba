// wait_set_fixture.hpp: for tests: sources to watch, and the keys of those that are ready.
#pragma once

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/must.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/topic.hpp"
#include "signalbox/wait_set.hpp"
#include "topic/scratch_domain.hpp"

namespace test {
struct Number {
  std::uint64_t value;
};
}  // namespace test
SBX_DESCRIBE(test::Number, value);

namespace signalbox {

// A watchdog for what must come, never a measure.
inline Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

using Keys = std::vector<WaitSet::Key>;

inline Keys keys_of(std::span<const WaitSet::Ready> ready) {
  Keys keys;
  for (const auto [key, events] : ready) keys.push_back(key);
  return keys;
}

inline Keys ready_now(WaitSet& set) { return keys_of(must(set.wait(Deadline::immediate()))); }

struct Event {
  os::Fd fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  void signal() const { ASSERT_EQ(::eventfd_write(fd.get(), 1), 0); }
  void drain() const {
    eventfd_t value = 0;
    ::eventfd_read(fd.get(), &value);
  }
  Waitable waitable() const { return Waitable::descriptor(fd.get()); }
};

struct Topic {
  Publisher<test::Number> out;
  std::optional<Subscriber<test::Number>> in;
  explicit Topic(const std::string& name)
      : out(must(Publisher<test::Number>::open(name, {.depth = 64}))),
        in(must(Subscriber<test::Number>::open(name, Start::next))) {}
};

}  // namespace signalbox
