#include "signalbox/os/lost_pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>

#include "signalbox/os/fork_generation.hpp"

namespace signalbox::os {

namespace {

// ---- the table ----------------------------------------------------------------------------------

// What a word that lay in lost pages itself becomes: no count ever reaches it.
constexpr std::uint64_t lost_word = std::uint64_t{1} << 63;

// Each chunk is as large as all before it together, so a handful of words reach any number.
constexpr std::size_t kFirstChunkRanges = 64;
constexpr std::size_t kChunks = 20;

constexpr std::size_t ranges_in(std::size_t chunk) noexcept { return kFirstChunkRanges << chunk; }

// The first chunk is part of the library: most processes need no other.
constinit WatchedRange first_chunk[kFirstChunkRanges];
constinit std::atomic<WatchedRange*> chunks[kChunks] = {first_chunk};

bool claim(WatchedRange& range) noexcept {
  bool expected = false;
  return !range.is_used.load() && range.is_used.compare_exchange_strong(expected, true);
}

// Two may add the same chunk at once: the first one's stays.
WatchedRange* grow(std::size_t chunk) {
  auto fresh = std::make_unique<WatchedRange[]>(ranges_in(chunk));
  WatchedRange* there = nullptr;
  return chunks[chunk].compare_exchange_strong(there, fresh.get()) ? fresh.release() : there;
}

WatchedRange& claim_any() {
  for (std::size_t chunk = 0; chunk < kChunks; ++chunk) {
    WatchedRange* ranges = chunks[chunk].load();
    if (ranges == nullptr) ranges = grow(chunk);
    for (std::size_t i = 0; i < ranges_in(chunk); ++i) {
      if (claim(ranges[i])) return ranges[i];
    }
  }
  throw std::bad_alloc();  // more mappings than a kernel lets a process have
}

// Written before the handler is installed and never after.
std::uintptr_t page_size = 4096;

// The kernel maps whole pages.
std::uintptr_t end_of_pages(const WatchedRange& range) noexcept {
  return (range.end.load() + page_size - 1) / page_size * page_size;
}

// An entry that changes while we look is not the one: whoever changes it has not touched the pages
// yet, or touches them no more.
bool holds(const WatchedRange& range, std::uintptr_t address) noexcept {
  const std::uint32_t version = range.version.load();
  const std::uintptr_t end = end_of_pages(range);
  const bool inside = range.begin.load() <= address && address < end;
  const unsigned generation = generation_of(range.kind.load());
  const bool is_here = generation == every_generation || generation == fork_generation();
  return inside && is_here && range.version.load() == version;
}

WatchedRange* range_of(std::uintptr_t address) noexcept {
  for (std::size_t chunk = 0; chunk < kChunks; ++chunk) {
    WatchedRange* const ranges = chunks[chunk].load();
    if (ranges == nullptr) break;
    for (std::size_t i = 0; i < ranges_in(chunk); ++i) {
      if (holds(ranges[i], address)) return &ranges[i];
    }
  }
  return nullptr;
}

// ---- the handler --------------------------------------------------------------------------------

struct sigaction handled_before{};  // written as page_size is
constinit std::atomic<bool> one_shot_is_used{false};

// The owner leaves its fast path. A word in the lost pages themselves is 0 now, which it may have
// been before.
void tell_owner(const WatchedRange& range, std::uintptr_t lost_from) noexcept {
  const std::uintptr_t at = range.told.load() & ~WatchedRange::lost;
  if (at == 0) return;
  auto* const word = reinterpret_cast<std::atomic<std::uint64_t>*>(at);
  if (lost_from <= at && at < end_of_pages(range)) {
    word->store(lost_word);
  } else {
    word->fetch_add(1);
  }
}

// False: not our page, or no memory to lay there.
bool lay_zeroes_at(std::uintptr_t address) noexcept {
  WatchedRange* const range = range_of(address);
  if (range == nullptr) return false;
  // Before the zeroes are there: who reads them without a signal must find the mark.
  const bool is_news = (range->told.fetch_or(WatchedRange::lost) & WatchedRange::lost) == 0;
  const std::uintptr_t from = address / page_size * page_size;
  const int protection =
      (range->kind.load() & is_writable_kind) != 0 ? PROT_READ | PROT_WRITE : PROT_READ;
  // All that lies behind it is lost too, and each page alone would be a mapping of its own.
  const std::size_t bytes = end_of_pages(*range) - from;
  void* const place = reinterpret_cast<void*>(from);
  if (::mmap(place, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != place) {
    return false;
  }
  if (generation_of(range->kind.load()) != every_generation) ::madvise(place, bytes, MADV_DONTFORK);
  if (is_news) tell_owner(*range, from);
  return true;
}

// As the kernel would have called it, had we not come between.
void call_handler_before_us(int number, siginfo_t* info, void* context) noexcept {
  sigset_t blocked = handled_before.sa_mask;
  if ((handled_before.sa_flags & SA_NODEFER) == 0) ::sigaddset(&blocked, number);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  if ((handled_before.sa_flags & SA_SIGINFO) != 0) {
    handled_before.sa_sigaction(number, info, context);
  } else {
    handled_before.sa_handler(number);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void pass_on(int number, siginfo_t* info, void* context) noexcept {
  const bool is_handler =
      handled_before.sa_handler != SIG_DFL && handled_before.sa_handler != SIG_IGN;
  const bool is_one_shot = (handled_before.sa_flags & static_cast<int>(SA_RESETHAND)) != 0;
  if (is_handler && !(is_one_shot && one_shot_is_used.exchange(true))) {
    call_handler_before_us(number, info, context);
    return;
  }
  // Sent by somebody, or told of a page that nobody touched: returning from here is not met by the
  // same fault again.
  const bool was_sent = info->si_code <= 0 || info->si_code == BUS_MCEERR_AO;
  // The kernel lets nobody ignore a fault of his own.
  if (handled_before.sa_handler == SIG_IGN && was_sent) return;
  struct sigaction end{};
  end.sa_handler = SIG_DFL;
  ::sigaction(number, &end, nullptr);
  if (was_sent) ::raise(number);
  // Else the fault happens again where it happened, and ends the process with that place in hand.
}

void on_sigbus(int number, siginfo_t* info, void* context) {
  const int kept = errno;
  const bool is_behind_an_end = info->si_code == BUS_ADRERR;
  if (!is_behind_an_end || !lay_zeroes_at(reinterpret_cast<std::uintptr_t>(info->si_addr))) {
    pass_on(number, info, context);
  }
  errno = kept;
}

bool install_handler() noexcept {
  page_size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  // Asked for first, so that a signal in the next moment already knows whom to pass on to.
  ::sigaction(SIGBUS, nullptr, &handled_before);
  struct sigaction ours{};
  ours.sa_sigaction = on_sigbus;
  ::sigemptyset(&ours.sa_mask);
  // On the alternate stack, because Go's are small. Not deferred, because the word that the handler
  // changes may lie in a lost page of its own. And what was sent interrupts as before.
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | (handled_before.sa_flags & SA_RESTART);
  return ::sigaction(SIGBUS, &ours, nullptr) == 0;
}

}  // namespace

constinit std::atomic<WatchedRange*> kernel::spare_range{nullptr};

WatchedRange* kernel::claim_range() noexcept {
  [[maybe_unused]] static const bool installed = install_handler();
  try {
    return &claim_any();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void kernel::give_back(WatchedRange& range) noexcept { range.is_used.store(false); }

}  // namespace signalbox::os
