// Goal: whatever stands in a control area, nobody crashes, hangs or reads out of bounds.
// Method: a topic in full use in a process of its own, many in turn. One bit of one file is turned
// over, or one word replaced by a nasty value, or a stretch filled with random bytes; the whole API
// is run on it, by those who are there and by newcomers; then the file is as before. What was being
// done is written down in memory that outlives the process, so a death or a hang names its bit.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>

#include "../proof_counts.hpp"
#include "live_topic.hpp"
#include "topic/scratch_domain.hpp"

namespace {

namespace fs = std::filesystem;
using damage::Kind;
using damage::LiveTopic;
using damage::OpenFile;

// Seconds until one piece of damage counts as hanging: a watchdog, not a measure of speed.
constexpr time_t kHangAfterS = 20;
constexpr std::size_t kPerProcess = 400;

struct Progress {
  std::atomic<std::uint64_t> done;
};

// One piece of damage: changes the file; what it was is put back by the caller.
using Harm = std::function<void(OpenFile&)>;

using Bytes = std::vector<unsigned char>;

Bytes content_of(const OpenFile& file) { return {file.data(), file.data() + file.bytes()}; }

// Repairs what is still damaged; what its owner has written since stays.
void undo(OpenFile& file, const Bytes& before, const Bytes& harmed) {
  for (std::size_t at = 0; at < file.bytes(); ++at) {
    if (harmed[at] != before[at] && file.data()[at] == harmed[at]) file.data()[at] = before[at];
  }
}

void begin_watchdog() {
  itimerval limit{};
  limit.it_value.tv_sec = kHangAfterS;
  ::setitimer(ITIMER_REAL, &limit, nullptr);
}

class ControlArea : public testing::TestWithParam<Kind> {
 public:
  ControlArea() {
    void* const place = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    progress_ = static_cast<Progress*>(place);
  }
  ~ControlArea() override { ::munmap(progress_, sizeof(Progress)); }

 protected:
  // Does the harms from `first` on, in one process; answers how that ended.
  int suffer(const std::vector<Harm>& harms, std::size_t first) {
    progress_->done = first;
    const pid_t child = ::fork();
    if (child == 0) {
      LiveTopic topic;
      OpenFile file(topic.file_of(GetParam()));
      const std::size_t end = std::min(harms.size(), first + kPerProcess);
      for (std::size_t i = first; i < end; ++i) {
        begin_watchdog();
        const Bytes before = content_of(file);
        harms[i](file);
        const Bytes harmed = content_of(file);
        topic.use_everything();
        undo(file, before, harmed);
        progress_->done = i + 1;
      }
      if (!damage::newcomers_are_served()) ::_exit(3);
      ::_exit(0);  // dies without closing: its files are cleared away by the parent
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    fs::remove_all(fs::path(domain_.root()) / "default");
    return status;
  }

  // All of them, going on behind one that killed its process.
  void suffer_all(const std::vector<Harm>& harms, const std::vector<std::string>& names) {
    int deaths = 0;
    for (std::size_t at = 0; at < harms.size() && deaths < 10;) {
      const int status = suffer(harms, at);
      at = progress_->done;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
      ++deaths;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 3) {
        ADD_FAILURE() << damage::name_of(GetParam()) << ": newcomers are not served although all "
                      << "damage up to \"" << names[at - 1] << "\" was undone";
        continue;
      }
      const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
      ADD_FAILURE() << damage::name_of(GetParam()) << ": " << names[at] << ": "
                    << (signal == SIGALRM ? "it hung" : strsignal(signal));
      ++at;
    }
  }

  std::size_t bytes_of_control_area() {
    // Sizes are those of a fresh topic.
    int ends[2];
    if (::pipe(ends) != 0) return 0;
    const pid_t child = ::fork();
    if (child == 0) {
      const LiveTopic topic;
      const OpenFile file(topic.file_of(GetParam()));
      const std::size_t bytes = damage::control_bytes(GetParam(), file.bytes());
      ::_exit(::write(ends[1], &bytes, sizeof(bytes)) == sizeof(bytes) ? 0 : 1);
    }
    std::size_t bytes = 0;
    if (::read(ends[0], &bytes, sizeof(bytes)) != sizeof(bytes)) bytes = 0;
    ::waitpid(child, nullptr, 0);
    fs::remove_all(fs::path(domain_.root()) / "default");
    return bytes;
  }

  std::mt19937_64 seeded_random() {
    const std::uint64_t seed =
        proof::number_from_environment("SIGNALBOX_SEED", std::random_device{}());
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    return std::mt19937_64(seed);
  }

