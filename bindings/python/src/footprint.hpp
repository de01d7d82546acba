// footprint.hpp: the compiled half of signalbox.footprint().
#pragma once

#include <nanobind/nanobind.h>

namespace signalbox_python {

void bind_footprint(nanobind::module_& module);

}  // namespace signalbox_python
