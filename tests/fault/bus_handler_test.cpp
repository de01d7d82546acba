// Goal: of all SIGBUS of a program the library takes those of its own mappings and no other:
// whoever had the signal before still gets it as if we were not there, and what is ours is told as
// an error. Method: each case is a process of its own that arranges the signal, opens a topic and
// then touches a shortened file, its own or the topic's, or sends itself the signal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csetjmp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "../conformance/bad_input/attempt.hpp"
#include "../proof_counts.hpp"
#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"

namespace bus {

struct Block {
  std::uint64_t number;
  std::uint64_t words[1200];
};
struct Small {
  std::uint64_t number;
};

}  // namespace bus
SBX_DESCRIBE(bus::Block, number, words);
SBX_DESCRIBE(bus::Small, number);

namespace bus {
namespace {

namespace fs = std::filesystem;
using signalbox::attempt;
using signalbox::Attempt;
using signalbox::Deadline;
using signalbox::expect_outcome;
using signalbox::Publisher;
using signalbox::Subscriber;

constexpr char kTopic[] = "bus";
constexpr std::size_t kPage = 4096;

// A mapping that is none of the library's, of a file that was shortened.
class ForeignPage {
 public:
  // Where the kernel likes, or at a place where nothing lies.
  explicit ForeignPage(void* wanted = nullptr) {
    const int file = ::memfd_create("foreign", MFD_CLOEXEC);
    if (file < 0 || ::ftruncate(file, kPage) != 0) std::abort();
    const int flags = MAP_SHARED | (wanted == nullptr ? 0 : MAP_FIXED_NOREPLACE);
    place_ = ::mmap(wanted, kPage, PROT_READ | PROT_WRITE, flags, file, 0);
    if (place_ == MAP_FAILED || ::ftruncate(file, 0) != 0) std::abort();
    ::close(file);
  }
  int touch() const { return *static_cast<volatile char*>(place_); }
  void* place() const { return place_; }

 private:
  void* place_;
};

struct Seen {
  int times = 0;
  void* address = nullptr;
  bool blocks_bus = false;
  bool blocks_user = false;
};
Seen seen;
sigjmp_buf after_fault;

void note(const siginfo_t* info) {
  ++seen.times;
  if (info != nullptr) seen.address = info->si_addr;
  sigset_t blocked;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  seen.blocks_bus = ::sigismember(&blocked, SIGBUS) == 1;
  seen.blocks_user = ::sigismember(&blocked, SIGUSR1) == 1;
}
void jump(int, siginfo_t* info, void*) {
  note(info);
  ::siglongjmp(after_fault, 1);
}
void jump_plainly(int) {
  note(nullptr);
  ::siglongjmp(after_fault, 1);
}
void only_note(int, siginfo_t* info, void*) { note(info); }

void handle(void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action{};
  action.sa_sigaction = handler;
  ::sigemptyset(&action.sa_mask);
  ::sigaddset(&action.sa_mask, SIGUSR1);
  action.sa_flags = SA_SIGINFO | flags;
  ::sigaction(SIGBUS, &action, nullptr);
}
void dispose(void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, nullptr);
}

// Opened after the signal was arranged: this is when ours comes before it.
Publisher<Small> open_topic() { return Publisher<Small>::open(kTopic).value(); }

// True if the fault went to a handler that jumps.
bool faults(const ForeignPage& page) {
  if (sigsetjmp(after_fault, 1) != 0) return true;
  page.touch();
  return false;
}

// Where this process has mapped a file. By its number: a segment is mapped before it has a name.
void* place_of(const fs::path& file) {
  struct stat facts{};
  if (::stat(file.c_str(), &facts) != 0) return nullptr;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::string range, skipped;
    ino_t inode = 0;
    words >> range >> skipped >> skipped >> skipped >> inode;
    if (inode == facts.st_ino) return reinterpret_cast<void*>(std::stoull(range, nullptr, 16));
  }
  return nullptr;
}

class BusHandler : public testing::Test {
 public:
  // Killed children leave files behind, and what was shortened is left for a person to remove.
  ~BusHandler() override {
    for (const auto& entry : fs::directory_iterator(domain_.root())) fs::remove_all(entry.path());
    proof::count({{"tries", 1}});
  }

 protected:
  fs::path file_of(const std::string& prefix) const {
    for (const auto& entry : fs::directory_iterator(domain_.topic_path(kTopic))) {
      const std::string name = entry.path().filename();
      if (name.starts_with(prefix) && !name.ends_with(".fifo")) return entry.path();
    }
    return {};
  }
  static void expect_death(const Attempt& attempt, int signal) {
    EXPECT_EQ(attempt.signal, signal) << "it said: " << attempt.text;
  }

