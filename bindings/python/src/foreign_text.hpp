// foreign_text.hpp: texts of the library on their way to Python.
#pragma once

#include <nanobind/nanobind.h>

#include <cstring>

namespace signalbox_python {

// A name in it, which anybody may have chosen, need not be UTF-8.
inline nanobind::object foreign_text(const char* text) {
  PyObject* const decoded =
      PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(std::strlen(text)), "replace");
  if (decoded == nullptr) nanobind::raise_python_error();
  return nanobind::steal<nanobind::object>(decoded);
}

}  // namespace signalbox_python
