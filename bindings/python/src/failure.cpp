#include "failure.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

namespace nb = nanobind;

namespace signalbox_python {
namespace {

void raise_as_python(const std::exception_ptr& thrown, void* /*payload*/) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Failure& failure) {
    try {
      nb::object error =
          nb::module_::import_("signalbox._errors")
              .attr("from_code")(failure.what(), failure.code(), failure.sys_errno());
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
    } catch (nb::python_error& other) {
      // Only when memory ran out or the interpreter is going down: that is the news then.
      other.restore();
    }
  }
}

}  // namespace

void register_failure_translator() { nb::register_exception_translator(raise_as_python); }

}  // namespace signalbox_python
