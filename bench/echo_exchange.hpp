// echo_exchange.hpp: the exchanges that a program in any language can follow: what comes is read
// and 48 bytes are sent back.
//
// The follower of a program in Python or Go is python_exchange.py or go_exchange; the one in C++ is
// pong() here.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "bench/exchange.hpp"

namespace bench {

// What is sent there, and how the follower waits for it: words and frames are looked for again and
// again; for the others it sleeps, `blocked` in a thread, `parked` as its language prefers. In
// `pipe` the words come through a named pipe instead: what sleeping costs with none of ours in it.
enum class Echo { words, frame, blocked, parked, pipe };

// The names of the above in commands and topics.
inline constexpr std::array<const char*, 5> echo_names = {"words", "frame", "blocked", "parked",
                                                          "pipe"};

// The topics are bench/LANGUAGE/NAME/there and .../back; the pipe is $SIGNALBOX_DIR/LANGUAGE-pipe,
// which its follower makes.
std::unique_ptr<Exchange> echo_exchange(Echo which, const std::string& language);

}  // namespace bench
