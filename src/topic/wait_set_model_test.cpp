// Goal: a set reports exactly the open sources that have something and are watched, whatever was
// watched, ended, published, taken, closed and opened before; and waiting allocates nothing.
// Method: thousands of random steps beside a model of a few lines that knows what is pending; the
// seed is printed. Allocations are counted by this program's own operator new.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <new>
#include <optional>
#include <random>
#include <vector>

#include "topic/wait_set_fixture.hpp"

namespace {
std::atomic<std::uint64_t> allocations = 0;
}  // namespace

// Not inlined, or the compiler sees a free() of what came from new.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  allocations.fetch_add(1);
  void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace signalbox {
namespace {

using Step = test::Number;
using ::testing::UnorderedElementsAreArray;
using namespace std::chrono_literals;

constexpr std::size_t kTopics = 5;
constexpr std::size_t kEvents = 5;
constexpr std::size_t kSources = kTopics + kEvents;
constexpr std::uint32_t kWatchesMax = 7;

// One source of either kind: what the model knows, and the real thing.
struct Source {
  std::uint64_t opened = 0;  // which opening; a watch of an earlier one is silent
  bool is_open = false;
  std::uint64_t pending = 0;
  std::optional<Publisher<Step>> out;
  std::optional<Subscriber<Step>> in;
  os::Fd event;
};

struct Watched {
  std::size_t source;
  std::uint64_t opened;
  Watch watch;
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {
    for (std::size_t i = 0; i < kTopics; ++i) {
      sources_[i].out = must(Publisher<Step>::open("topic/" + std::to_string(i), {.depth = 64}));
    }
    for (std::size_t i = 0; i < kSources; ++i) open(i);
  }

  void step() {
    Source& source = sources_[pick(kSources)];
    const auto index = static_cast<std::size_t>(&source - sources_);
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
        return signal(source);
      case 3:
      case 4:
        return drain(source);
      case 5:
        return source.is_open ? close(source) : open(index);
      case 6:
      case 7:
        return watch(index);
      case 8:
        return unwatch();
      case 9:
        if (pick(20) == 0) set_ = must(WaitSet::create(kWatchesMax)), watches_.clear();
        return;
      default:
        return check();
    }
  }

 private:
  std::size_t pick(std::size_t count) { return random_() % count; }

  void open(std::size_t index) {
    Source& source = sources_[index];
    source.is_open = true;
    source.pending = 0;
    ++source.opened;
    if (source.out) {
      source.in = must(Subscriber<Step>::open("topic/" + std::to_string(index), Start::next));
    } else {
      source.event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE));
    }
  }

  static void close(Source& source) {
    source.is_open = false;
    source.in.reset();
    source.event.reset();
  }

  static void signal(Source& source) {
    if (!source.is_open || source.pending == 60) return;
    if (source.out) {
      must(source.out->send({source.pending}));
    } else {
      ASSERT_EQ(::eventfd_write(source.event.get(), 1), 0);
    }
    ++source.pending;
  }

  static void drain(Source& source) {
    if (!source.is_open) return;
    bool got = false;
    if (source.in) {
      got = static_cast<bool>(source.in->take());
    } else {
      eventfd_t value = 0;
      got = ::eventfd_read(source.event.get(), &value) == 0;
    }
    ASSERT_EQ(got, source.pending > 0);
    if (got) --source.pending;
  }

  bool is_watched(std::size_t index) const {
    return std::ranges::any_of(watches_, [&](const auto& entry) {
      return entry.second.source == index && entry.second.opened == sources_[index].opened;
    });
  }

  void watch(std::size_t index) {
    Source& source = sources_[index];
    if (!source.is_open) return;
    auto made = set_.watch(
        source.in ? source.in->waitable() : Waitable::descriptor(source.event.get()), next_key_);
    if (watches_.size() == kWatchesMax || is_watched(index)) {
      ASSERT_FALSE(made);
      return;
    }
    watches_.emplace(next_key_++, Watched{index, source.opened, must(std::move(made))});
  }

  void unwatch() {
    if (watches_.empty()) return;
    watches_.erase(std::next(watches_.begin(), static_cast<std::ptrdiff_t>(pick(watches_.size()))));
  }

  void check() {
    std::vector<WaitSet::Key> expected;
    for (const auto& [key, watched] : watches_) {
      const Source& source = sources_[watched.source];
      if (source.is_open && source.opened == watched.opened && source.pending > 0) {
        expected.push_back(key);
      }
    }
    const Deadline deadline = pick(4) == 0 ? Deadline::after(50us) : Deadline::immediate();
    std::vector<WaitSet::Key> told;
    for (const auto [key, events] : must(set_.wait(deadline))) {
      ASSERT_EQ(events, Events::readable);
      told.push_back(key);
    }
    ASSERT_THAT(told, UnorderedElementsAreArray(expected));
  }

  std::mt19937_64 random_;
  WaitSet set_ = must(WaitSet::create(kWatchesMax));
  Source sources_[kSources];
  std::map<WaitSet::Key, Watched> watches_;
  WaitSet::Key next_key_ = 0;
};

TEST(WaitSetModel, ReportsWhatIsPendingAndWatchedAndNothingElse) {
  const char* const given = std::getenv("SIGNALBOX_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("SIGNALBOX_SEED=" + std::to_string(seed));
  for (std::uint64_t run = 0; run < 10 && !::testing::Test::HasFailure(); ++run) {
    const ScratchDomain domain;
    World world(seed + run);
    for (int i = 0; i < 2'000 && !::testing::Test::HasFatalFailure(); ++i) world.step();
  }
}

void expect_no_allocation_while_waiting(WaitSet& set, Publisher<Step>& out, Subscriber<Step>& in) {
  const auto once = [&] {
    static_cast<void>(set.wait(Deadline::after(10us)));
    must(out.send({1}));
    static_cast<void>(set.wait(Deadline::after(10us)));
    static_cast<void>(in.take());
    static_cast<void>(in.take());
  };
  once();  // the first look meets who joined last
  const std::uint64_t before = allocations.load();
  for (int i = 0; i < 100; ++i) once();
  EXPECT_EQ(allocations.load(), before);
}

TEST(WaitSetMemory, WaitingAllocatesNothing) {
  const ScratchDomain domain;
  auto out = must(Publisher<Step>::open("one"));
  auto in = must(Subscriber<Step>::open("one", Start::next));
  auto set = must(WaitSet::create(4));
  const Watch topic = must(set.watch_every(in.waitable(), 1, 1h));
  expect_no_allocation_while_waiting(set, out, in);
  const os::Fd event(::eventfd(0, EFD_CLOEXEC));
  const Watch descriptor = must(set.watch(Waitable::descriptor(event.get()), 2));
  expect_no_allocation_while_waiting(set, out, in);
}

}  // namespace
}  // namespace signalbox
