// aftermath.hpp: what must hold after a victim died: for those who come when all are dead, and for
// those who lived on beside it.
//
//   Threads  one
//   Limits   a survivor's steps are bounded by watchdogs; a hang beyond them is ended by SIGALRM
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kill_messages.hpp"
#include "kill_operations.hpp"
#include "kill_verdict.hpp"
#include "shared_files.hpp"
#include "signalbox/topic.hpp"

namespace kill_driver {

// How many messages of whom a late reader is owed.
struct Owed {
  std::uint64_t author;
  std::uint64_t committed;
  std::uint64_t in_flight;  // 1: one more may arrive
};

// Opens a publisher and a reliable subscriber in a domain, or says what stood in the way.
template <class T>
struct Pair {
  Pair(const std::string& domain, std::uint64_t author, Verdict& verdict,
       const signalbox::PublisherOptions& options = options_of<T>(1))
      : author_(author) {
    auto taker = signalbox::Subscriber<T>::open(
        "kill", {.start = signalbox::Start::oldest, .reliable = true, .domain = domain});
    if (!taker) {
      verdict.fault(&Tally::lost, taker.error().text);
      return;
    }
    in.emplace(std::move(*taker));
    reader.emplace(*in, verdict);
    join(domain, verdict, options);
  }
  void join(const std::string& domain, Verdict& verdict, signalbox::PublisherOptions options) {
    options.domain = domain;
    auto giver = signalbox::Publisher<T>::open("kill", options);
    if (!giver) return verdict.fault(&Tally::lost, giver.error().text);
    out.emplace(std::move(*giver));
  }
  bool is_open() const { return in && out; }

  // Publishes one message, which must find a frame and room. The deadline is a watchdog.
  bool send(Verdict& verdict) {
    using namespace std::chrono_literals;
    const auto deadline = signalbox::Deadline::after(5s);
    auto loan = lend(*out);
    // A contender holds a frame for a moment; what the dead hold, they would hold for ever.
    while (!loan && !deadline.passed()) loan = lend(*out);
    if (!loan) {
      verdict.fault(&Tally::leaked, out->why().text);
      return false;
    }
    fill(loan, author_, sent);
    const auto published = out->publish(std::move(loan), deadline);
    if (!published) {
      verdict.fault(&Tally::hangs, published.error().text);
      return false;
    }
    ++sent;
    return true;
  }

  std::optional<signalbox::Publisher<T>> out;
  std::optional<signalbox::Subscriber<T>> in;
  std::optional<Reader<T>> reader;
  std::uint64_t sent = 0;

 private:
  std::uint64_t author_;
};

template <class T>
void check_owed(const Reader<T>& reader, const Owed& owed, Verdict& verdict) {
  const Had had = reader.had(owed.author);
  if (had.next < owed.committed || had.next > owed.committed + owed.in_flight) {
    verdict.fault(had.next < owed.committed ? &Tally::lost : &Tally::doubled,
                  "of author " + std::to_string(owed.author) + " " +
                      std::to_string(owed.committed) + " messages were committed, the reader had " +
                      std::to_string(had.first) + " to " + std::to_string(had.next));
  }
}

inline void check_is_empty(const std::string& directory, Verdict& verdict) {
  for (const std::string& name : names_in(directory)) {
    verdict.fault(&Tally::leaked, "left behind: " + directory + "/" + name);
  }
}

// Everyone is dead and two newcomers find the topic: traffic goes on, they count only each other,
// and when they leave nothing is left.
template <class T>
void check_newcomers(const std::string& domain, const std::string& directory, Verdict& verdict) {
  {
    Pair<T> pair(domain, newcomer, verdict);
    if (!pair.is_open()) return;
    for (std::uint64_t i = 0; i < 2 * victim_depth; ++i) {
      if (!pair.send(verdict)) return;
      if (!pair.reader->take_until(newcomer, i + 1)) verdict.fault(&Tally::hangs, "no traffic");
    }
    if (pair.in->publisher_count() != 1 || pair.out->subscriber_count() != 1) {
      verdict.fault(&Tally::leaked, "the dead are counted");
    }
  }
  check_is_empty(directory, verdict);
}

// A reader that lives already meets the dead publishers' files only now: it has all that they
// committed and still kept, whole.
template <class T>
void check_late_reader(const std::string& from, const std::string& domain,
                       const std::string& directory, const std::vector<Owed>& all_owed,
                       Verdict& verdict) {
  {
    auto in = signalbox::Subscriber<T>::open("kill", {.reliable = true, .domain = domain});
    if (!in) return verdict.fault(&Tally::lost, in.error().text);
    copy_files(from, directory + "/kill", "pub-");
    // Who joins makes the reader look.
    auto out = signalbox::Publisher<T>::open("kill", {.depth = victim_depth, .domain = domain});
    if (!out) return verdict.fault(&Tally::lost, out.error().text);
    Reader<T> reader(*in, verdict);
    reader.take_all();
    for (const Owed& owed : all_owed) {
      check_owed(reader, owed, verdict);
      const std::uint64_t kept_from =
          owed.committed + 1 > victim_depth ? owed.committed + 1 - victim_depth : 0;
      if (owed.committed != 0 && reader.had(owed.author).first > kept_from) {
        verdict.fault(&Tally::lost, "a message that the ring still kept did not arrive");
      }
    }
  }
  check_is_empty(directory, verdict);
}

// A publisher and a reliable subscriber that were there before the victim and live on after it.
template <class T>
class Survivors {
 public:
  Survivors(std::string directory, Verdict& verdict, const signalbox::PublisherOptions& options)
      : directory_(std::move(directory)), verdict_(verdict), pair_("", survivor, verdict, options) {
    if (!pair_.is_open()) return;
    // As many as the ring keeps: whoever comes finds some, wherever it begins.
    for (std::uint32_t i = 0; i < victim_depth; ++i) pass_one_on();
    static_cast<void>(settle());
  }
  bool is_open() const { return pair_.is_open(); }
  std::uint64_t sent() const { return pair_.sent; }

