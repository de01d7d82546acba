// Goal: a peer that writes whatever it likes into the files it may write spoils its own messages
// and nothing else: honest publishers and subscribers neither crash nor hang nor read out of
// bounds, an honest reliable subscriber loses nothing of an honest publisher, and once the peer is
// gone all is well. Method: the peer, a process of its own, opens a publisher or a reliable
// subscriber, maps its own file (or the bell) once more and scribbles words of random, small and
// likely values over it; or it publishes messages and turns what their slots say into nonsense, so
// that others come to read it. The honest pair, in another process under a watchdog, goes on
// publishing and taking.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <random>

#include "../proof_counts.hpp"
#include "live_topic.hpp"
#include "topic/layout.hpp"
#include "topic/scratch_domain.hpp"

namespace {

using damage::Kind;
using damage::OpenFile;
using damage::Reading;
using signalbox::Deadline;
using signalbox::Publisher;
using signalbox::Subscriber;
using signalbox::SubscriberOptions;
using signalbox::topic::PublisherPage;
using signalbox::topic::Slot;
using namespace std::chrono_literals;

// Seconds without an end after which the honest pair counts as hanging.
constexpr unsigned kHangAfterS = 60;

std::string newest_file(const std::string& folder, const char* prefix, const std::string& but_not) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(prefix) && !name.ends_with(".fifo") && entry.path() != but_not) {
      return entry.path();
    }
  }
  return {};
}

// A value that a check might let pass: small numbers, sign bits, what stands elsewhere in the file.
std::uint64_t nasty(std::mt19937_64& random, const OpenFile& file) {
  std::uint64_t word = random();
  switch (random() % 6) {
    case 0:
      return word % 8;
    case 1:
      return UINT64_MAX - word % 8;
    case 2:
      return std::uint64_t{1} << word % 64;
    case 3:
      std::memcpy(&word, file.data() + word % (file.bytes() / 8) * 8, sizeof(word));
      return word + 1;
    case 4:
      return word % (2 * file.bytes());
    default:
      return word;
  }
}

// Scribbles until it is killed.
[[noreturn]] void scribble(OpenFile& file, std::size_t bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::uint64_t i = 0;; ++i) {
    const std::size_t at = random() % (bytes / 8) * 8;
    const std::uint64_t word = nasty(random, file);
    std::memcpy(file.data() + at, &word, sizeof(word));
    // Now and then it holds still, so that others believe what they see.
    if (i % 4096 == 0) ::usleep(200);
  }
}

// Publishes messages whose slots then name frames and lengths that there are not, and later says in
// its header that the frames are elsewhere: too early, and nobody would take it for a publisher.
// Until it is killed.
[[noreturn]] void forge(Publisher<Reading>& out, OpenFile& file, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::uint64_t i = 0;; ++i) {
    auto loan = out.loan(damage::tail_bytes);
    const auto position = loan ? out.publish(std::move(loan)) : std::uint64_t{0};
    if (!position) continue;
    if (i > 50'000) {
      const std::uint64_t elsewhere = nasty(random, file);
      std::memcpy(file.data() + offsetof(PublisherPage, frames_offset), &elsewhere,
                  sizeof(elsewhere));
    }
    const std::size_t end = damage::control_bytes(Kind::publisher, file.bytes());
    for (std::size_t at = sizeof(PublisherPage); at < end; at += sizeof(Slot)) {
      Slot& slot = *reinterpret_cast<Slot*>(file.data() + at);
      if (slot.sequence.load() != signalbox::shm::ready(*position)) continue;
      if (random() % 2 == 0) continue;  // and some stay as they were, and are taken whole
      slot.words[random() % 2].store(nasty(random, file));  // layout.hpp: frame, tail bytes
    }
  }
}

struct Honest {
  std::optional<Publisher<Reading>> out;
  std::optional<Subscriber<Reading>> in;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t refused = 0;

  bool publish(Deadline deadline) {
    auto loan = out->loan(sent % 2 == 0 ? damage::tail_bytes : 0);
    if (!loan) return false;
    loan->number = sent;
    for (std::byte& byte : loan.tail()) byte = static_cast<std::byte>(sent);
    if (!out->publish(std::move(loan), deadline)) return false;
    ++sent;
    return true;
  }
  // False: a message of the honest publisher is missing, twice there or torn.
  bool take_all(std::uint64_t honest) {
    for (int i = 0; i < 64; ++i) {
      const auto sample = in->take();
      if (!sample) return true;
      damage::read_whole(sample);
      if (sample.publisher() != honest) continue;
      if (sample->number != received) return false;
      for (const std::byte byte : sample.tail()) {
        if (byte != static_cast<std::byte>(received)) return false;
      }
      ++received;
    }
    return true;
  }
};

