// exchange publish|take small|large reliable|lossy COUNT: one end of an exchange of two builds.
//
// Small messages travel in a slot, large ones in frames with tails of changing length. The taker
// says "joined" when it has joined; then the publisher is started. Exit status 0: all arrived
// whole and in order, and what a lossy taker lost is counted.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "../delivery/messages.hpp"
#include "signalbox/topic.hpp"

namespace {

using signalbox::Deadline;
using signalbox::Publisher;
using signalbox::Start;
using signalbox::Subscriber;
using signalbox::delivery::Accounts;
using signalbox::delivery::Book;
using signalbox::delivery::Large;
using signalbox::delivery::sum_of;

constexpr char kTopic[] = "compatibility";
constexpr auto kPatience = std::chrono::seconds(20);
constexpr std::size_t kTailMax = 20'000;

// Left alone, 32-bit x86 puts words of 8 bytes on multiples of 4, and the library refuses such a
// struct by the field's name. Who shares it with 64 bits says so.
struct Mixed {
  std::uint8_t flag;
  alignas(8) std::uint64_t number;
  std::uint16_t half;
  alignas(8) double exact;
  float rough;
};

std::size_t tail_bytes(std::uint64_t number) {
  return static_cast<std::size_t>(number * 7919 % kTailMax);
}

[[noreturn]] void fail(const char* what, std::string_view why) {
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(why.size()), why.data());
  std::exit(1);
}

template <class Answer>
auto must(Answer answer, const char* what) {
  if (!answer) fail(what, answer.error().text);
  return std::move(*answer);
}

}  // namespace

SBX_DESCRIBE(Mixed, flag, number, half, exact, rough);

namespace {

void publish_small(std::uint64_t count) {
  auto out = must(Publisher<Mixed>::open(kTopic), "open");
  for (std::uint64_t n = 0; n < count; ++n) {
    const Mixed message{.flag = static_cast<std::uint8_t>(n),
                        .number = n << 33,
                        .half = static_cast<std::uint16_t>(~n),
                        .exact = static_cast<double>(n) / 8,
                        .rough = 0.5F};
    must(out.send(message, Deadline::after(kPatience)), "send");
  }
}

void publish_large(std::uint64_t count) {
  auto out = must(Publisher<Large>::open(kTopic, {.tail_bytes_max = kTailMax}), "open");
  for (std::uint64_t n = 0; n < count; ++n) {
    auto loan = out.loan(tail_bytes(n));
    if (!loan) fail("loan", out.why().text);
    signalbox::delivery::fill(n, loan.tail());
    loan->number = n;
    loan->sum = sum_of(n, loan.tail());
    must(out.publish(std::move(loan), Deadline::after(kPatience)), "publish");
  }
}

bool is_whole(const signalbox::Sample<Mixed>& sample, std::uint64_t n) {
  return sample->number == n << 33 && sample->flag == static_cast<std::uint8_t>(n) &&
         sample->half == static_cast<std::uint16_t>(~n) &&
         sample->exact == static_cast<double>(n) / 8 && sample->rough == 0.5F;
}

bool is_whole(const signalbox::Sample<Large>& sample, std::uint64_t n) {
  return sample->number == n && sample.tail().size() == tail_bytes(n) &&
         sample->sum == sum_of(n, sample.tail());
}

template <class T>
int take(bool reliable, std::uint64_t count) {
  auto in =
      must(Subscriber<T>::open(kTopic, {.start = Start::oldest, .reliable = reliable}), "open");
  std::puts("joined");
  std::fflush(stdout);
  Book book{};
  Accounts accounts(book);
  for (bool last = false; !last;) {
    // A deadline, so that the kernel is given a timespec by each build.
    const auto wake = must(in.wait(Deadline::after(kPatience)), "wait");
    if (wake == signalbox::Wake::timed_out) fail("wait", "nothing came");
    while (const auto sample = in.take()) {
      accounts.enter(sample.publisher(), sample.position(), is_whole(sample, sample.position()));
      last = sample.position() + 1 == count;
    }
    if (const auto* trouble = in.status()) fail("take", trouble->text);
  }
  const bool all = book.received + in.lost_count() == count && book.missed == in.lost_count() &&
                   (!reliable || book.missed == 0);
  if (!all || book.torn + book.doubled + book.reordered != 0) {
    std::fprintf(stderr, "%llu received, %llu missed, %llu counted, %llu torn\n",
                 static_cast<unsigned long long>(book.received),
                 static_cast<unsigned long long>(book.missed),
                 static_cast<unsigned long long>(in.lost_count()),
                 static_cast<unsigned long long>(book.torn));
    return 1;
  }
  return 0;
}

}  // namespace

int main(int words, char** word) {
  if (words != 5) fail("use", "exchange publish|take small|large reliable|lossy COUNT");
  const bool publishes = std::string_view(word[1]) == "publish";
  const bool is_small = std::string_view(word[2]) == "small";
  const bool reliable = std::string_view(word[3]) == "reliable";
  const std::uint64_t count = std::strtoull(word[4], nullptr, 10);
  if (publishes) {
    is_small ? publish_small(count) : publish_large(count);
    return 0;
  }
  return is_small ? take<Mixed>(reliable, count) : take<Large>(reliable, count);
}
