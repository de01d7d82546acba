// kernel_object.hpp: what the classes for locks and for objects of the kernel have in common. The
// library or the kernel sees to their threads and forks, so there is no turn to take: any thread
// may use them at any time.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <string>
#include <utility>

#include "c_name.hpp"
#include "failure.hpp"

namespace signalbox_python {

// A handle of the C library, shared by the calls that are inside, so that closing it in another
// thread or in a signal handler does not take it away from them.
template <class Raw>
class KernelObject {
 public:
  KernelObject(std::string name, Raw* raw, void (*close)(Raw*))
      : name_(std::move(name)), raw_(raw, close) {}
  KernelObject(std::string name, std::shared_ptr<Raw> raw)
      : name_(std::move(name)), raw_(std::move(raw)) {}

  // Throws Failure: closed.
  std::shared_ptr<Raw> open() const {
    if (raw_ == nullptr) throw Failure("closed", 0, "the " + name_ + " is closed");
    return raw_;
  }
  void close() noexcept { raw_.reset(); }
  bool is_closed() const noexcept { return raw_ == nullptr; }
  const std::string& name() const noexcept { return name_; }
  std::string repr() const { return "<signalbox " + name_ + (is_closed() ? " closed>" : ">"); }

 private:
  std::string name_;  // "semaphore set 3", for messages
  std::shared_ptr<Raw> raw_;
};

// Runs a call of the C library that makes a handle.
template <class Object, class Raw, class Make>
Object made(const std::string& name, void (*close)(Raw*), Make&& make) {
  Raw* raw = nullptr;
  sbx_error error;
  check(make(&raw, &error), error);
  return Object(name, raw, close);
}

// Runs a call that takes no time worth letting go of the GIL.
template <class Call>
void checked(Call&& call) {
  sbx_error error;
  check(call(&error), error);
}

// What each class has. `Object(Object&)` lets Python's own classes, which stand in front of the
// compiled ones, take over what a function of the module has made.
template <class Object>
nanobind::class_<Object> bind_object(nanobind::module_& module, const char* name, const char* doc) {
  namespace nb = nanobind;
  return nb::class_<Object>(module, name, doc)
      .def(
          "__init__", [](Object* self, Object& given) { new (self) Object(std::move(given)); },
          nb::arg("made"))
      .def("close", &Object::close, "Closes this handle; the object stays as it is.")
      .def_prop_ro("closed", &Object::is_closed, "True after close().")
      .def("__enter__", [](nb::object self) { return self; })
      // Python's own classes may close in a way of their own.
      .def("__exit__", [](nb::handle self, const nb::args&) { self.attr("close")(); })
      .def("__repr__", &Object::repr);
}

void bind_semaphores(nanobind::module_& module);
void bind_queues(nanobind::module_& module);
void bind_locks(nanobind::module_& module);
void bind_file_locks(nanobind::module_& module);
void bind_meetings(nanobind::module_& module);

}  // namespace signalbox_python
