// Goal: every allocation of topics, locks and discovery may fail, once. The call answers
// out_of_memory or what it could not do, or succeeds without; no exception leaves the library and
// nobody is aborted; the next attempt works; nothing is left behind. Method: the test brings the
// program's operator new and counts, while a call of the library runs, what it asks for. Each scene
// is played once to count, and then once for each allocation, in a process of its own, with exactly
// that one refused.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <optional>
#include <vector>

#include "../proof_counts.hpp"
#include "allocation_window.hpp"
#include "os/test_process.hpp"
#include "signalbox/os/timer.hpp"
#include "signalbox/topic.hpp"
#include "signalbox/wait_set.hpp"
#include "topic/scratch_domain.hpp"

thread_local bool allocation::in_library = false;

namespace {

// Plain words: these run inside operator new.
std::size_t asked_for = 0;
std::size_t refused_at = SIZE_MAX;

void* allocate(std::size_t bytes) {
  if (allocation::in_library && asked_for++ == refused_at) throw std::bad_alloc();
  void* const at = std::malloc(bytes == 0 ? 1 : bytes);
  if (at == nullptr) throw std::bad_alloc();
  return at;
}

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
// The analyzer does not know that these are the heap itself.
// NOLINTBEGIN(clang-analyzer-cplusplus.NewDelete)
void operator delete(void* at) noexcept { std::free(at); }
void operator delete[](void* at) noexcept { std::free(at); }
void operator delete(void* at, std::size_t) noexcept { std::free(at); }
void operator delete[](void* at, std::size_t) noexcept { std::free(at); }
// NOLINTEND(clang-analyzer-cplusplus.NewDelete)

namespace test {
struct Small {
  std::uint64_t value;
};
struct Large {
  std::uint64_t words[1000];
};
}  // namespace test
SBX_DESCRIBE(test::Small, value);
SBX_DESCRIBE(test::Large, words);

namespace {

using namespace std::chrono_literals;
using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Publisher;
using signalbox::Start;
using signalbox::Subscriber;
using signalbox::WaitSet;
using signalbox::os::test::Forked;
using test::Large;
using test::Small;
using namespace allocation;

template <class T>
bool exchange_one(Publisher<T>& out, Subscriber<T>& in) {
  const bool sent = of_library([&] { return out.send(T{}).has_value(); }) ||
                    of_library([&] { return out.send(T{}).has_value(); });
  if (!sent) return false;
  for (int tries = 0; tries < 3; ++tries) {
    if (of_library([&] { return in.take(); })) return true;
  }
  return false;
}

template <class T>
int open_and_exchange() {
  bool was_refused = false;
  auto out = insist(was_refused, [] { return Publisher<T>::open("topic", {.depth = 4}); });
  auto in = insist(was_refused, [] { return Subscriber<T>::open("topic", Start::next); });
  if (!exchange_one(*out, *in)) return second_try_failed;
  auto late = insist(was_refused, [] { return Publisher<T>::open("topic", {.depth = 4}); });
  if (!exchange_one(*late, *in)) return second_try_failed;
  static_cast<void>(of_library([&] { return out = std::move(late), 0; }));  // closes the first
  if (!exchange_one(*out, *in)) return second_try_failed;
  static_cast<void>(of_library([&] { return in->publisher_count() + out->subscriber_count(); }));
  static_cast<void>(
      of_library([&] { return Subscriber<T>(std::move(*in)).lost_count(); }));  // closes it
  static_cast<void>(of_library([&] { return Publisher<T>(std::move(*out)).dropped_count(); }));
  return was_refused ? refused : succeeded;
}

// All that says no, with a text: the code must be right even where there is no room for the text.
int refusals() {
  bool was_refused = false;
  auto out = insist(was_refused,
                    [] { return Publisher<Large>::open("topic", {.depth = 1, .held_max = 0}); });
  auto in = insist(was_refused, [] {
    return Subscriber<Large>::open("topic", {.start = Start::next, .reliable = true});
  });
  auto loan = of_library([&] { return out->loan(); });
  if (!loan) loan = of_library([&] { return out->loan(); });
  const auto none = of_library([&] { return out->loan(); });
  if (none || of_library([&] { return out->why(); }).code != Errc::limit_reached) return wrong_code;
  const auto longer = of_library([&] { return loan.shorten(1); });
  if (longer || longer.error().code != Errc::bad_argument) return wrong_code;
  if (!insist(was_refused, [&] { return out->publish(std::move(loan)); })) return wrong_code;
  auto second = of_library([&] { return out->loan(); });
  const auto full = of_library([&] { return out->publish(std::move(second)); });
  const bool is_full =
      !full && (full.error().code == Errc::would_block || full.error().code == Errc::out_of_memory);
  if (!is_full) return wrong_code;
  if (of_library([] { return Publisher<Small>::open("topic"); })) return wrong_code;
  return succeeded;
}

int event_loop() {
  bool was_refused = false;
  auto out = insist(was_refused, [] { return Publisher<Small>::open("topic"); });
  auto in = insist(was_refused, [] { return Subscriber<Small>::open("topic", Start::next); });
  static_cast<void>(insist(was_refused, [&] { return in->descriptor(); }));
  if (!exchange_one(*out, *in)) return second_try_failed;
  static_cast<void>(of_library([&] { return in->take(); }));
  static_cast<void>(insist(was_refused, [&] { return in->wait(Deadline::after(1ms)); }));
  return was_refused ? refused : succeeded;
}

int wait_set() {
  bool was_refused = false;
  auto set = insist(was_refused, [] { return WaitSet::create(4); });
  auto in = insist(was_refused, [] { return Subscriber<Small>::open("topic", Start::next); });
  auto timer = signalbox::os::Timer::once(Deadline::never());
  auto watch = insist(was_refused, [&] { return set->watch(in->waitable(), 1); });
  auto beside = insist(was_refused, [&] { return set->watch(timer->waitable(), 2); });
  auto out = insist(was_refused, [] { return Publisher<Small>::open("topic"); });
  static_cast<void>(of_library([&] { return out->send(Small{}).has_value(); }));
  static_cast<void>(insist(was_refused, [&] { return set->wait(Deadline::after(1ms)); }));
  return was_refused ? refused : succeeded;
}

class Allocation : public testing::TestWithParam<Play> {
 protected:
  // How the play ended in a process of its own, and how often it asked for memory.
  int end_of(std::size_t refuse_at, std::size_t& asked) {
    int pipe[2] = {-1, -1};
    if (::pipe(pipe) != 0) return -1;
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(20);
      refused_at = refuse_at;
      const int end = GetParam().act();
      if (::write(pipe[1], &asked_for, sizeof(asked_for)) < 0) std::_Exit(1);
      std::_Exit(end);
    }
    ::close(pipe[1]);
    asked = 0;
    static_cast<void>(!::read(pipe[0], &asked, sizeof(asked)));
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  signalbox::ScratchDomain domain_;
};

TEST_P(Allocation, MayFail) {
  std::size_t all = 0;
  ASSERT_EQ(end_of(SIZE_MAX, all), succeeded) << "without a fault";
  ASSERT_GT(all, 1U) << "hardly anything was counted: is operator new ours?";
  std::size_t told = 0;
  for (std::size_t index = 0; index < all; ++index) {
    std::size_t asked = 0;
    const int end = end_of(index, asked);
    EXPECT_TRUE(end == succeeded || end == refused)
        << "allocation " << index << " of " << all << ": "
        << (end == threw               ? "an exception left the library"
            : end == second_try_failed ? "the second try failed"
            : end == wrong_code        ? "the code does not say what was refused"
            : end == -SIGABRT          ? "aborted"
                                       : "died or hung")
        << " (" << end << ")";
    told += end == refused ? 1 : 0;
  }
  // What a child could not remove, and what it left by ending as if killed, who comes next clears
  // away. A child too: lists of the library that had room in this process would have room in all
  // its children, who would then not ask for it.
  std::size_t asked = 0;
  EXPECT_EQ(end_of(SIZE_MAX, asked), succeeded);
  Forked visitor([] { return Subscriber<Small>::open("topic") ? 0 : 1; });
  EXPECT_EQ(visitor.wait(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(domain_.root())) << "files are left";
  std::printf("%zu allocations refused, %zu told as out_of_memory\n", all, told);
  proof::count({{"injected_calls", all}, {"leaked", HasFailure() ? 1U : 0U}});
}

INSTANTIATE_TEST_SUITE_P(Core, Allocation,
                         testing::Values(Play{"SmallMessages", open_and_exchange<Small>},
                                         Play{"Frames", open_and_exchange<Large>},
                                         Play{"Refusals", refusals}, Play{"EventLoop", event_loop},
                                         Play{"WaitSet", wait_set}),
                         [](const auto& which) { return std::string(which.param.name); });
INSTANTIATE_TEST_SUITE_P(Locks, Allocation, testing::ValuesIn(lock_plays()),
                         [](const auto& which) { return std::string(which.param.name); });
INSTANTIATE_TEST_SUITE_P(Looks, Allocation, testing::ValuesIn(looking_plays()),
                         [](const auto& which) { return std::string(which.param.name); });

}  // namespace
