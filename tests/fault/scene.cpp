#include "scene_parts.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "../facilities/joined.hpp"

SBX_DESCRIBE(fault::Small, number);
SBX_DESCRIBE(fault::Large, number, words);
SBX_DESCRIBE(fault::Tailed, number);

namespace fault {

namespace {

using signalbox::Deadline;
using signalbox::Errc;
using signalbox::PublisherOptions;
using signalbox::Start;
using signalbox::SubscriberOptions;
using namespace std::chrono_literals;

constexpr char kSmall[] = "fault/small";
constexpr char kLarge[] = "fault/large";
constexpr char kTailed[] = "fault/tailed";
constexpr std::size_t kLongTail = 5'000;
const PublisherOptions kShort{.depth = 2, .held_max = 1};
const PublisherOptions kGrowing{.depth = 2, .held_max = 1, .grown_tail_bytes_max = 20'000};

std::string told(const signalbox::Error* error) {
  return error == nullptr ? "ok" : std::string(to_string(error->code)) + ": " + error->text;
}

void a_publisher(Scene& s) { open(s.out, kSmall, kShort); }
void a_subscriber(Scene& s) { open(s.in, kSmall); }
}  // namespace

void nothing(Scene&) {}
void a_pair(Scene& s) {
  a_publisher(s);
  a_subscriber(s);
}

namespace {

void a_reliable_pair(Scene& s) {
  a_publisher(s);
  open(s.in, kSmall, SubscriberOptions{.reliable = true});
}
void an_armed_pair(Scene& s) {
  a_pair(s);
  static_cast<void>(s.in->descriptor());
  static_cast<void>(s.in->take());
}
void a_full_reliable_pair(Scene& s) {
  a_reliable_pair(s);
  for (std::uint64_t i = 0; i < kShort.depth; ++i) static_cast<void>(s.out->send({i}));
}
void frames(Scene& s) {
  open(s.frames_out, kLarge, kShort);
  open(s.frames_in, kLarge, SubscriberOptions{.start = Start::oldest});
}
// All frames of the publisher are shown, retired or held by a subscriber.
void frames_used_up(Scene& s) {
  frames(s);
  for (std::uint64_t i = 0; i < 8; ++i) {
    auto loan = s.frames_out->loan();
    if (!loan) break;
    loan->number = i;
    static_cast<void>(s.frames_out->publish(std::move(loan)));
    if (s.held.size() < kShort.held_max) s.held.push_back(s.frames_in->take());
  }
}

void a_growing_pair(Scene& s) {
  open(s.grown_out, kTailed, kGrowing);
  open(s.grown_in, kTailed, SubscriberOptions{.start = Start::oldest, .reliable = true});
  static_cast<void>(s.grown_out->send({0}));
  static_cast<void>(s.grown_in->take());
}
// Lends and publishes a message with a tail; the reader has not looked since.
std::string send_tail(Scene& s) {
  auto loan = s.grown_out->loan(kLongTail);
  if (!loan) {
    const auto why = s.grown_out->why();
    return told(&why);
  }
  for (std::byte& byte : loan.tail()) byte = std::byte{0x5a};
  return outcome(s.grown_out->publish(std::move(loan)));
}
void a_tail_to_take(Scene& s) {
  a_growing_pair(s);
  send_tail(s);
}
// Somebody whose further arenas nobody has cleared away.
void a_grown_publisher_died(Scene&) {
  const pid_t child = ::fork();
  if (child == 0) {
    Scene s;
    a_tail_to_take(s);
    ::_exit(s.grown_in && s.grown_out ? 0 : 1);
  }
  expect_played(child);
}
void a_growing_pair_beside_the_dead(Scene& s) {
  a_growing_pair(s);
  a_grown_publisher_died(s);
  static_cast<void>(s.grown_in->publisher_count());  // meets the dead
}

}  // namespace

void expect_played(pid_t child) {
  int status = -1;
  if (::waitpid(child, &status, 0) == child && status == 0) return;
  std::fprintf(stderr, "who was to die in this scene ended before, with %d\n", status);
  std::abort();
}

// A process that opens both sides, waits in an event loop, publishes and is gone without closing.
void somebody_died(Scene&) {
  const pid_t child = ::fork();
  if (child == 0) {
    Scene s;
    a_pair(s);
    if (!s.in || !s.out) ::_exit(1);
    static_cast<void>(s.in->descriptor());
    ::_exit(s.out->send({1}) ? 0 : 1);
  }
  expect_played(child);
}

namespace {

void a_publisher_beside_the_dead(Scene& s) {
  a_publisher(s);
  somebody_died(s);
}
void a_subscriber_beside_the_dead(Scene& s) {
  a_subscriber(s);
  somebody_died(s);
}
void the_dead_was_met(Scene& s) {
  a_subscriber(s);
  static_cast<void>(s.in->descriptor());
  somebody_died(s);
  static_cast<void>(s.in->publisher_count());
}

std::string open_publisher(Scene& s) { return open(s.other_out, kSmall, kShort); }
std::string open_subscriber(Scene& s) { return open(s.other_in, kSmall); }
std::string open_frames(Scene& s) { return open(s.frames_out, kLarge, kShort); }
std::string describe(Scene& s) { return outcome(s.in->descriptor()); }

std::string send(Scene& s) { return outcome(s.out->send({7})); }
std::string loan(Scene& s) {
  auto loan = s.frames_out->loan();
  if (!loan) {
    const auto why = s.frames_out->why();
    // The frame is held, and that is no fault.
    return why.code == Errc::would_block ? "ok" : told(&why);
  }
  return outcome(s.frames_out->publish(std::move(loan)));
}
// The long tail, whole; what the dead left is passed over.
std::string take_tail(Scene& s) {
  while (const auto sample = s.grown_in->take()) {
    if (sample.tail().size() != kLongTail) continue;
    for (const std::byte byte : sample.tail()) {
      if (byte != std::byte{0x5a}) return "torn. It is.";
    }
    return "ok";
  }
  if (s.grown_in->status() == nullptr) return "fault/tailed: nothing to take. It was lost.";
  return told(s.grown_in->status());
}
// And what comes behind it: that its publisher is dead, and its files may go.
std::string take_tail_and_clear_away(Scene& s) {
  std::string answer = take_tail(s);
  static_cast<void>(s.grown_in->take());
  return answer;
}
std::string open_beside_grown(Scene& s) {
  s.grown_in.reset();
  return open(s.grown_in, kTailed, SubscriberOptions{.start = Start::oldest, .reliable = true});
}
std::string close_grown(Scene& s) {
  s.grown_out.reset();
  return "ok";
}
std::string send_and_wait(Scene& s) {
  const auto sent = s.out->send({7}, Deadline::after(2ms));
  return !sent && sent.error().code == Errc::timed_out ? "ok" : outcome(sent);
}
std::string take(Scene& s) {
  if (s.in->take()) return "ok";
  return told(s.in->status());
}
std::string wait(Scene& s) { return outcome(s.in->wait(Deadline::after(2ms))); }
// Long enough for a look at who is dead.
std::string wait_long(Scene& s) {
  while (s.in->take()) {
  }
  auto waited = s.in->wait(Deadline::after(101ms));
  static_cast<void>(s.in->take());
  return outcome(waited);
}
std::string count_publishers(Scene& s) {
  static_cast<void>(s.in->publisher_count());
  return told(s.in->status());
}
std::string count_subscribers(Scene& s) {
  static_cast<void>(s.out->subscriber_count());
  return "ok";
}
std::string close_publisher(Scene& s) {
  s.out.reset();
  return "ok";
}
std::string close_subscriber(Scene& s) {
  s.in.reset();
  return "ok";
}

}  // namespace

namespace {

std::vector<Operation> topic_operations() {
  return {
      {"OpenPublisher", nothing, open_publisher},
      {"OpenSubscriber", nothing, open_subscriber},
      {"OpenFrames", nothing, open_frames},
      {"OpenPublisherBesideOthers", an_armed_pair, open_publisher},
      {"OpenSubscriberBesideOthers", an_armed_pair, open_subscriber},
      {"OpenSubscriberBesideReliable", a_full_reliable_pair, open_subscriber},
      {"OpenPublisherReapsTheDead", a_publisher_beside_the_dead, open_publisher},
      {"OpenSubscriberReapsTheDead", somebody_died, open_subscriber},
      {"Descriptor", a_pair, describe},
      {"DescriptorBesideTheDead", a_subscriber_beside_the_dead, describe},
      {"Loan", frames, loan},
      {"LoanWhenFramesAreUsedUp", frames_used_up, loan},
      {"LoanThatGrows", a_growing_pair, send_tail},
      {"TakeThatMaps", a_tail_to_take, take_tail},
      {"TakeWhatTheGrownDeadLeft", a_growing_pair_beside_the_dead, take_tail_and_clear_away},
      {"OpenBesideTheGrown", a_tail_to_take, open_beside_grown},
      {"CloseTheGrown", a_tail_to_take, close_grown, true},
      {"Publish", a_pair, send},
      {"PublishToADescriptor", an_armed_pair, send},
      {"PublishAndWaitForRoom", a_full_reliable_pair, send_and_wait},
      {"Take", a_pair, take},
      {"TakeInAnEventLoop", an_armed_pair, take},
      {"TakeWhatTheDeadLeft", the_dead_was_met, take},
      {"Wait", a_pair, wait},
      {"WaitBesideTheDead", a_subscriber_beside_the_dead, wait_long},
      {"CountPublishers", a_subscriber_beside_the_dead, count_publishers},
      {"CountSubscribers", a_publisher_beside_the_dead, count_subscribers},
      {"ClosePublisher", a_pair, close_publisher, true},
      {"CloseSubscriber", an_armed_pair, close_subscriber, true},
      {"CloseTheLast", a_publisher, close_publisher, true},
  };
}

}  // namespace

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all =
      facilities::joined<Operation>({topic_operations(), watching_operations(), lock_operations()});
  return all;
}

std::string exchange(Scene& s) {
  constexpr std::uint64_t kNumber = 4711;
  for (auto* in : {&s.in, &s.other_in}) {
    while (*in && (*in)->take()) {
    }
  }
  for (auto* out : {&s.out, &s.other_out}) {
    if (!*out) continue;
    if (const auto sent = (*out)->send({kNumber}); !sent) return "send: " + sent.error().text;
    for (auto* in : {&s.in, &s.other_in}) {
      if (!*in) continue;
      if (const auto woken = (*in)->wait(Deadline::after(5s)); !woken) return woken.error().text;
      const auto sample = (*in)->take();
      if (!sample) return "nothing to take: " + told((*in)->status());
      if (sample->number != kNumber) return "took " + std::to_string(sample->number);
    }
  }
  return use_locks(s);
}

Holdings holdings() {
  namespace fs = std::filesystem;
  Holdings all{};
  std::size_t watches = 0;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const bool is_watch = fs::read_symlink(entry, gone) == "anon_inode:inotify";
    // Who had a lock keeps one for the next (os/change_watch.hpp).
    all.descriptors += is_watch && watches++ == 0 ? 0 : 1;
  }
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    all.mappings += line.find("/dev/shm/") == std::string::npos ? 0 : 1;
  }
  return all;
}

}  // namespace fault