  signalbox::ScratchDomain domain_;
};

// ---- everybody else's ---------------------------------------------------------------------------

TEST_F(BusHandler, ForeignFaultKillsAsEver) {
  expect_death(attempt([] {
                 const auto topic = open_topic();
                 return std::to_string(ForeignPage().touch());
               }),
               SIGBUS);
}

TEST_F(BusHandler, SignalSentByAnotherKillsAsEver) {
  expect_death(attempt([] {
                 const auto topic = open_topic();
                 ::kill(::getpid(), SIGBUS);
                 return std::string("alive");
               }),
               SIGBUS);
}

TEST_F(BusHandler, IgnoredSignalStaysIgnoredButNoFaultIs) {
  const auto sent = attempt([] {
    dispose(SIG_IGN);
    const auto topic = open_topic();
    ::raise(SIGBUS);
    ::raise(SIGBUS);
    return std::string("alive");
  });
  expect_outcome(sent, "alive");
  expect_death(attempt([] {
                 dispose(SIG_IGN);
                 const auto topic = open_topic();
                 return std::to_string(ForeignPage().touch());
               }),
               SIGBUS);
}

TEST_F(BusHandler, EarlierHandlerGetsItAsIfWeWereNotThere) {
  const auto done = attempt([]() -> std::string {
    handle(jump, 0);
    const auto topic = open_topic();
    const ForeignPage page;
    if (!faults(page) || seen.times != 1) return "it was not called once";
    if (seen.address != page.place()) return "it was told another address";
    if (!seen.blocks_bus || !seen.blocks_user) return "its mask was not in force";
    sigset_t blocked;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    if (::sigismember(&blocked, SIGBUS) == 1) return "SIGBUS stays blocked";
    return faults(page) && seen.times == 2 ? "called" : "it was not called again";
  });
  expect_outcome(done, "called");
}

TEST_F(BusHandler, EarlierHandlerThatIsNotDeferredIsNot) {
  const auto done = attempt([]() -> std::string {
    handle(only_note, SA_NODEFER);
    const auto topic = open_topic();
    ::raise(SIGBUS);
    if (seen.times != 1) return "it was not called once";
    return !seen.blocks_bus && seen.blocks_user ? "called" : "its mask was not in force";
  });
  expect_outcome(done, "called");
}

TEST_F(BusHandler, EarlierHandlerWithoutFactsIsCalled) {
  const auto done = attempt([]() -> std::string {
    dispose(jump_plainly);
    const auto topic = open_topic();
    return faults(ForeignPage()) && seen.times == 1 ? "called" : "it was not called once";
  });
  expect_outcome(done, "called");
}

TEST_F(BusHandler, OneShotHandlerIsCalledOnce) {
  expect_death(attempt([]() -> std::string {
                 handle(jump, static_cast<int>(SA_RESETHAND));
                 const auto topic = open_topic();
                 if (!faults(ForeignPage())) return "it was not called";
                 return std::to_string(ForeignPage().touch());
               }),
               SIGBUS);
}

TEST_F(BusHandler, LaterHandlerThatPassesOnIsServed) {
  const auto done = attempt([this]() -> std::string {
    auto topic = open_topic();
    static struct sigaction before;
    ::sigaction(SIGBUS, nullptr, &before);
    handle(
        [](int number, siginfo_t* info, void* context) {
          note(info);
          before.sa_sigaction(number, info, context);
        },
        SA_NODEFER);
    if (::truncate(file_of("bell").c_str(), 0) != 0) return "cannot truncate";
    const auto sent = topic.send({1});
    return seen.times != 0 && !sent ? signalbox::outcome(sent) : "it was not called";
  });
  expect_outcome(done, "damaged", {"bell"});
}

// The parent's mappings are gone in the child, and something else may come to lie where they were.
TEST_F(BusHandler, ChildTakesNoFaultForItsParents) {
  const auto done = attempt([this]() -> std::string {
    const auto topic = open_topic();
    void* const place = place_of(file_of("pub-"));
    if (place == nullptr) return "the publisher's file is not mapped";
    const Attempt child = attempt([place] { return std::to_string(ForeignPage(place).touch()); });
    return child.signal == SIGBUS ? "passed on" : "swallowed: " + child.text;
  });
  expect_outcome(done, "passed on");
}

// ---- ours ---------------------------------------------------------------------------------------

