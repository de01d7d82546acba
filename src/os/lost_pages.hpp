// lost_pages.hpp: survives that somebody shortens a file which is mapped here.
//
// A page behind the end of its file raises SIGBUS in whoever touches it. The handler that the first
// mapping installs asks a table whether the page is one of ours. If it is, zero pages of this
// process alone are laid from there to the end of the mapping, the mapping is marked as lost, and
// the word that its owner looks at before each fast path changes, so that the owner finds the mark.
// Every other SIGBUS goes on to whoever had it before us.
//
//   Threads  any; the handler takes no lock and frees nothing
//   Crash    nothing to lose
//   Fork     a child keeps the handler; mappings of its parent mean nothing in it
//   Limits   a thread that blocks SIGBUS is killed by it, and so is a program that installs a
//            handler after us and does not pass on to ours
//   Manual   sigaction(2) mmap(2), "SIGBUS"
#pragma once

#include <atomic>
#include <climits>
#include <cstddef>
#include <cstdint>

namespace signalbox::os {

// What a word that lay in lost pages itself becomes: no count ever reaches it.
inline constexpr std::uint64_t lost_word = std::uint64_t{1} << 63;

// Of a mapping that forked children have too.
inline constexpr unsigned every_generation = UINT_MAX;

// One mapping as the handler sees it. The table never frees an entry, it gives it out again.
struct WatchedRange {
  std::atomic<bool> is_used{false};
  std::atomic<std::uint32_t> version{0};  // odd while the words below are being changed
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};
  std::atomic<bool> is_writable{false};
  std::atomic<unsigned> generation{0};  // of the process, process.hpp, or every_generation
  std::atomic<bool> is_lost{false};
  std::atomic<std::atomic<std::uint64_t>*> raised{nullptr};
};

// Enters a mapping that nobody touches yet, and installs the handler if none was. Throws bad_alloc.
WatchedRange* watch_range(const void* data, std::size_t bytes, bool is_writable,
                          unsigned generation);
// Around a change of its place or size; nobody touches the pages meanwhile.
void hide_range(WatchedRange& range) noexcept;
void show_range(WatchedRange& range, const void* data, std::size_t bytes) noexcept;
// Before the pages are unmapped.
void unwatch_range(WatchedRange& range) noexcept;

}  // namespace signalbox::os
