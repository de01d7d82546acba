#include "array.hpp"

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

// What every array is made with, looked up once. Never released: the interpreter may be gone by
// the time static destructors run.
struct Numpy {
  nb::object ndarray;
  nb::object uint8;
  nb::object no_shape;

  static const Numpy& get() {
    static const Numpy* const numpy = [] {
      nb::module_ module = nb::module_::import_("numpy");
      return new Numpy{module.attr("ndarray"), module.attr("dtype")("u1"), nb::make_tuple()};
    }();
    return *numpy;
  }
};

nb::object region_over(std::shared_ptr<Block> block, const void* data, std::size_t bytes) {
  // An empty buffer still needs an address: numpy takes a null pointer for "allocate one".
  static char nothing;
  void* address = bytes == 0 ? &nothing : const_cast<void*>(data);
  return nb::cast(Region{std::move(block), address, bytes});
}

}  // namespace

nb::object record_array(std::shared_ptr<Block> block, nb::handle dtype, const void* data,
                        std::size_t bytes) {
  const Numpy& numpy = Numpy::get();
  return numpy.ndarray(numpy.no_shape, dtype, region_over(std::move(block), data, bytes));
}

nb::object byte_array(std::shared_ptr<Block> block, const void* data, std::size_t bytes) {
  const Numpy& numpy = Numpy::get();
  return numpy.ndarray(bytes, numpy.uint8, region_over(std::move(block), data, bytes));
}

void forbid_writing(nb::handle array) { array.attr("setflags")(false); }

void bind_region(nb::module_& module) {
  nb::class_<Region>(module, "Region", nb::type_slots(region_slots), nb::is_final(),
                     "Memory of one message: the base of the arrays over it.");
}

}  // namespace signalbox_python
