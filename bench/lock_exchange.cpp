#include "bench/lock_exchange.hpp"

#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "bench/bare_call.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/semaphore.hpp"

namespace bench {

namespace {

using signalbox::Deadline;

// One process that takes turns alone; the follower looks on.
class Alone : public Exchange {
 public:
  void open(Side) override {}
  void pong(std::uint64_t) final {}
};

class GlibcMutex final : public Alone {
 public:
  explicit GlibcMutex(bool is_robust) {
    pthread_mutexattr_t how;
    ::pthread_mutexattr_init(&how);
    ::pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
    if (is_robust) ::pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
    ::pthread_mutex_init(mutex_, &how);
  }
  void ping(std::uint64_t) override {
    for (std::uint64_t i = 0; i < turns_a_round; ++i) {
      must(::pthread_mutex_lock(mutex_) == 0);
      must(::pthread_mutex_unlock(mutex_) == 0);
    }
  }

 private:
  pthread_mutex_t* mutex_ = placed<pthread_mutex_t>();
};

class PosixSemaphore final : public Alone {
 public:
  PosixSemaphore() { ::sem_init(semaphore_, 1, 1); }
  void ping(std::uint64_t) override {
    for (std::uint64_t i = 0; i < turns_a_round; ++i) {
      must(::sem_wait(semaphore_) == 0);
      must(::sem_post(semaphore_) == 0);
    }
  }

 private:
  sem_t* semaphore_ = placed<sem_t>();
};

class SemaphoreSet final : public Alone {
 public:
  SemaphoreSet() { change(1); }
  ~SemaphoreSet() override {
    if (::getpid() == maker_) ::semctl(id_, 0, IPC_RMID);
  }
  SemaphoreSet(const SemaphoreSet&) = delete;
  SemaphoreSet& operator=(const SemaphoreSet&) = delete;
  void ping(std::uint64_t) override {
    for (std::uint64_t i = 0; i < turns_a_round; ++i) {
      change(-1);
      change(1);
    }
  }

 private:
  void change(short by) const {
    sembuf one{.sem_num = 0, .sem_op = by, .sem_flg = 0};
    must(::semop(id_, &one, 1) == 0);
  }
  pid_t maker_ = ::getpid();
  int id_ = ::semget(IPC_PRIVATE, 1, 0600);
};

class OurMutex final : public Alone {
 public:
  void open(Side side) override {
    if (side == Side::leader) mutex_ = must(signalbox::Mutex::open("bench/alone"));
  }
  void ping(std::uint64_t) override {
    for (std::uint64_t i = 0; i < turns_a_round; ++i) {
      auto taken = mutex_->lock(Deadline::never());
      must(taken.has_value());
      const auto guard = std::move(*taken).regardless();
      must(static_cast<bool>(guard));
    }
  }

 private:
  std::optional<signalbox::Mutex> mutex_;
};

class OurSemaphore final : public Alone {
 public:
  void open(Side side) override {
    if (side == Side::leader) {
      semaphore_ = must(signalbox::Semaphore::open("bench/units", {.units_max = 1}));
    }
  }
  void ping(std::uint64_t) override {
    for (std::uint64_t i = 0; i < turns_a_round; ++i) {
      must(semaphore_->acquire(Deadline::never()).has_value());
    }
  }

 private:
  std::optional<signalbox::Semaphore> semaphore_;
};

// The limit: a word each way, and a sleep on it.
class Futex final : public Exchange {
 public:
  void open(Side) override {}
  void ping(std::uint64_t round) override {
    give(words_->there, round);
    await(words_->back, round);
  }
  void pong(std::uint64_t round) override {
    await(words_->there, round);
    give(words_->back, round);
  }

 private:
  struct Words {
    alignas(64) std::atomic<std::uint32_t> there;
    alignas(64) std::atomic<std::uint32_t> back;
  };
  static void give(std::atomic<std::uint32_t>& word, std::uint64_t round) {
    word.store(static_cast<std::uint32_t>(round));
    ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }
  static void await(std::atomic<std::uint32_t>& word, std::uint64_t round) {
    for (;;) {
      const std::uint32_t seen = word.load();
      if (seen == static_cast<std::uint32_t>(round)) return;
      ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, nullptr, nullptr, 0);
    }
  }
  Words* words_ = placed<Words>();
};

// Three mutexes, of which the leader has two and the follower the third. Each round the leader
// gives one up, which the follower waits for, and gets the follower's in return:
//
//   leader    has a, b    gives a    waits for c    has b, c
//   follower  has c       waits for a    gives c    has a
class MutexHandOver final : public Exchange {
 public:
  void open(Side side) override {
    for (int i = 0; i < 3; ++i) {
      mutexes_[i] = must(signalbox::Mutex::open("bench/turn/" + std::to_string(i)));
    }
    if (side == Side::follower) {
      take(2);
      is_ready_->store(true);
      return;
    }
    take(0);
    take(1);
    while (!is_ready_->load()) {
    }
  }
  void ping(std::uint64_t) override {
    guards_[next_].release();
    take((next_ + 2) % 3);
    next_ = (next_ + 1) % 3;
  }
  void pong(std::uint64_t) override {
    take(next_);
    guards_[(next_ + 2) % 3].release();
    next_ = (next_ + 1) % 3;
  }

 private:
  void take(int which) {
    auto taken = mutexes_[which]->lock(Deadline::never());
    must(taken.has_value());
    guards_[which] = std::move(*taken).regardless();
  }
  std::optional<signalbox::Mutex> mutexes_[3];
  signalbox::MutexGuard guards_[3];
  int next_ = 0;
  std::atomic<bool>* is_ready_ = placed<std::atomic<bool>>();
};

class SemaphoreHandOver final : public Exchange {
 public:
  void open(Side) override {
    there_ = must(signalbox::Semaphore::open("bench/there", {.units_max = 1, .units = 0}));
    back_ = must(signalbox::Semaphore::open("bench/back", {.units_max = 1, .units = 0}));
  }
  void ping(std::uint64_t) override {
    must(there_->post().has_value());
    must(back_->consume(Deadline::never()).has_value());
  }
  void pong(std::uint64_t) override {
    must(there_->consume(Deadline::never()).has_value());
    must(back_->post().has_value());
  }

 private:
  std::optional<signalbox::Semaphore> there_, back_;
};

}  // namespace

std::unique_ptr<Exchange> glibc_mutex_alone() { return std::make_unique<GlibcMutex>(false); }
std::unique_ptr<Exchange> glibc_robust_alone() { return std::make_unique<GlibcMutex>(true); }
std::unique_ptr<Exchange> posix_semaphore_alone() { return std::make_unique<PosixSemaphore>(); }
std::unique_ptr<Exchange> semaphore_set_alone() { return std::make_unique<SemaphoreSet>(); }
std::unique_ptr<Exchange> our_mutex_alone() { return std::make_unique<OurMutex>(); }
std::unique_ptr<Exchange> our_semaphore_alone() { return std::make_unique<OurSemaphore>(); }
std::unique_ptr<Exchange> futex_handed_over() { return std::make_unique<Futex>(); }
std::unique_ptr<Exchange> our_mutex_handed_over() { return std::make_unique<MutexHandOver>(); }
std::unique_ptr<Exchange> our_semaphore_handed_over() {
  return std::make_unique<SemaphoreHandOver>();
}

}  // namespace bench
