// Goal: reliable means all, once, in order and whole; and lossy means that what is lost is counted.
// Method: processes exchange numbered messages whose every byte is written and summed again by each
// reader; each keeps a book in memory that the parent reads at the end. SBX_PROOF_LONG=1 runs the
// long form; SBX_PROOF_COUNTS names a file that gets the counts as a line of JSON.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "../proof_counts.hpp"
#include "messages.hpp"
#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"

namespace signalbox::delivery {
namespace {

bool is_long() {
  const char* asked = std::getenv("SBX_PROOF_LONG");
  return asked != nullptr && *asked != '\0' && std::string(asked) != "0";
}

template <class Count>
Count by_form(Count short_form, Count long_form) {
  return is_long() ? long_form : short_form;
}

constexpr char kTopic[] = "proof/delivery";
constexpr std::size_t kBooks = 16;

// Memory that a test and its processes share.
struct Shared {
  Book books[kBooks];
  std::uint64_t published[kBooks];
  std::uint64_t dropped[kBooks];    // what each publisher says
  std::uint64_t told[kBooks];       // what each subscriber says was dropped
  std::atomic<std::uint32_t> over;  // publishers that have published all
};

class Delivery : public ::testing::Test {
 public:
  ~Delivery() override {
    for (const pid_t process : processes_) ::kill(process, SIGKILL);
    for (const pid_t process : processes_) ::waitpid(process, nullptr, 0);
    ::close(joined_[0]);
    ::close(joined_[1]);
    ::munmap(shared_, sizeof(Shared));
  }

