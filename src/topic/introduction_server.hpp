// introduction_server.hpp: the one thread of a process that answers for its participants of the
// hardened tier. It runs while there are any.
//
// It never waits for anybody: who is slow is given up after a second, or as soon as others need the
// room; who is not admitted is turned away before he has said anything.
//
//   Threads  any
//   Crash    goes with the process, and its sockets stop listening
//   Fork     a child has no thread; it starts its own with its own first participant
//   Limits   connections_max at a time
#pragma once

#include <cstddef>
#include <memory>

#include "signalbox/error.hpp"
#include "topic/meeting_point.hpp"

namespace signalbox::topic {

inline constexpr std::size_t connections_max = 64;

// Answers at this point from now on. Errors: limit_reached, out_of_memory, system.
Result<void> begin_answering(std::shared_ptr<MeetingPoint> point);
// Does nothing for a point that is not answered at. After the last one the thread has ended.
void end_answering(const std::shared_ptr<MeetingPoint>& point) noexcept;

}  // namespace signalbox::topic
