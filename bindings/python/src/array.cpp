#include "array.hpp"

#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>

#include <utility>

namespace nb = nanobind;

namespace signalbox_python {
namespace {

// The object numpy sees as an array's base: a piece of a block, offered by the buffer protocol.
struct Region {
  std::shared_ptr<Block> block;
  void* data;
  std::size_t bytes;
};

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  auto* region = nb::inst_ptr<Region>(self);
  return PyBuffer_FillInfo(view, self, region->data, static_cast<Py_ssize_t>(region->bytes),
                           region->block->is_writable() ? 0 : 1, flags);
}

PyType_Slot region_slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)}, {0, nullptr}};

PyArrayObject* as_array(nb::handle array) { return reinterpret_cast<PyArrayObject*>(array.ptr()); }

PyArray_Descr* as_descr(nb::handle dtype) { return reinterpret_cast<PyArray_Descr*>(dtype.ptr()); }

bool is_same(PyArray_Descr* one, nb::handle other) {
  return one == as_descr(other) || PyArray_EquivTypes(one, as_descr(other)) != 0;
}

// An array at an address that `base` keeps. By numpy's own functions for C, since calling `ndarray`
// costs four times as much, and takes of small messages are about nothing else.
nb::object array_at(void* address, int flags, nb::object dtype, int dimensions, npy_intp length,
                    nb::object base) {
  nb::object array = nb::steal(PyArray_NewFromDescr(
      &PyArray_Type, reinterpret_cast<PyArray_Descr*>(dtype.release().ptr()), dimensions, &length,
      nullptr, address, flags & ~NPY_ARRAY_ALIGNED, nullptr));
  if (!array.is_valid()) throw nb::python_error();
  PyArray_UpdateFlags(as_array(array), NPY_ARRAY_ALIGNED);
  if (PyArray_SetBaseObject(as_array(array), base.release().ptr()) != 0) throw nb::python_error();
  return array;
}

// An array over a piece of the block.
nb::object array_over(std::shared_ptr<Block> block, nb::object dtype, int dimensions,
                      npy_intp length, const void* data, std::size_t bytes) {
  // An empty array still needs an address: numpy takes a null pointer for "allocate one".
  static char nothing;
  void* const address = bytes == 0 ? &nothing : const_cast<void*>(data);
  const int flags = block->is_writable() ? NPY_ARRAY_CARRAY : NPY_ARRAY_CARRAY_RO;
  return array_at(address, flags, std::move(dtype), dimensions, length,
                  nb::cast(Region{std::move(block), address, bytes}));
}

[[noreturn]] void refuse(const char* function, const std::string& problem) {
  throw nb::type_error((std::string(function) + ": " + problem).c_str());
}

std::string text_of(nb::handle object) { return nb::str(object).c_str(); }

}  // namespace

nb::object record_array(std::shared_ptr<Block> block, nb::handle dtype, const void* data,
                        std::size_t bytes) {
  return array_over(std::move(block), nb::borrow(dtype), 0, 0, data, bytes);
}

nb::object record_copy(nb::handle dtype, const void* data, std::size_t bytes) {
  // A `bytes` keeps the copy, since nobody can write to it, and numpy's own memory for a structured
  // dtype costs it a search for fields that would have to be zeroed.
  nb::object copy = nb::steal(
      PyBytes_FromStringAndSize(static_cast<const char*>(data), static_cast<Py_ssize_t>(bytes)));
  if (!copy.is_valid()) throw nb::python_error();
  void* const address = PyBytes_AS_STRING(copy.ptr());
  return array_at(address, NPY_ARRAY_CARRAY_RO, nb::borrow(dtype), 0, 0, std::move(copy));
}

nb::object byte_array(std::shared_ptr<Block> block, const void* data, std::size_t bytes) {
  nb::object dtype = nb::steal(reinterpret_cast<PyObject*>(PyArray_DescrFromType(NPY_UINT8)));
  return array_over(std::move(block), std::move(dtype), 1, static_cast<npy_intp>(bytes), data,
                    bytes);
}

nb::object new_records(nb::handle dtype, std::size_t room) {
  const auto length = static_cast<npy_intp>(room);
  nb::object array = nb::steal(PyArray_SimpleNewFromDescr(
      1, &length, reinterpret_cast<PyArray_Descr*>(nb::borrow(dtype).release().ptr())));
  if (!array.is_valid()) throw nb::python_error();
  return array;
}

nb::object first_records(nb::handle array, std::size_t count) {
  if (count == static_cast<std::size_t>(PyArray_DIM(as_array(array), 0))) return nb::borrow(array);
  return array[nb::slice(nb::int_(0), nb::int_(count), nb::int_(1))];
}

const void* message_bytes(nb::handle value, nb::handle dtype) noexcept {
  if (PyArray_Check(value.ptr())) {
    PyArrayObject* const array = as_array(value);
    const bool fits = PyArray_NDIM(array) == 0 && is_same(PyArray_DESCR(array), dtype);
    return fits ? PyArray_DATA(array) : nullptr;
  }
  if (PyArray_IsScalar(value.ptr(), Void)) {
    const auto* scalar = reinterpret_cast<PyVoidScalarObject*>(value.ptr());
    return is_same(reinterpret_cast<PyArray_Descr*>(scalar->descr), dtype) ? scalar->obval
                                                                           : nullptr;
  }
  return nullptr;
}

Records records_of(nb::handle object, nb::handle dtype, Use use, const char* function) {
  if (!PyArray_Check(object.ptr())) {
    refuse(
        function,
        "give a 1-d array of " + text_of(dtype) + ", not " +
            text_of(
                nb::handle(reinterpret_cast<PyObject*>(Py_TYPE(object.ptr()))).attr("__name__")));
  }
  PyArrayObject* const array = as_array(object);
  if (!is_same(PyArray_DESCR(array), dtype)) {
    refuse(function, "the array is of dtype " + text_of(object.attr("dtype")) + ", the topic has " +
                         text_of(dtype));
  }
  if (PyArray_NDIM(array) != 1 || !PyArray_IS_C_CONTIGUOUS(array)) {
    refuse(function, "the array must have one dimension and no gaps: np.ascontiguousarray()");
  }
  if (use == Use::write && !PyArray_ISWRITEABLE(array)) refuse(function, "the array is read-only");
  return {PyArray_DATA(array), static_cast<std::size_t>(PyArray_DIM(array, 0))};
}

void forbid_writing(nb::handle array) { array.attr("setflags")(false); }

void bind_region(nb::module_& module) {
  if (_import_array() < 0) throw nb::python_error();
  nb::class_<Region>(module, "Region", nb::type_slots(region_slots), nb::is_final(),
                     "Memory of one message: the base of the arrays over it.");
}

}  // namespace signalbox_python
