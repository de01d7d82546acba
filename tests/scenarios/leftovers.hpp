// leftovers.hpp: what a play of a row may leave in the kernel, and keys that nobody uses.
//
//   Threads  any     Crash  leftovers stay     Fork  safe     Limits  none
#pragma once

#include <string>

namespace signalbox::scenarios {

// A key that no System V object has at the moment.
int unused_key();

// Removes every object with a made up key or name, of whatever kind.
void remove_leftovers(const std::string& variable, const std::string& value);

// As root: System V objects and POSIX queues that nobody else sees, and that go with this process
// and its children, whatever ends them. Otherwise the machine's own are used, and false is
// answered.
bool enter_own_ipc_name_space();

}  // namespace signalbox::scenarios
