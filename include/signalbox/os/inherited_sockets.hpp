// os/inherited_sockets.hpp: sockets that a service manager opened for us before it started us
// (socket activation, as systemd does it).
//
//   Lives     until each is closed
//   Threads   call it in main() before others start: it changes the environment
//   Crash     the manager keeps its copies and gives them to the next one
//   Fork      a child that is forked later finds none
//   Limits    none
//   Pollable  yes
//   Manual    sd_listen_fds(3)
#pragma once

#include <string>
#include <vector>

#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"

namespace signalbox::os {

struct InheritedSocket {
  Fd fd;             // close-on-exec now; UnixListener::adopt() and TcpListener::adopt() take it
  std::string name;  // FileDescriptorName= of the unit; "unknown" if it has none
};

// Those that LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES announce, once: the variables are removed,
// so that a child does not believe they are its own. Empty: we were started by somebody else.
// Errors: bad_argument (the variables say what is not so), out_of_memory.
Result<std::vector<InheritedSocket>> take_inherited_sockets();

}  // namespace signalbox::os
