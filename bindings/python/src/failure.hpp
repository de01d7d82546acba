// failure.hpp: failures of the C library on their way to Python exceptions.
#pragma once

#include <nanobind/nanobind.h>

#include <exception>
#include <string>

#include "signalbox/signalbox.h"

namespace signalbox_python {

// Thrown inside the extension; Python sees a SignalboxError (signalbox/_errors.py).
class Failure : public std::exception {
 public:
  Failure(std::string code, int sys_errno, std::string text)
      : code_(std::move(code)), text_(std::move(text)), sys_errno_(sys_errno) {}

  const char* what() const noexcept override { return text_.c_str(); }
  const std::string& code() const noexcept { return code_; }
  int sys_errno() const noexcept { return sys_errno_; }

 private:
  std::string code_;
  std::string text_;
  int sys_errno_;
};

// Throws what the C library reported, unless it reported success.
inline void check(int code, const sbx_error& error) {
  if (code != SBX_OK) [[unlikely]] {
    throw Failure(sbx_code_name(code), error.sys_errno, error.text);
  }
}

// For methods that Python calls without nanobind between, which costs as much again as a take: what
// `body` answers, or null with a Python error set for what it throws.
PyObject* set_error() noexcept;  // in a catch block
template <class Body>
PyObject* without_nanobind(Body&& body) noexcept {
  try {
    return body().release().ptr();
  } catch (...) {
    return set_error();
  }
}

// Whether __init__ has made the object behind `self`; else a Python error is set.
bool is_made(PyObject* self) noexcept;

// Lets nanobind turn Failure into signalbox.SignalboxError.
void register_failure_translator();

}  // namespace signalbox_python
