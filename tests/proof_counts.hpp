// proof_counts.hpp: how a program tells `./dev proof` what it tried and what broke.
//
// The runner names a file in SBX_PROOF_COUNTS; each call appends one line of JSON, and the runner
// adds up the lines. Without the variable nothing is written, so a test counts in any case. The
// names are the columns of the table: EFFORTS and FAULTS in tools/proof.py.
//
//   Threads  any: a line is one write() that appends
//   Crash    what was counted before stays counted
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace proof {

inline void count(std::initializer_list<std::pair<std::string_view, std::uint64_t>> counts) {
  const char* const path = std::getenv("SBX_PROOF_COUNTS");
  if (path == nullptr) return;
  std::string line;
  for (const auto& [name, number] : counts) {
    line += line.empty() ? "{\"" : ", \"";
    line.append(name).append("\": ").append(std::to_string(number));
  }
  line += "}\n";
  const int file = ::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  // A count that cannot be written must not look like one that is 0.
  if (file < 0 || ::write(file, line.data(), line.size()) < 0) std::abort();
  ::close(file);
}

inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// The long form of a suite, for `./dev proof --long`: hours.
inline bool long_form() { return number_from_environment("SBX_PROOF_LONG", 0) != 0; }

}  // namespace proof