  // Notes who is here, once so many pairs are: their files must be left, and no others.
  bool settle(std::uint32_t pairs = 1) {
    using namespace std::chrono_literals;
    const auto deadline = signalbox::Deadline::after(10s);
    while (pair_.in->publisher_count() != pairs || pair_.out->subscriber_count() != pairs) {
      if (deadline.passed()) return false;
      take_all();
    }
    others_ = pairs;
    names_ = names_in(directory_);
    return true;
  }

  // Before a victim acts: leaves a hint in the bell, so that publishing enters the kernel.
  void doze() {
    using namespace std::chrono_literals;
    take_all();
    static_cast<void>(pair_.in->wait(signalbox::Deadline::after(1us)));
  }
  void take_all() { pair_.reader->take_all(); }

  // While somebody stands still: all that others may do then.
  void act_beside() {
    pass_one_on();
    meet_newcomers();
    pass_one_on();
  }

  // After somebody died. `newcomers_first`: others come and clean up before the survivors have
  // noticed anything; else they must cope alone.
  void go_on(const std::vector<Owed>& all_owed, bool newcomers_first) {
    if (newcomers_first) meet_newcomers();
    for (const Owed& owed : all_owed) {
      pair_.reader->take_until(owed.author, owed.committed);
      take_all();
      check_owed(*pair_.reader, owed, verdict_);
      if (pair_.reader->had(owed.author).first != 0) {
        verdict_.fault(&Tally::lost, "the first messages did not arrive");
      }
    }
    use_every_frame();
    if (!newcomers_first) meet_newcomers();
    take_all();
    check_who_is_left();
  }

 private:
  // Publishes one message and takes it.
  signalbox::Sample<T> pass_one_on() {
    if (!pair_.send(verdict_)) return {};
    signalbox::Sample<T> sample;
    if (!pair_.reader->take_until(survivor, pair_.sent - 1)) verdict_.fault(&Tally::hangs, "hangs");
    while (pair_.reader->had(survivor).next < pair_.sent) {
      sample = pair_.reader->take();
      if (!sample) break;
    }
    if (!sample) verdict_.fault(&Tally::lost, "a survivor's message did not arrive");
    return sample;
  }

  // With one sample held, the publisher has not one frame to spare: one that the dead still held
  // would be missed.
  void use_every_frame() {
    const auto held = pass_one_on();
    for (std::uint32_t i = 0; i < 3 * victim_depth && !::testing::Test::HasFailure(); ++i) {
      pass_one_on();
    }
    if (held && !is_whole(held)) verdict_.fault(&Tally::torn, "a held sample was overwritten");
  }

  void meet_newcomers() {
    Pair<T> fresh("", newcomer, verdict_);
    if (!fresh.is_open()) return;
    // Its reader begins at the oldest, and its publisher at number 0 as each of its kind before.
    if (!fresh.send(verdict_) || !fresh.reader->take_until(newcomer, 1)) {
      verdict_.fault(&Tally::hangs, "newcomers cannot talk");
    }
    if (!pair_.send(verdict_) || !fresh.reader->take_until(survivor, pair_.sent)) {
      verdict_.fault(&Tally::hangs, "a newcomer does not hear a survivor");
    }
    pair_.reader->forget(newcomer);
    if (!pair_.reader->take_until(newcomer, 1)) {
      verdict_.fault(&Tally::hangs, "a survivor does not hear a newcomer");
    }
    if (!pair_.reader->take_until(survivor, pair_.sent)) verdict_.fault(&Tally::hangs, "hangs");
  }

  // Beside a contender a closed file stays until it too has met it, so this must come true some
  // time; what leaked never goes. The deadline is a watchdog.
  void check_who_is_left() {
    using namespace std::chrono_literals;
    const auto deadline = signalbox::Deadline::after(5s);
    while (!only_we_are_left()) {
      if (deadline.passed()) {
        std::string text = "left are";
        for (const std::string& name : names_in(directory_)) text += " " + name;
        verdict_.fault(&Tally::leaked, text + "; survivors count " +
                                           std::to_string(pair_.in->publisher_count()) + " and " +
                                           std::to_string(pair_.out->subscriber_count()));
        return;
      }
      static_cast<void>(pair_.in->wait(signalbox::Deadline::after(1ms)));
      take_all();
      // Who closes while the last to meet it asks who lives leaves its file to the next visitor.
      if (others_ > 1) static_cast<void>(signalbox::Subscriber<T>::open("kill"));
    }
  }

  bool only_we_are_left() {
    return names_in(directory_) == names_ && pair_.in->publisher_count() == others_ &&
           pair_.out->subscriber_count() == others_;
  }

  std::string directory_;
  Verdict& verdict_;
  Pair<T> pair_;
  std::set<std::string> names_;
  std::uint32_t others_ = 0;  // pairs that live, ours among them
};

}  // namespace kill_driver
