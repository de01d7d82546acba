// scene_parts.hpp: the lists that operations() joins, and what they have in common.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "scene.hpp"
#include "signalbox/error.hpp"

namespace fault {

template <class T>
std::string outcome(const signalbox::Result<T>& result) {
  if (result) return "ok";
  return std::string(to_string(result.error().code)) + ": " + result.error().text;
}

template <class Handle, class... Options>
std::string open(std::optional<Handle>& handle, const char* name, const Options&... options) {
  auto opened = Handle::open(name, options...);
  if (opened) handle = std::move(*opened);
  return outcome(opened);
}

// A wait for what does not come: that its deadline passed is no fault.
template <class T>
std::string waited(const signalbox::Result<T>& result) {
  const bool is_over = !result && result.error().code == signalbox::Errc::timed_out;
  return is_over ? "ok" : outcome(result);
}

void nothing(Scene& scene);
void a_pair(Scene& scene);  // of topic handles
void somebody_died(Scene& scene);
// Whoever is to have died has played his part to its end; without him the scene would be another.
void expect_played(pid_t child);

std::vector<Operation> lock_operations();
std::vector<Operation> watching_operations();  // wait sets and discovery

}  // namespace fault
