// call_errors.hpp: the errors that the os layer's system calls give on a real machine.
#pragma once

#include <vector>

#include "../fault/kernel_boundary.hpp"

namespace facilities {

// For kernel_boundary::also_look_at(): calls that only the os layer makes, and such as mean
// something else here than in the core.
std::vector<kernel_boundary::Errors> call_errors();

}  // namespace facilities
