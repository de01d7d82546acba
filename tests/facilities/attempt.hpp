// attempt.hpp: one operation of one facility, as the test of refused system calls plays it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "done.hpp"
#include "ground.hpp"
#include "signalbox/error.hpp"

namespace facilities {

using signalbox::Errc;
using signalbox::Result;

struct Attempt {
  std::function<Result<void>()> act;        // may be tried again where it failed
  std::function<std::string()> check = {};  // "" if what act() said it did is so
  std::string named = {};                   // what an error must name; empty: nothing has a name
};

struct Operation {
  const char* name;
  Attempt (*prepare)(const Ground&);
  // What it removes may stay, and what it has made and then not opened: the next attempt opens it.
  bool may_leave = false;
  // The C library, or a rule that errs on the safe side, answers with a reason of its own, and with
  // a file that it could not remove again.
  bool has_other_reasons = false;
};

inline std::ostream& operator<<(std::ostream& out, const Operation& operation) {
  return out << operation.name;
}

// Nobody ever satisfies the wait: that its deadline passes is what it is for.
template <class T>
Result<void> until_deadline(Result<T> result) {
  if (result || result.error().code == Errc::timed_out) return {};
  return std::unexpected(std::move(result.error()));
}

inline std::string unless(bool is_so, const char* what) { return is_so ? "" : what; }

// The operation makes a T; `check` looks at it.
template <class T>
Attempt making(std::function<Result<T>()> make, std::function<std::string(T&)> check = {},
               std::string named = {}) {
  auto made = std::make_shared<std::optional<T>>();
  Attempt attempt;
  attempt.act = [made, make = std::move(make)]() -> Result<void> {
    auto result = make();
    if (!result) return std::unexpected(std::move(result.error()));
    *made = std::move(*result);
    return {};
  };
  if (check) attempt.check = [made, check = std::move(check)] { return check(**made); };
  attempt.named = std::move(named);
  return attempt;
}

// The operation uses an object that was made before the window.
template <class T>
Attempt with(T object, std::function<Result<void>(T&)> act,
             std::function<std::string(T&)> check = {}, std::string named = {}) {
  auto kept = std::make_shared<T>(std::move(object));
  Attempt attempt;
  attempt.act = [kept, act = std::move(act)] { return act(*kept); };
  if (check) attempt.check = [kept, check = std::move(check)] { return check(*kept); };
  attempt.named = std::move(named);
  return attempt;
}

std::vector<Operation> event_operations();
std::vector<Operation> memory_operations();
std::vector<Operation> lock_operations();
std::vector<Operation> sysv_operations();
std::vector<Operation> posix_operations();
std::vector<Operation> process_operations();
std::vector<Operation> stream_operations();
std::vector<Operation> socket_operations();

}  // namespace facilities