 protected:
  Delivery()
      : shared_(new(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared{}) {
    EXPECT_EQ(::pipe(joined_), 0);
  }

  // Runs `work` in a process of its own, which a watchdog ends if it hangs.
  void start(const std::function<void()>& work) {
    const pid_t process = ::fork();
    ASSERT_GE(process, 0);
    if (process == 0) {
      ::alarm(by_form(240U, 6U * 3600U));
      work();
      // Only a process that failed an expectation has told why already.
      ::_exit(::testing::Test::HasFailure() ? 1 : 0);
    }
    processes_.push_back(process);
  }

  void wait_for_all() {
    for (const pid_t process : processes_) {
      int status = 0;
      ::waitpid(process, &status, 0);
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
          << "process " << process << " ended with status " << status
          << (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ": it hung" : "");
    }
    processes_.clear();
  }

  // In the parent, which starts the publishers when this many subscribers have joined. A pipe,
  // because std::atomic's notify wakes nobody in another process.
  void wait_until_joined(std::uint32_t subscribers) const {
    for (std::uint32_t i = 0; i < subscribers; ++i) {
      pollfd one{.fd = joined_[0], .events = POLLIN, .revents = 0};
      char byte = 0;
      ASSERT_EQ(::poll(&one, 1, 120'000), 1) << "a subscriber did not join";
      ASSERT_EQ(::read(joined_[0], &byte, 1), 1);
    }
  }
  void joined() const { ASSERT_EQ(::write(joined_[1], "j", 1), 1); }

  // Sums the books up, expects that nothing went wrong, and hands the counts on.
  void settle(std::size_t books, bool reliable) const {
    Book sum{};
    for (std::size_t i = 0; i < books; ++i) {
      const Book& book = shared_->books[i];
      sum.received += book.received;
      sum.missed += book.missed;
      sum.doubled += book.doubled;
      sum.reordered += book.reordered;
      sum.torn += book.torn;
      sum.counted += book.counted;
      sum.visits += book.visits;
    }
    EXPECT_GT(sum.received, 0U);
    EXPECT_EQ(sum.doubled, 0U);
    EXPECT_EQ(sum.reordered, 0U);
    EXPECT_EQ(sum.torn, 0U);
    if (reliable) {
      EXPECT_EQ(sum.missed, 0U);
    }
    EXPECT_EQ(sum.counted, reliable ? 0 : sum.missed);
    std::printf(
        "%llu messages, %llu missed of which %llu counted, %llu joins\n",
        static_cast<unsigned long long>(sum.received), static_cast<unsigned long long>(sum.missed),
        static_cast<unsigned long long>(sum.counted), static_cast<unsigned long long>(sum.visits));
    // A lossy subscriber's counted losses are no fault; a loss that nobody counted is. One that
    // comes too late counts as one that came twice: it was leapt over, and missed, before.
    proof::count({{"messages", sum.received},
                  {"lost", sum.missed > sum.counted ? sum.missed - sum.counted : 0},
                  {"doubled", sum.doubled + sum.reordered},
                  {"torn", sum.torn}});
  }

  Shared* shared_;
  ScratchDomain domain_;  // after the processes: they leave it empty

 private:
  int joined_[2] = {-1, -1};
  std::vector<pid_t> processes_;
};

Small small(std::uint64_t number) {
  Small message{.number = number, .sum = 0, .words = {}};
  fill(number, std::as_writable_bytes(std::span(message.words)));
  message.sum = sum_of(number, std::as_bytes(std::span(message.words)));
  return message;
}

bool is_whole(const Small& message) {
  return message.sum == sum_of(message.number, std::as_bytes(std::span(message.words)));
}

void publish_small(std::uint64_t count, std::uint32_t depth, const std::function<void()>& opened) {
  auto out = Publisher<Small>::open(kTopic, {.depth = depth}).value();
  opened();
  for (std::uint64_t number = 0; number < count; ++number) {
    ASSERT_TRUE(out.send(small(number), Deadline::never()));
  }
}

void publish_large(std::uint64_t count) {
  auto out = Publisher<Large>::open(kTopic, {.depth = 4, .tail_bytes_max = large_tail_bytes});
  ASSERT_TRUE(out) << out.error().text;
  for (std::uint64_t number = 0; number < count; ++number) {
    auto loan = out->loan(large_tail_bytes);
    ASSERT_TRUE(loan) << out->why().text;
    fill(number, loan.tail());
    loan->number = number;
    loan->sum = sum_of(number, loan.tail());
    ASSERT_TRUE(out->publish(std::move(loan), Deadline::never()));
  }
}

TEST_F(Delivery, SmallMessagesArriveOnceInOrderAndWhole) {
  const std::uint64_t count = by_form<std::uint64_t>(5'000'000, 100'000'000);
  start([&] {
    auto in = Subscriber<Small>::open(kTopic, {.start = Start::oldest, .reliable = true}).value();
    joined();
    Book& book = shared_->books[0];
    Accounts accounts(book);
    while (book.received < count) {
      ASSERT_TRUE(in.wait(Deadline::never()));
      while (const auto message = in.take()) {
        accounts.enter(message.publisher(), message->number, is_whole(*message));
      }
    }
    book.counted = in.lost_count();
  });
  wait_until_joined(1);
  start([&] { publish_small(count, 1024, [] {}); });
  wait_for_all();
  EXPECT_EQ(shared_->books[0].received, count);
  settle(1, true);
}

TEST_F(Delivery, PicturesArriveOnceInOrderAndWhole) {
  const std::uint64_t count = by_form<std::uint64_t>(500, 20'000);
  start([&] {
    auto in = Subscriber<Large>::open(kTopic, {.start = Start::oldest, .reliable = true}).value();
    joined();
    Book& book = shared_->books[0];
    Accounts accounts(book);
    while (book.received < count) {
      ASSERT_TRUE(in.wait(Deadline::never()));
      while (const auto picture = in.take()) {
        const bool whole = picture.tail().size() == large_tail_bytes &&
                           picture->sum == sum_of(picture->number, picture.tail());
        accounts.enter(picture.publisher(), picture->number, whole);
      }
    }
    book.counted = in.lost_count();
  });
  wait_until_joined(1);
  start([&] { publish_large(count); });
  wait_for_all();
  EXPECT_EQ(shared_->books[0].received, count);
  settle(1, true);
}

// Three publishers; two subscribers that stay and must get all; two that come and go, and must get
// an unbroken run of each publisher every time. Publishers come and go as well.
TEST_F(Delivery, NothingIsMissedWhileOthersJoinAndLeave) {
  constexpr std::uint32_t kPublishers = 3;
  constexpr std::uint32_t kStay = 2;
  constexpr std::uint32_t kVisit = 2;
  constexpr std::uint64_t kRun = 2'000;  // messages in one life of a publisher
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(by_form(4, 30 * 60));
  const auto time_is_up = [&] { return std::chrono::steady_clock::now() >= until; };
  for (std::uint32_t i = 0; i < kStay + kVisit; ++i) {
    start([&, i] {
      Book& book = shared_->books[i];
      const bool stays = i < kStay;
      do {
        Accounts accounts(book);
        auto in = Subscriber<Small>::open(kTopic, {.start = Start::next, .reliable = true}).value();
        if (++book.visits == 1) joined();
        for (std::uint64_t taken = 0; stays || taken < 500;) {
          const bool all_out = shared_->over.load() == kPublishers;
          ASSERT_TRUE(in.wait(Deadline::after(std::chrono::milliseconds(20))));
          bool anything = false;
          while (const auto message = in.take()) {
            accounts.enter(message.publisher(), message->number, is_whole(*message), !stays);
            anything = true;
            ++taken;
          }
          if (all_out && !anything) break;
        }
        book.counted += in.lost_count();
      } while (!stays && !time_is_up());
    });
  }
  wait_until_joined(kStay + kVisit);
  for (std::uint32_t i = 0; i < kPublishers; ++i) {
    start([&, i] {
      do {
        publish_small(kRun, 64, [] {});
        shared_->published[i] += kRun;
      } while (!time_is_up());
      shared_->over.fetch_add(1);
    });
  }
  wait_for_all();
  std::uint64_t published = 0;
  for (const std::uint64_t count : shared_->published) published += count;
  for (std::uint32_t i = 0; i < kStay; ++i) EXPECT_EQ(shared_->books[i].received, published) << i;
  settle(kStay + kVisit, true);
}

TEST_F(Delivery, WhatALossySubscriberLosesIsCounted) {
  const std::uint64_t count = by_form<std::uint64_t>(2'000'000, 50'000'000);
  constexpr std::uint32_t kSubscribers = 2;
  for (std::uint32_t i = 0; i < kSubscribers; ++i) {
    start([&, i] {
      auto in = Subscriber<Small>::open(kTopic, Start::oldest).value();
      joined();
      Book& book = shared_->books[i];
      Accounts accounts(book);
      // The last message is never overwritten.
      for (bool last = false; !last;) {
        ASSERT_TRUE(in.wait(Deadline::never()));
        while (const auto message = in.take()) {
          accounts.enter(message.publisher(), message->number, is_whole(*message));
          last = message->number + 1 == count;
        }
      }
      book.counted = in.lost_count();
    });
  }
  wait_until_joined(kSubscribers);
  start([&] { publish_small(count, 16, [] {}); });
  wait_for_all();
  for (std::uint32_t i = 0; i < kSubscribers; ++i) {
    EXPECT_EQ(shared_->books[i].received + shared_->books[i].counted, count);
  }
  settle(kSubscribers, false);
}

// A publisher that drops or evicts instead of waiting for reliable subscribers, and then is killed.
void publish_and_die(WhenBehind when_behind, std::uint64_t count, std::uint64_t& published,
                     std::uint64_t& dropped) {
  const pid_t process = ::fork();
  if (process == 0) {
    auto out = Publisher<Small>::open(kTopic, {.depth = 16, .when_behind = when_behind}).value();
    for (std::uint64_t i = 0; i < count; ++i) published += out.send(small(published)) ? 1 : 0;
    dropped = out.dropped_count();
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(process, &status, 0), process);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_EQ(published + dropped, count);
}

// Two that drop, one that evicts; subscribers, reliable and lossy, that stay until all are dead.
TEST_F(Delivery, WhatWasDroppedOrMissedAfterAnEvictionIsCounted) {
  const std::uint64_t count = by_form<std::uint64_t>(200'000, 5'000'000);
  constexpr std::uint32_t kSubscribers = 3;
  constexpr std::uint32_t kPublishers = 3;
  for (std::uint32_t i = 0; i < kSubscribers; ++i) {
    start([&, i] {
      auto in = Subscriber<Small>::open(kTopic, {.start = Start::next, .reliable = i != 0}).value();
      joined();
      Book& book = shared_->books[i];
      for (bool anything = true, all_out = false; anything || !all_out;) {
        all_out = shared_->over.load() == kPublishers;
        static_cast<void>(in.wait(Deadline::after(std::chrono::milliseconds(20))));
        anything = false;
        while (const auto message = in.take()) {
          EXPECT_TRUE(is_whole(*message) && message->number == message.position());
          ++book.received;
          anything = true;
        }
      }
      book.counted = in.lost_count();
      shared_->told[i] = in.dropped_count();
    });
  }
  wait_until_joined(kSubscribers);
  for (std::uint32_t i = 0; i < kPublishers; ++i) {
    start([&, i] {
      publish_and_die(i == 0 ? WhenBehind::evict : WhenBehind::drop_new, count,
                      shared_->published[i], shared_->dropped[i]);
      shared_->over.fetch_add(1);
    });
  }
  wait_for_all();
  std::uint64_t published = 0;
  std::uint64_t dropped = 0;
  for (std::uint32_t i = 0; i < kPublishers; ++i) {
    published += shared_->published[i];
    dropped += shared_->dropped[i];
  }
  for (std::uint32_t i = 0; i < kSubscribers; ++i) {
    EXPECT_EQ(shared_->books[i].received + shared_->books[i].counted, published) << i;
    EXPECT_EQ(shared_->told[i], dropped) << i;
  }
  std::printf("%llu published, %llu dropped; lost to each: %llu, %llu, %llu\n",
              static_cast<unsigned long long>(published), static_cast<unsigned long long>(dropped),
              static_cast<unsigned long long>(shared_->books[0].counted),
              static_cast<unsigned long long>(shared_->books[1].counted),
              static_cast<unsigned long long>(shared_->books[2].counted));
}

}  // namespace
}  // namespace signalbox::delivery
