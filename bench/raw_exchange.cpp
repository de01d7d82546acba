// The limits: a cache line by plain stores and loads, and a word by futex.
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <stdexcept>

#include "bench/exchange.hpp"
#include "bench/payload.hpp"

namespace bench {

namespace {

// One direction: a line with a number and 48 bytes behind it.
struct alignas(64) Line {
  std::atomic<std::uint64_t> round;
  std::uint64_t unused;
  std::atomic<std::uint64_t> words[6];
};

struct Lines {
  Line there;
  alignas(4096) Line back;  // on another page, as two topics would be
};

Lines* map_lines() {
  void* at =
      ::mmap(nullptr, sizeof(Lines), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::runtime_error("cannot map two cache lines");
  return new (at) Lines{};
}

void write_line(Line& line, std::uint64_t round) {
  // relaxed[bench.line]: published by the release store of the number.
  for (std::uint64_t i = 0; i < 6; ++i) line.words[i].store(round + i, std::memory_order_relaxed);
  // sync[bench.round] release: the words come first.
  line.round.store(round, std::memory_order_release);
}

void read_line(const Line& line, std::uint64_t round) {
  Payload payload{};
  for (std::uint64_t i = 0; i < 6; ++i) {
    // relaxed[bench.line]: the number was acquired before.
    payload.words[i] = line.words[i].load(std::memory_order_relaxed);
  }
  check(payload, round);
}

class RawCacheLine final : public Exchange {
 public:
  void open(Side) override {}
  void ping(std::uint64_t round) override {
    write_line(lines_->there, round);
    await(lines_->back, round);
  }
  void pong(std::uint64_t round) override {
    await(lines_->there, round);
    write_line(lines_->back, round);
  }

 private:
  static void await(const Line& line, std::uint64_t round) {
    // sync[bench.round] acquire: meets write_line().
    while (line.round.load(std::memory_order_acquire) != round) {
    }
    read_line(line, round);
  }
  Lines* lines_ = map_lines();
};

// More lines: a number in a line of its own, as a slot is, and as many lines of words as are
// needed.
template <std::size_t count>
class RawLines final : public Exchange {
 public:
  void open(Side) override {}
  void ping(std::uint64_t round) override {
    write(lines_->there, round);
    await(lines_->back, round);
  }
  void pong(std::uint64_t round) override {
    await(lines_->there, round);
    write(lines_->back, round);
  }

 private:
  struct alignas(4096) Way {
    std::atomic<std::uint64_t> round;
    alignas(64) Words<count> payload;
  };
  struct Both {
    Way there;
    Way back;
  };
  static void write(Way& way, std::uint64_t round) {
    fill(way.payload, round);
    // sync[bench.round] release: the words come first.
    way.round.store(round, std::memory_order_release);
  }
  static void await(const Way& way, std::uint64_t round) {
    // sync[bench.round] acquire: meets write().
    while (way.round.load(std::memory_order_acquire) != round) {
    }
    check(way.payload, round);
  }
  static Both* map() {
    void* at =
        ::mmap(nullptr, sizeof(Both), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::runtime_error("cannot map the lines");
    return new (at) Both{};
  }
  Both* lines_ = map();
};

class RawFutex final : public Exchange {
 public:
  void open(Side) override {}
  void ping(std::uint64_t round) override {
    send(lines_->there, round);
    await(lines_->back, round);
  }
  void pong(std::uint64_t round) override {
    await(lines_->there, round);
    send(lines_->back, round);
  }

 private:
  static void send(Line& line, std::uint64_t round) {
    write_line(line, round);
    ::syscall(SYS_futex, &line.round, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }
  static void await(const Line& line, std::uint64_t round) {
    for (;;) {
      // sync[bench.round] acquire: meets write_line().
      const std::uint64_t seen = line.round.load(std::memory_order_acquire);
      if (seen == round) break;
      ::syscall(SYS_futex, &line.round, FUTEX_WAIT, static_cast<std::uint32_t>(seen), nullptr,
                nullptr, 0);
    }
    read_line(line, round);
  }
  Lines* lines_ = map_lines();
};

}  // namespace

std::unique_ptr<Exchange> raw_cache_line() { return std::make_unique<RawCacheLine>(); }
std::unique_ptr<Exchange> raw_lines_256() { return std::make_unique<RawLines<32>>(); }
std::unique_ptr<Exchange> raw_lines_1024() { return std::make_unique<RawLines<128>>(); }
std::unique_ptr<Exchange> raw_lines_4096() { return std::make_unique<RawLines<512>>(); }
std::unique_ptr<Exchange> raw_lines_16384() { return std::make_unique<RawLines<2048>>(); }
std::unique_ptr<Exchange> raw_futex() { return std::make_unique<RawFutex>(); }

}  // namespace bench
