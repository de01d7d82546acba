// bytes.hpp: what lies in a Python object, looked at without a copy.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>

namespace signalbox_python {

// The contiguous bytes of a Python object while this lives.
class Bytes {
 public:
  explicit Bytes(nanobind::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw nanobind::python_error();
  }
  // None stands for no bytes.
  static Bytes unless_none(nanobind::handle object) {
    return object.is_none() ? Bytes() : Bytes(object);
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  ~Bytes() { PyBuffer_Release(&view_); }

  const void* data() const noexcept { return view_.buf; }
  std::size_t size() const noexcept { return static_cast<std::size_t>(view_.len); }

 private:
  Bytes() = default;

  Py_buffer view_{};
};

}  // namespace signalbox_python
