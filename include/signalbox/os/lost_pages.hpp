// os/lost_pages.hpp: survives that somebody shortens a file which is mapped here.
//
// A page behind the end of its file raises SIGBUS in whoever touches it. The handler that the first
// mapping installs asks a table whether the page is one of ours. If it is, zero pages of this
// process alone are laid from there to the end of the mapping, the mapping is marked as lost, and
// the word that its owner looks at before each fast path changes, so that the owner finds the mark.
// Every other SIGBUS goes on to whoever had it before us.
//
// Entering a mapping and taking it out is in line: os/kernel_entry.hpp says why.
//
//   Threads  any; the handler takes no lock and frees nothing
//   Crash    nothing to lose
//   Fork     a child keeps the handler; mappings of its parent mean nothing in it
//   Limits   a thread that blocks SIGBUS is killed by it, and so is a program that installs a
//            handler after us and does not pass on to ours; sigaction(2), "SIGBUS" in mmap(2)
#pragma once

#include <atomic>
#include <climits>
#include <cstddef>
#include <cstdint>

namespace signalbox::os {

// What is remembered of a mapping, in one word: the generation that has it (fork_generation.hpp),
// or every_generation where forked children have it too, and above that what may be done with it.
using MappingKind = std::uint64_t;
inline constexpr unsigned every_generation = UINT_MAX;
inline constexpr MappingKind is_writable_kind = MappingKind{1} << 32;
inline constexpr MappingKind is_growable_kind = MappingKind{1} << 33;
constexpr unsigned generation_of(MappingKind kind) noexcept { return static_cast<unsigned>(kind); }

// One mapping as the handler sees it. The table never frees an entry, it gives it out again. As few
// words as there can be, because each is a locked instruction.
struct WatchedRange {
  // Counts changes, each before it begins; `end` is 0 while one goes on.
  std::atomic<std::uint32_t> version{0};
  std::atomic<bool> is_used{false};
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};  // 0: none
  std::atomic<MappingKind> kind{0};
  // The address of the word to raise when it is lost, 0 for none, and the lowest bit once it is.
  std::atomic<std::uintptr_t> told{0};

  static constexpr std::uintptr_t lost = 1;
  bool is_lost() const noexcept { return (told.load() & lost) != 0; }
};

namespace kernel {

// The entry that was given back last and is used by nobody, though it says that it is: whoever
// takes it out of here has it for himself.
extern std::atomic<WatchedRange*> spare_range;

// An entry for whoever finds no spare one, with the handler in place; null: no memory for one.
[[gnu::cold]] WatchedRange* claim_range() noexcept;
// For the one that was spare before.
[[gnu::cold]] void give_back(WatchedRange& range) noexcept;

// Around a change of its place or size; nobody touches the pages meanwhile.
inline void hide_range(WatchedRange& range) noexcept {
  range.end.store(0);
  range.version.fetch_add(1);
}
inline void show_range(WatchedRange& range, const void* data, std::size_t bytes) noexcept {
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  range.begin.store(begin);
  range.end.store(begin + bytes);
}

// Enters a mapping that nobody touches yet. Null: no memory for an entry.
inline WatchedRange* watch_range(const void* data, std::size_t bytes, MappingKind kind) noexcept {
  // There is a spare one only where the handler has been installed for another before.
  WatchedRange* range = spare_range.exchange(nullptr);
  if (range == nullptr) [[unlikely]] {
    range = claim_range();
    if (range == nullptr) return nullptr;
  }
  range->version.fetch_add(1);  // its end is 0 since it was given back
  range->kind.store(kind);
  range->told.store(0);
  show_range(*range, data, bytes);
  return range;
}

// Before the pages are unmapped.
inline void unwatch_range(WatchedRange& range) noexcept {
  range.end.store(0);
  WatchedRange* const before = spare_range.exchange(&range);
  if (before != nullptr) [[unlikely]]
    give_back(*before);
}

}  // namespace kernel

}  // namespace signalbox::os
