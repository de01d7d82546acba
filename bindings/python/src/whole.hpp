// whole.hpp: a whole number of Python's, of whatever size, on its way into one of the library's.
//
// nanobind's own way into an int32_t answers "incompatible function arguments" to one that does not
// fit, which names neither the argument nor what would.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "failure.hpp"

namespace signalbox_python {

class Whole {
 public:
  Whole() = default;
  explicit Whole(nanobind::object number) : number_(std::move(number)) {}

  // Nothing if it does not fit.
  template <class Number>
  std::optional<Number> as() const noexcept {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(number_.ptr(), &overflow);
    if (overflow == 0) {
      return std::in_range<Number>(value) ? std::optional(static_cast<Number>(value))
                                          : std::nullopt;
    }
    if (overflow < 0 || !std::in_range<Number>(std::numeric_limits<std::uint64_t>::max())) {
      return std::nullopt;
    }
    const unsigned long long large = PyLong_AsUnsignedLongLong(number_.ptr());
    if (PyErr_Occurred() == nullptr) return static_cast<Number>(large);
    PyErr_Clear();
    return std::nullopt;
  }

  bool is_zero() const noexcept { return as<std::uint64_t>() == std::uint64_t{0}; }
  std::string text() const { return nanobind::str(number_).c_str(); }

 private:
  nanobind::object number_{};
};

// Which numbers will do, both ends among them.
template <class Number>
struct Range {
  Number low = std::numeric_limits<Number>::min();
  Number high = std::numeric_limits<Number>::max();
};

// The number, if it is in the range. Throws Failure, which says `what` it is that is not.
template <class Number>
Number narrow(const Whole& number, const std::string& what, Range<Number> range = {},
              const char* code = "bad_argument") {
  const std::optional<Number> narrowed = number.as<Number>();
  if (narrowed && range.low <= *narrowed && *narrowed <= range.high) return *narrowed;
  throw Failure(code, 0,
                what + " is " + number.text() + ". Use a number from " + std::to_string(range.low) +
                    " to " + std::to_string(range.high) + ".");
}

}  // namespace signalbox_python

// Whatever Python takes for an index: int, and numpy's integers.
template <>
struct nanobind::detail::type_caster<signalbox_python::Whole> {
  NB_TYPE_CASTER(signalbox_python::Whole, const_name("int"))
  bool from_python(handle source, std::uint8_t, cleanup_list*) noexcept {
    if (!PyIndex_Check(source.ptr())) return false;
    object number = steal(PyNumber_Index(source.ptr()));
    if (number.is_valid()) {
      value = signalbox_python::Whole(std::move(number));
      return true;
    }
    PyErr_Clear();
    return false;
  }
};
