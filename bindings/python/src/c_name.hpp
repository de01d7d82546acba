// c_name.hpp: names as C reads them.
#pragma once

#include <string>

#include "failure.hpp"

namespace signalbox_python {

// Which would be another one if it held a 0. Throws Failure: bad_name.
inline const char* c_name(const std::string& name) {
  if (name.find('\0') == std::string::npos) return name.c_str();
  throw Failure("bad_name", 0, "cannot use a name that holds a 0 byte");
}

}  // namespace signalbox_python
