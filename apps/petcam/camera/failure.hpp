// failure.hpp: what stops the camera daemon or one of its sources, told so that one can act on it.
#pragma once

#include <expected>
#include <string>

namespace petcam {

// The exit codes of petcam-camera; 1 is left to the C++ runtime.
enum class ExitCode : int { ok = 0, usage = 2, configuration = 3, topic = 4, system = 5 };

struct Failure {
  ExitCode code;
  std::string text;  // a sentence: what was tried on which object, what was found, what to do
};

template <class T>
using Outcome = std::expected<T, Failure>;

}  // namespace petcam