TEST_F(BusHandler, EarlierHandlerIsNotAskedAboutOurs) {
  const auto done = attempt([this]() -> std::string {
    handle(jump, 0);
    auto topic = open_topic();
    if (::truncate(file_of("pub-").c_str(), 0) != 0) return "cannot truncate";
    errno = 77;
    const bool first = topic.send({1}).has_value();  // found out in the midst of it
    if (errno != 77 && first) return "errno was changed";
    const auto second = topic.send({2});
    return seen.times == 0 ? signalbox::outcome(second) : "it was called";
  });
  expect_outcome(done, "damaged", {"pub-", "shortened"});
}

TEST_F(BusHandler, HeldFrameReadsZeroAndTheNextCallTells) {
  const auto done = attempt([this]() -> std::string {
    auto out = Publisher<Block>::open(kTopic).value();
    auto in = Subscriber<Block>::open(kTopic).value();
    auto loan = out.loan();
    loan->number = 5;
    std::ranges::fill(loan->words, 5);
    if (!out.publish(std::move(loan))) return "cannot publish";
    const auto held = in.take();
    if (!held || held->words[700] != 5) return "nothing came";
    auto lent = out.loan();
    if (::truncate(file_of("pub-").c_str(), 0) != 0) return "cannot truncate";
    if (held->words[700] != 0) return "the frame is not zero";
    const auto again = in.take();
    if (again || in.status() == nullptr) return "take() told nothing";
    if (in.status()->code != signalbox::Errc::damaged) return in.status()->text;
    // The publisher's own copy of the same page.
    lent->number = 6;
    const auto sent = out.publish(std::move(lent));
    if (sent) return "the publisher was told nothing";
    const auto loan_after = out.loan();
    if (loan_after || out.why().code != signalbox::Errc::damaged) return "it lends on";
    return signalbox::outcome(sent);
  });
  expect_outcome(done, "damaged", {"pub-"});
}

TEST_F(BusHandler, SilentPublisherIsToldToo) {
  const auto done = attempt([this]() -> std::string {
    auto out = Publisher<Block>::open(
                   kTopic, signalbox::PublisherOptions{.wake = signalbox::WakeSleepers::no})
                   .value();
    auto lent = out.loan();
    if (::truncate(file_of("pub-").c_str(), 0) != 0) return "cannot truncate";
    lent->number = 6;
    return signalbox::outcome(out.publish(std::move(lent)));
  });
  expect_outcome(done, "damaged", {"pub-"});
}

TEST_F(BusHandler, SubscriberGoesOnWithTheOtherPublisher) {
  const auto done = attempt([this]() -> std::string {
    auto broken = open_topic();
    const fs::path victim = file_of("pub-");
    auto whole = open_topic();
    auto in = Subscriber<Small>::open(kTopic).value();
    if (::truncate(victim.c_str(), 0) != 0) return "cannot truncate";
    // The look that finds it may answer as if nothing had come; the next one tells.
    static_cast<void>(in.wait(Deadline::immediate()));
    const auto woken = in.wait(Deadline::after(std::chrono::seconds(10)));
    if (woken || woken.error().code != signalbox::Errc::damaged) return "wait() told nothing";
    for (std::uint64_t i = 0; i < 100; ++i) {
      if (!whole.send({i})) return "the other publisher failed";
      const auto sample = in.take();
      if (!sample || sample->number != i) return "a message of the other publisher is missing";
    }
    return signalbox::outcome(woken);
  });
  expect_outcome(done, "damaged", {"pub-"});
}

TEST_F(BusHandler, ChildIsProtectedLikeItsParent) {
  const auto done = attempt([this]() -> std::string {
    const auto parents = open_topic();
    return attempt([this]() -> std::string {
             auto topic = open_topic();
             if (::truncate(file_of("bell").c_str(), 0) != 0) return "cannot truncate";
             return signalbox::outcome(topic.send({1}));
           })
        .text;
  });
  expect_outcome(done, "damaged", {"bell"});
}

// The table grows in chunks: what lies in a later one is found as well.
TEST_F(BusHandler, HundredsOfMappingsAreAllFound) {
  const auto done = attempt([this]() -> std::string {
    std::vector<Subscriber<Small>> crowd;
    crowd.reserve(150);
    for (int i = 0; i < 150; ++i) crowd.push_back(Subscriber<Small>::open(kTopic).value());
    auto out = open_topic();
    for (auto& in : crowd) {
      if (in.publisher_count() != 1) return "the publisher was not met";
    }
    if (::truncate(file_of("pub-").c_str(), 0) != 0) return "cannot truncate";
    for (auto& in : crowd) {
      const auto sample = in.take();
      const auto again = in.take();
      if (sample || again) return "a message out of nothing";
      if (in.status() == nullptr) return "a subscriber was told nothing";
    }
    return std::string("told");
  });
  expect_outcome(done, "told");
}

}  // namespace
}  // namespace bus
