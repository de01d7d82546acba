// operation.hpp: one operation on an object and its answer, plain enough for shared memory.
//
//   Threads  values     Crash  nothing to lose     Fork  safe     Limits  see the arrays
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace signalbox::differential {

constexpr int processes = 4;

// How long a process waits, and what a signal does to its wait.
enum class Wait : std::uint8_t {
  never,    // it tries
  shortly,  // up to a deadline that passes soon; nobody else acts until then
  until_done_or_signal,
  until_done,  // and goes on after a signal
};

struct Operation {
  std::uint8_t verb = 0;  // what the family calls it
  Wait wait = Wait::never;
  std::uint8_t count = 0;  // of the numbers below that are used
  std::array<std::int32_t, 8> numbers{};

  bool may_sleep() const { return wait == Wait::until_done_or_signal || wait == Wait::until_done; }
};

constexpr int shortly_us = 300;

struct Answer {
  std::int32_t error = 0;  // an errno
  std::uint8_t count = 0;
  std::array<std::int64_t, 4> values{};

  bool operator==(const Answer&) const = default;
  void add(std::int64_t value) { values.at(count++) = value; }
};

// What an object is like, seen from outside after a step. Process numbers stand for pids.
struct Facts {
  std::uint8_t count = 0;
  std::array<std::int64_t, 16> values{};

  bool operator==(const Facts&) const = default;
  void add(std::int64_t value) { values.at(count++) = value; }
};

// A step of a sequence: a process acts, or something happens to it.
struct Step {
  enum class Kind : std::uint8_t { act, signal, kill };
  Kind kind = Kind::act;
  std::uint8_t process = 0;
  Operation operation{};
};

std::string text_of(const Facts& facts);

}  // namespace signalbox::differential
