// proof_counts.hpp: a proof suite hands what it counted to `./dev proof`.
//
//   Threads  one at a time     Crash  a count is one line, written at once
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <utility>

namespace proof {

using Count = std::pair<const char*, std::uint64_t>;

// Prints the counts and appends them as one line of JSON to the file that $SBX_PROOF_COUNTS names.
inline void report_counts(std::initializer_list<Count> counts) {
  std::string line = "{";
  for (const auto& [name, number] : counts) {
    if (line.size() > 1) line += ", ";
    line += "\"" + std::string(name) + "\": " + std::to_string(number);
  }
  line += "}\n";
  std::fputs(line.c_str(), stdout);
  const char* path = std::getenv("SBX_PROOF_COUNTS");
  if (path == nullptr) return;
  // Several suites may append at once: one write in append mode keeps lines whole.
  std::FILE* file = std::fopen(path, "ae");
  if (file == nullptr) return;
  std::setvbuf(file, nullptr, _IOFBF, 4096);
  std::fputs(line.c_str(), file);
  std::fclose(file);
}

inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// The long form of the suites: hours, for `./dev proof --long`.
inline bool long_form() { return number_from_environment("SBX_PROOF_LONG", 0) != 0; }

}  // namespace proof
