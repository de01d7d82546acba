// own_waits.hpp: the calls of topics, locks and wait sets that sleep, described as the facilities'
// are.
#pragma once

#include <vector>

#include "joined.hpp"
#include "waits.hpp"

namespace facilities {

// They need a domain of the test's own.
std::vector<Wait> topic_waits();
std::vector<Wait> sync_waits();
inline std::vector<Wait> own_waits() { return joined<Wait>({topic_waits(), sync_waits()}); }

}  // namespace facilities
