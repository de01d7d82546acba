// module.cpp: signalbox._core, the compiled half of the package.
#include <nanobind/nanobind.h>

#include "array.hpp"
#include "discovery.hpp"
#include "failure.hpp"
#include "footprint.hpp"
#include "kernel_object.hpp"
#include "publisher.hpp"
#include "signalbox/signalbox.h"
#include "subscriber.hpp"
#include "wait_set.hpp"

NB_MODULE(_core, module) {
  namespace nb = nanobind;
  // Objects that live until the interpreter ends are ordinary in scripts; the tests look for leaks.
  nb::set_leak_warnings(false);
  signalbox_python::register_failure_translator();
  signalbox_python::bind_region(module);
  signalbox_python::bind_publisher(module);
  signalbox_python::bind_subscriber(module);
  signalbox_python::bind_semaphores(module);
  signalbox_python::bind_queues(module);
  signalbox_python::bind_locks(module);
  signalbox_python::bind_file_locks(module);
  signalbox_python::bind_meetings(module);
  signalbox_python::bind_wait_set(module);
  signalbox_python::bind_discovery(module);
  signalbox_python::bind_footprint(module);
  module.def("library_version", &sbx_version,
             "The version of libsignalbox.so in use, as \"major.minor.patch\".");
  module.def(
      "python_version", [] { return SIGNALBOX_PYTHON_VERSION; }, "The version of this package.");
}