  signalbox::ScratchDomain domain_;
  Progress* progress_ = nullptr;
};

// Headers (the first 384 bytes of each kind) bit for bit; of the rest, a sample unless in long
// form.
constexpr std::size_t kHeaderBytes = 384;
constexpr std::size_t kSampledBits = 500;

TEST_P(ControlArea, AnyBitMayBeTurnedOver) {
  const std::size_t bytes = bytes_of_control_area();
  ASSERT_GT(bytes, 200U);
  std::mt19937_64 random = seeded_random();
  std::vector<std::size_t> bits(bytes * 8);
  std::iota(bits.begin(), bits.end(), 0);
  if (!proof::long_form() && bytes > kHeaderBytes) {
    std::shuffle(bits.begin() + kHeaderBytes * 8, bits.end(), random);
    bits.resize(std::min(bits.size(), kHeaderBytes * 8 + kSampledBits));
  }
  std::vector<Harm> harms;
  std::vector<std::string> names;
  for (const std::size_t bit : bits) {
    names.push_back("bit " + std::to_string(bit % 8) + " of byte " + std::to_string(bit / 8));
    harms.emplace_back([bit](OpenFile& file) {
      file.data()[bit / 8] = static_cast<unsigned char>(file.data()[bit / 8] ^ (1U << bit % 8));
    });
  }
  suffer_all(harms, names);
  proof::count({{"bit_flips", harms.size()}, {"hangs", HasFailure() ? 1U : 0U}});
}

// What a word may be made to say. A half of what it says already is a name that is believed with a
// number that is not.
using NastyValue = std::uint64_t (*)(std::uint64_t word, std::uint64_t at);
constexpr NastyValue kNastyValues[] = {
    [](std::uint64_t, std::uint64_t) -> std::uint64_t { return 0; },
    [](std::uint64_t, std::uint64_t) -> std::uint64_t { return 1; },
    [](std::uint64_t, std::uint64_t) -> std::uint64_t { return UINT64_MAX; },
    [](std::uint64_t, std::uint64_t) -> std::uint64_t { return UINT64_MAX - 1; },
    [](std::uint64_t, std::uint64_t) -> std::uint64_t { return std::uint64_t{1} << 63; },
    [](std::uint64_t, std::uint64_t) -> std::uint64_t { return std::uint64_t{1} << 31; },
    [](std::uint64_t, std::uint64_t) -> std::uint64_t { return INT64_MAX; },
    [](std::uint64_t, std::uint64_t at) -> std::uint64_t { return at; },
    [](std::uint64_t word, std::uint64_t) -> std::uint64_t { return word | UINT32_MAX; },
    [](std::uint64_t word, std::uint64_t) -> std::uint64_t { return word | ~0ULL << 32; }};

TEST_P(ControlArea, AnyWordMayHoldANastyValue) {
  const std::size_t bytes = bytes_of_control_area();
  ASSERT_GT(bytes, 200U);
  std::vector<Harm> harms;
  std::vector<std::string> names;
  // In the short form the first three words of each line behind the header.
  for (std::size_t at = 0; at + 8 <= bytes; at += 8) {
    if (!proof::long_form() && at > kHeaderBytes && at % 64 > 16) continue;
    for (std::size_t i = 0; i < std::size(kNastyValues); ++i) {
      names.push_back("the word at " + std::to_string(at) + " has nasty value " +
                      std::to_string(i));
      harms.emplace_back([at, i](OpenFile& file) {
        std::uint64_t word = 0;
        std::memcpy(&word, file.data() + at, sizeof(word));
        word = kNastyValues[i](word, at);
        std::memcpy(file.data() + at, &word, sizeof(word));
      });
    }
  }
  suffer_all(harms, names);
  proof::count({{"tries", harms.size()}, {"hangs", HasFailure() ? 1U : 0U}});
}

TEST_P(ControlArea, AnyBytesMayStandThere) {
  const std::size_t bytes = bytes_of_control_area();
  ASSERT_GT(bytes, 200U);
  std::mt19937_64 random = seeded_random();
  const std::size_t rounds =
      proof::number_from_environment("SIGNALBOX_FUZZ_ROUNDS", proof::long_form() ? 100'000 : 600);
  std::vector<Harm> harms;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < rounds; ++i) {
    const std::uint64_t seed = random();
    names.push_back("random bytes, round " + std::to_string(i));
    harms.emplace_back([seed, bytes](OpenFile& file) {
      std::mt19937_64 contents(seed);
      // The common header stays in half of the rounds, so that what lies behind it is looked at.
      const std::size_t least = contents() % 2 == 0 ? 192 : 0;
      const std::size_t begin = least + contents() % (bytes - least);
      const std::size_t end = begin + 1 + contents() % (bytes - begin);
      for (std::size_t at = begin; at < end; ++at) {
        file.data()[at] = static_cast<unsigned char>(contents());
      }
    });
  }
  suffer_all(harms, names);
  proof::count({{"tries", harms.size()}, {"hangs", HasFailure() ? 1U : 0U}});
}

INSTANTIATE_TEST_SUITE_P(Of, ControlArea, testing::ValuesIn(damage::kinds),
                         [](const auto& which) { return std::string(name_of(which.param)); });

}  // namespace
