// kernel_boundary.hpp: runs lines in a traced child and lets one of its system calls fail.
//
// The child's calls are seen, and answered, where they enter the kernel (ptrace), so nothing of the
// library is replaced. Only the calls of the thread that opened the window are looked at, and only
// while the window is open.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kernel_boundary {

struct Call {
  std::uint64_t number;
  std::array<std::uint64_t, 6> arguments;
  std::uint64_t pointed = 0;  // the first bytes behind the argument that tells what is meant
};

// Which call is told by its number and how many of that number came before it: another call more,
// as when the C library asks for a second random number, changes nothing for the others.
struct Fault {
  std::uint64_t number;
  std::size_t before;    // calls of that number in the window
  int error;             // what it answers
  bool lasting = false;  // every later call of that number fails as well
};

struct Traced {
  std::vector<Call> calls;     // those of the window, in order
  std::uint64_t injected = 0;  // how many were made to fail
  int status = 0;              // as waitpid tells it
};

// The errors of a call that the suite at hand looks at besides the usual ones, or instead of them.
struct Errors {
  std::uint64_t number;
  const char* name;
  std::vector<int> errors;
  bool (*applies)(const Call&) = nullptr;  // null: to every call of that number
};
// Before the first trace(). The first entry that applies counts, and those given here come first.
void also_look_at(std::vector<Errors> more);

// Seconds until a child counts as hanging: a watchdog, not a measure of speed.
inline constexpr unsigned hang_after_s = 30;

// Forks, runs `work` there, and answers when it has ended.
Traced trace(const std::function<void()>& work, std::optional<Fault> fault);

// Called in the child, around what is to be looked at.
void open_window();
void close_window();

// The errors that this call gives on a real machine; empty: it cannot fail, or not by our doing.
std::vector<int> plausible_errors(const Call& call);
std::string name_of(const Call& call);

}  // namespace kernel_boundary
