// kill_messages.hpp: the messages of the kill driver, and the book that a reader keeps about them.
//
// A message says who wrote it and which of his it is; every other word follows from the two, so
// that any mixture of two messages shows.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string>

#include "kill_operations.hpp"
#include "kill_verdict.hpp"
#include "signalbox/topic.hpp"

namespace kill_driver {

struct Small {  // travels in its slot
  std::uint64_t author, number, words[4];
};
struct Long {  // travels in its slot, which has three lines
  std::uint64_t author, number, words[14];
};
struct Framed {  // lies in a frame
  std::uint64_t author, number, words[62];
};

struct Grown {  // lies in a frame of a further arena
  static constexpr bool sbx_tail = true;
  std::uint64_t author, number;
};
inline constexpr std::size_t grown_words = 62;

// Calls work(message) with a message of the type that is carried so.
template <class Work>
void with_message(Carrier carrier, Work work) {
  switch (carrier) {
    case Carrier::slot:
      return work(Small{});
    case Carrier::long_slot:
      return work(Long{});
    case Carrier::frame:
      return work(Framed{});
    case Carrier::arena:
      return work(Grown{});
  }
}

// A publisher of such messages: one that grows has no frames at first.
template <class T>
signalbox::PublisherOptions options_of(std::uint32_t held_max) {
  signalbox::PublisherOptions options{.depth = victim_depth, .loans_max = 1, .held_max = held_max};
  if constexpr (signalbox::has_tail<T>) options.grown_tail_bytes_max = grown_words * 8;
  return options;
}

template <class T>
signalbox::Loan<T> lend(signalbox::Publisher<T>& out) {
  return out.loan(signalbox::has_tail<T> ? grown_words * 8 : 0);
}

inline std::uint64_t word_of(std::uint64_t author, std::uint64_t number, std::uint64_t index) {
  return (author * 0x9e3779b97f4a7c15) ^ (number * 0xc2b2ae3d27d4eb4f) ^ (index + 1);
}

template <class T>
void fill(signalbox::Loan<T>& loan, std::uint64_t author, std::uint64_t number) {
  loan->author = author;
  loan->number = number;
  std::uint64_t index = 0;
  if constexpr (signalbox::has_tail<T>) {
    const auto tail = loan.tail();
    for (std::size_t at = 0; at + 8 <= tail.size(); at += 8) {
      const std::uint64_t word = word_of(author, number, index++);
      std::memcpy(tail.data() + at, &word, sizeof(word));
    }
  } else {
    for (std::uint64_t& word : loan->words) word = word_of(author, number, index++);
  }
}

template <class T>
bool is_whole(const signalbox::Sample<T>& sample) {
  std::uint64_t index = 0;
  const auto is_next = [&](std::uint64_t word) {
    return word == word_of(sample->author, sample->number, index++);
  };
  if constexpr (signalbox::has_tail<T>) {
    const auto tail = sample.tail();
    if (tail.size() != grown_words * 8) return false;
    for (std::size_t at = 0; at < tail.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, tail.data() + at, sizeof(word));
      if (!is_next(word)) return false;
    }
  } else {
    for (const std::uint64_t word : sample->words) {
      if (!is_next(word)) return false;
    }
  }
  return true;
}

// What a reader has had from one author: the numbers from `first` up to, not including, `next`.
struct Had {
  std::uint64_t first = 0;
  std::uint64_t next = 0;
};

template <class T>
class Reader {
 public:
  Reader(signalbox::Subscriber<T>& in, Verdict& verdict) : in_(in), verdict_(verdict) {}

  // Takes and judges one message; the sample is empty when there is none.
  signalbox::Sample<T> take() {
    auto sample = in_.take();
    if (!sample) {
      if (in_.status() != nullptr) verdict_.fault(&Tally::lost, in_.status()->text);
      return sample;
    }
    ++verdict_.tally.messages;
    if (!is_whole(sample)) {
      verdict_.fault(&Tally::torn, "message " + std::to_string(sample->number) + " is torn");
      return sample;
    }
    auto [had, is_new] = had_.try_emplace(sample->author, Had{sample->number, sample->number});
    Had& book = had->second;
    if (sample->number < book.next) verdict_.fault(&Tally::doubled, "an old number came again");
    if (sample->number > book.next) verdict_.fault(&Tally::lost, "a number was left out");
    book.next = sample->number + 1;
    return sample;
  }

  void take_all() {
    // As many as one round can hold: a contender goes on publishing while we take.
    for (int i = 0; i < 256 && take(); ++i) {
    }
  }

  // Takes until it has had everything of the author before `next`. The deadline is a watchdog.
  bool take_until(std::uint64_t author, std::uint64_t next) {
    using namespace std::chrono_literals;
    const auto deadline = signalbox::Deadline::after(10s);
    while (had(author).next < next) {
      if (take()) continue;
      if (deadline.passed()) return false;
      static_cast<void>(in_.wait(signalbox::Deadline::after(10ms)));
    }
    return true;
  }

  // The next message by this author is another's: one that came later under the same number.
  void forget(std::uint64_t author) { had_.erase(author); }

  Had had(std::uint64_t author) const {
    const auto found = had_.find(author);
    return found == had_.end() ? Had{} : found->second;
  }

 private:
  signalbox::Subscriber<T>& in_;
  Verdict& verdict_;
  std::map<std::uint64_t, Had> had_;
};

}  // namespace kill_driver

SBX_DESCRIBE(kill_driver::Small, author, number, words);
SBX_DESCRIBE(kill_driver::Long, author, number, words);
SBX_DESCRIBE(kill_driver::Framed, author, number, words);
SBX_DESCRIBE(kill_driver::Grown, author, number);
