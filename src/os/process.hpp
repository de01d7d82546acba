// process.hpp: who this process is, and what a forked child must not keep.
//
//   Threads  any
//   Crash    nothing to lose
//   Fork     this is the file about it: a child gets a new generation, and the descriptors whose
//            locks mean "the parent lives" are closed in it before fork() returns
//   Limits   none
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "os/file.hpp"
#include "signalbox/os/fork_generation.hpp"

namespace signalbox::os {

// A descriptor that a forked child loses: its open-file-description lock is this process's life.
class LifeFd {
 public:
  LifeFd() = default;
  explicit LifeFd(Fd fd);
  LifeFd(LifeFd&& other) noexcept;
  LifeFd& operator=(LifeFd&& other) noexcept;
  ~LifeFd();
  const Fd& fd() const noexcept { return fd_; }
  void close() noexcept;

 private:
  Fd fd_;
  unsigned generation_ = 0;
};

// A word that a forked child finds zeroed before fork() returns, as long as this object lives. A
// hot path that tests such a word anyway need not ask for the generation as well.
class ZeroedInChild {
 public:
  template <class Word>
  // NOLINTNEXTLINE(bugprone-sizeof-expression): the word may be a pointer, which is zeroed itself.
  explicit ZeroedInChild(Word& word) : ZeroedInChild(static_cast<void*>(&word), sizeof(Word)) {}
  ZeroedInChild(const ZeroedInChild&) = delete;
  ZeroedInChild& operator=(const ZeroedInChild&) = delete;
  ~ZeroedInChild();

 private:
  ZeroedInChild(void* word, std::size_t bytes);
  void* word_;
};

struct Identity {
  std::uint32_t pid;
  std::uint32_t uid;
  std::uint64_t start_ticks;    // field 22 of /proc/self/stat: since boot
  std::uint64_t pid_namespace;  // inode of /proc/self/ns/pid
  std::array<std::uint8_t, 16> boot_id;
  std::array<char, 32> program;  // zero-terminated
};
// Reads /proc once a process; `program` is its name at that time.
Identity identity_of_this_process();

namespace detail {
// 0: not asked for yet. Near the thread's pointer, where a lock finds it in one instruction.
extern thread_local constinit std::uint32_t known_thread_number
    __attribute__((tls_model("initial-exec")));
std::uint32_t ask_for_thread_number() noexcept;
}  // namespace detail

// The kernel's number of this thread, as gettid() and /proc/<pid>/task have it. Enters the kernel
// once a thread.
inline std::uint32_t thread_number() noexcept {
  const std::uint32_t known = detail::known_thread_number;
  return known != 0 ? known : detail::ask_for_thread_number();
}

// The same where it was asked for before, else 0: calls nothing.
inline std::uint32_t thread_number_if_known() noexcept { return detail::known_thread_number; }

// 64 random bits from the kernel.
Result<std::uint64_t> random_word();

// Asymmetric barrier: a process that registered pays nothing for its half; whoever calls
// heavy_barrier() makes every registered running thread pass a full memory barrier.
bool register_for_heavy_barrier() noexcept;
bool heavy_barrier() noexcept;

}  // namespace signalbox::os
