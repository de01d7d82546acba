// Goal: a file of a topic that somebody shortens while it is in use is the error `damaged`, told to
// those whose file it is and to nobody else, and never SIGBUS.
// Method: a publisher, a subscriber that takes as fast as it can with samples held, and a reliable
// one that sleeps in wait() run in processes of their own. At a random moment this process shortens
// one of their files, to nothing or by a page, and lets a newcomer look at the topic. Whoever is
// hit must end with the file's name in his error; whoever is not must go on, with every byte right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <random>
#include <thread>

#include "../proof_counts.hpp"
#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"

namespace shortened {

// Larger than two pages, so that the last page of a ring is in the midst of a frame.
struct Block {
  std::uint64_t number;
  std::uint64_t words[1200];
};

}  // namespace shortened
SBX_DESCRIBE(shortened::Block, number, words);

namespace shortened {
namespace {

namespace fs = std::filesystem;
using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Error;
using signalbox::Publisher;
using signalbox::Sample;
using signalbox::Start;
using signalbox::Subscriber;
using signalbox::SubscriberOptions;
using namespace std::chrono_literals;

constexpr char kTopic[] = "shortened";
constexpr unsigned kHangSeconds = 60;  // a watchdog, not a measure of speed
const signalbox::PublisherOptions kRing{.depth = 8, .loans_max = 2, .held_max = 4};

enum Role { publisher, taker, waiter, roles };
constexpr const char* kRoleNames[] = {"publisher", "taker", "waiter"};

// What a role writes down for the test, in memory that outlives it.
struct Diary {
  std::atomic<std::uint64_t> progress;
  std::atomic<std::uint64_t> torn;
  std::atomic<bool> is_open;
  std::atomic<bool> is_over;  // it ended by itself, with this error
  std::atomic<int> code;
  char text[512];
};

struct Play {
  std::atomic<bool> stop;
  Diary diaries[roles];
};

void end_with(Diary& diary, const Error& error) {
  std::strncpy(diary.text, error.text.c_str(), sizeof(diary.text) - 1);
  diary.code.store(static_cast<int>(error.code));
  diary.is_over.store(true);
}

// Whole, or zero from the cut on: what anybody may see of a block.
bool is_whole(const Block& block) {
  return std::ranges::all_of(block.words, [&](std::uint64_t word) {
    return word == block.number || word == 0 || block.number == 0;
  });
}

void publish(Play& play, Diary& diary) {
  auto out = Publisher<Block>::open(kTopic, kRing);
  if (!out) return end_with(diary, out.error());
  diary.is_open.store(true);
  for (std::uint64_t number = 1; !play.stop.load(); ++number) {
    auto loan = out->loan();
    if (!loan) {
      if (out->why().code == Errc::would_block) continue;  // the samples that others hold
      return end_with(diary, out->why());
    }
    loan->number = number;
    std::ranges::fill(loan->words, number);
    const auto sent = out->publish(std::move(loan), Deadline::after(50ms));
    if (sent) {
      diary.progress.fetch_add(1);
    } else if (sent.error().code != Errc::timed_out) {
      return end_with(diary, sent.error());
    }
  }
}

void take_fast(Play& play, Diary& diary) {
  // Looks at the ring through a mapping of its own.
  auto in = Subscriber<Block>::open(kTopic, SubscriberOptions{.writable_ring = true});
  if (!in) return end_with(diary, in.error());
  diary.is_open.store(true);
  std::deque<Sample<Block>> held;
  while (!play.stop.load()) {
    auto sample = in->take();
    for (const auto& one : held) diary.torn.fetch_add(is_whole(*one) ? 0 : 1);
    if (!sample) {
      if (in->status() != nullptr) return end_with(diary, *in->status());
      continue;
    }
    held.push_back(std::move(sample));
    if (held.size() > 2) held.pop_front();
    diary.progress.fetch_add(1);
  }
}

void sleep_and_take(Play& play, Diary& diary) {
  auto in = Subscriber<Block>::open(kTopic, SubscriberOptions{.reliable = true});
  if (!in) return end_with(diary, in.error());
  diary.is_open.store(true);
  while (!play.stop.load()) {
    const auto woken = in->wait(Deadline::after(50ms));
    if (!woken) return end_with(diary, woken.error());
    while (const auto sample = in->take()) {
      diary.torn.fetch_add(is_whole(*sample) ? 0 : 1);
      diary.progress.fetch_add(1);
    }
    if (in->status() != nullptr) return end_with(diary, *in->status());
  }
}

// ---- the play -----------------------------------------------------------------------------------

enum class Cut { to_nothing, by_a_page };

void shorten(const fs::path& file, Cut cut) {
  const auto pages = (fs::file_size(file) + 4095) / 4096;
  const auto left = cut == Cut::to_nothing ? 0 : (pages - 1) * 4096;
  ASSERT_EQ(::truncate(file.c_str(), static_cast<off_t>(left)), 0) << strerror(errno);
}

// Waits for what another process does; false when it hangs.
bool until(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(kHangSeconds);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

struct Hit {
  const char* file;  // or the role whose file it is
  std::vector<Role> who_ends;
};

// Whoever uses the file is told, whoever does not is not.
const Hit hits[] = {
    {"topic", {}},
    {"bell", {publisher, taker, waiter}},
    {"publisher", {publisher, taker, waiter}},
    {"taker", {taker}},
    {"waiter", {waiter}},
};

class ShortenedFile : public testing::TestWithParam<std::tuple<std::size_t, Cut>> {
 public:
  ShortenedFile() {
    void* const place =
        ::mmap(nullptr, sizeof(Play), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    play_ = static_cast<Play*>(place);
  }
  ~ShortenedFile() override {
    ::munmap(play_, sizeof(Play));
    for (const auto& entry : fs::directory_iterator(domain_.root())) fs::remove_all(entry.path());
  }

 protected:
  Diary& diary(Role role) { return play_->diaries[role]; }

  // The file that came with this role.
  std::string start(Role role, void (*act)(Play&, Diary&)) {
    const fs::path folder = domain_.topic_path(kTopic);
    const auto files = [&] {
      std::vector<std::string> names;
      if (!fs::exists(folder)) return names;
      for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path());
      return names;
    };
    const auto before = files();
    children_[role] = ::fork();
    if (children_[role] == 0) {
      ::alarm(kHangSeconds);
      act(*play_, diary(role));
      ::_exit(0);
    }
    EXPECT_TRUE(until([&] { return diary(role).is_open.load(); })) << diary(role).text;
    for (const std::string& name : files()) {
      const std::string base = fs::path(name).filename();
      const bool is_participant = base.starts_with("pub-") || base.starts_with("sub-");
      if (is_participant && std::ranges::find(before, name) == before.end()) return name;
    }
    return {};
  }

  void start_everyone() {
    new (play_) Play{};
    files_[publisher] = start(publisher, publish);
    files_[taker] = start(taker, take_fast);
    files_[waiter] = start(waiter, sleep_and_take);
    for (int role = 0; role < roles; ++role) expect_to_go_on(static_cast<Role>(role), "at first");
  }

  void expect_to_go_on(Role role, const char* when) {
    const std::uint64_t now = diary(role).progress.load();
    EXPECT_TRUE(until([&] {
      return diary(role).progress.load() > now + 20 || diary(role).is_over.load();
    })) << "the "
        << kRoleNames[role] << " does not go on " << when;
    EXPECT_FALSE(diary(role).is_over.load())
        << "the " << kRoleNames[role] << " ended " << when << ": " << diary(role).text;
  }

  void expect_told(Role role, const fs::path& file) {
    EXPECT_TRUE(until([&] { return diary(role).is_over.load() || has_died(role); }))
        << "the " << kRoleNames[role] << " was not told";
    EXPECT_EQ(diary(role).code.load(), static_cast<int>(Errc::damaged)) << kRoleNames[role];
    EXPECT_THAT(diary(role).text, testing::HasSubstr(file.string())) << kRoleNames[role];
  }

  // Leaves it to be waited for.
  bool has_died(Role role) const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(children_[role]), &info,
                    WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
  }

  void expect_ended_by_themselves() {
    play_->stop.store(true);
    for (int role = 0; role < roles; ++role) {
      int status = 0;
      ::waitpid(children_[role], &status, 0);
      EXPECT_TRUE(WIFEXITED(status))
          << "the " << kRoleNames[role] << " died of " << strsignal(WTERMSIG(status));
    }
  }

  fs::path file_of(const std::string& name) {
    for (int role = 0; role < roles; ++role) {
      if (name == kRoleNames[role]) return files_[role];
    }
    return fs::path(domain_.topic_path(kTopic)) / name;
  }

  signalbox::ScratchDomain domain_;
  Play* play_ = nullptr;
  pid_t children_[roles] = {};
  std::string files_[roles];
};

TEST_P(ShortenedFile, IsToldToItsUsersAlone) {
  const auto& [file, who_ends] = hits[std::get<0>(GetParam())];
  const std::uint64_t seed =
      proof::number_from_environment("SIGNALBOX_SEED", std::random_device{}());
  const testing::ScopedTrace trace(__FILE__, __LINE__, "SIGNALBOX_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const int rounds = proof::long_form() ? 200 : 3;
  std::uint64_t torn = 0;
  std::uint64_t messages = 0;
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    start_everyone();
    const std::uint64_t moment = diary(publisher).progress.load() + random() % 50;
    until([&] { return diary(publisher).progress.load() >= moment; });
    const fs::path victim = file_of(file);
    shorten(victim, std::get<1>(GetParam()));
    // Whoever comes by makes everyone look; what he finds himself is told him too.
    const auto newcomer = Subscriber<Block>::open(kTopic, Start::next);
    if (!newcomer) {
      EXPECT_EQ(newcomer.error().code, Errc::damaged) << newcomer.error().text;
      // A newcomer to a topic whose type is lost gets no further than the door.
      EXPECT_THAT(newcomer.error().text, testing::HasSubstr(victim.string()));
    }
    for (const Role role : who_ends) expect_told(role, victim);
    for (int role = 0; role < roles; ++role) {
      const bool ends = std::ranges::find(who_ends, role) != who_ends.end();
      if (!ends) expect_to_go_on(static_cast<Role>(role), "after it");
      // Whose page is gone holds nothing any more, and says so at the next call.
      if (!ends) torn += diary(static_cast<Role>(role)).torn.load();
      messages += diary(static_cast<Role>(role)).progress.load();
    }
    expect_ended_by_themselves();
    for (const auto& entry : fs::directory_iterator(domain_.root())) fs::remove_all(entry.path());
  }
  EXPECT_EQ(torn, 0U);
  proof::count(
      {{"tries", static_cast<std::uint64_t>(rounds)}, {"messages", messages}, {"torn", torn}});
}

INSTANTIATE_TEST_SUITE_P(Each, ShortenedFile,
                         testing::Combine(testing::Range(std::size_t{0}, std::size(hits)),
                                          testing::Values(Cut::to_nothing, Cut::by_a_page)),
                         [](const auto& made) {
                           return std::string(hits[std::get<0>(made.param)].file) +
                                  (std::get<1>(made.param) == Cut::to_nothing ? "_to_nothing"
                                                                              : "_by_a_page");
                         });

}  // namespace
}  // namespace shortened
