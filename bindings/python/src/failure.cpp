#include "failure.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <new>

#include "foreign_text.hpp"

namespace nb = nanobind;

namespace signalbox_python {
namespace {

void raise(const Failure& failure) {
  try {
    const nb::object text = foreign_text(failure.what());
    nb::object error = nb::module_::import_("signalbox._errors")
                           .attr("from_code")(text, failure.code(), failure.sys_errno());
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
  } catch (nb::python_error& other) {
    // Only when memory ran out or the interpreter is going down: that is the news then.
    other.restore();
  }
}

void raise_as_python(const std::exception_ptr& thrown, void* /*payload*/) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Failure& failure) {
    raise(failure);
  }
}

}  // namespace

PyObject* set_error() noexcept {
  try {
    throw;
  } catch (const Failure& failure) {
    raise(failure);
  } catch (nb::python_error& error) {
    error.restore();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const nb::builtin_exception& error) {
    PyErr_SetString(
        error.type() == nb::exception_type::type_error ? PyExc_TypeError : PyExc_ValueError,
        error.what());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

bool is_made(PyObject* self) noexcept {
  if (nb::inst_ready(self)) [[likely]]
    return true;
  PyErr_SetString(PyExc_TypeError, "its __init__ was not called");
  return false;
}

void register_failure_translator() { nb::register_exception_translator(raise_as_python); }

}  // namespace signalbox_python