enum class Attack { scribbles, forges };
struct Hostility {
  Attack attack;
  Kind kind;  // of the file that it attacks
};
class HostilePeer : public testing::TestWithParam<Hostility> {};

// What the honest pair's process answers with.
enum Verdict : int { all_well = 0, not_opened = 2, harmed = 3, not_well_afterwards = 4 };

int be_honest(Hostility hostility, const std::string& folder, std::uint64_t seed, double seconds) {
  ::alarm(kHangAfterS + static_cast<unsigned>(seconds));
  const Kind kind = hostility.kind;
  Honest pair;
  auto out = Publisher<Reading>::open(damage::topic_name, damage::small_ring);
  auto in = Subscriber<Reading>::open(damage::topic_name, SubscriberOptions{.reliable = true});
  if (!out || !in) return not_opened;
  pair.out = std::move(*out);
  pair.in = std::move(*in);
  const char* const prefix = kind == Kind::publisher ? "pub-" : "sub-";
  const std::string ours = newest_file(folder, prefix, "");
  if (!pair.publish(Deadline::immediate())) return not_opened;
  const auto first = pair.in->take();
  if (!first) return not_opened;
  const std::uint64_t honest = first.publisher();
  pair.received = 1;

  const pid_t peer = ::fork();
  if (peer == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // if it has its way with us, it must not go on for ever
    std::optional<Publisher<Reading>> own_out;
    std::optional<Subscriber<Reading>> own_in;
    if (kind == Kind::publisher) {
      own_out = Publisher<Reading>::open(damage::topic_name, damage::small_ring).value();
    } else if (kind == Kind::subscriber) {
      const SubscriberOptions reliable{.reliable = true};
      own_in = Subscriber<Reading>::open(damage::topic_name, reliable).value();
      static_cast<void>(own_in->descriptor());
    }
    OpenFile file(kind == Kind::bell ? folder + "/bell" : newest_file(folder, prefix, ours));
    if (hostility.attack == Attack::forges) forge(*own_out, file, seed);
    scribble(file, damage::control_bytes(kind, file.bytes()), seed);
  }
  int verdict = all_well;
  const Deadline end = Deadline::after(std::chrono::milliseconds(static_cast<int>(seconds * 1000)));
  while (!end.passed() && verdict == all_well) {
    if (!pair.publish(Deadline::after(1ms))) ++pair.refused;
    if (!pair.take_all(honest)) verdict = harmed;
    static_cast<void>(pair.in->wait(Deadline::after(20us)));
  }
  ::kill(peer, SIGKILL);
  ::waitpid(peer, nullptr, 0);
  // It is gone: ten messages must come through, in their order.
  const std::uint64_t goal = pair.sent + 10;
  while (verdict == all_well && pair.received < goal) {
    static_cast<void>(pair.publish(Deadline::after(200ms)));
    static_cast<void>(pair.in->wait(Deadline::after(10ms)));
    if (!pair.take_all(honest)) verdict = not_well_afterwards;
  }
  proof::count({{"messages", pair.received},
                {"tries", pair.refused},
                {"torn", verdict == all_well ? 0U : 1U}});
  std::fflush(stdout);
  return verdict;
}

TEST_P(HostilePeer, HarmsNobodyElse) {
  const signalbox::ScratchDomain domain;
  const std::uint64_t seed =
      proof::number_from_environment("SIGNALBOX_SEED", std::random_device{}());
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  const double seconds = proof::long_form() ? 600 : 2;
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(be_honest(GetParam(), domain.topic_path(damage::topic_name), seed, seconds));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status)) << (WTERMSIG(status) == SIGALRM ? "hung" : "crashed: ")
                                 << strsignal(WTERMSIG(status)) << ", seed " << seed;
  EXPECT_EQ(WEXITSTATUS(status), all_well) << "seed " << seed;
  // Killed or not, what is left is no longer anybody's.
  std::filesystem::remove_all(std::filesystem::path(domain.root()) / "default");
}

INSTANTIATE_TEST_SUITE_P(Scribbles, HostilePeer,
                         testing::Values(Hostility{Attack::scribbles, Kind::bell},
                                         Hostility{Attack::scribbles, Kind::publisher},
                                         Hostility{Attack::scribbles, Kind::subscriber}),
                         [](const auto& which) { return std::string(name_of(which.param.kind)); });
INSTANTIATE_TEST_SUITE_P(Forges, HostilePeer,
                         testing::Values(Hostility{Attack::forges, Kind::publisher}),
                         [](const auto& which) { return std::string(name_of(which.param.kind)); });

}  // namespace
