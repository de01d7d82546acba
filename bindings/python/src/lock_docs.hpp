// lock_docs.hpp: what help() says about the compiled classes of the locks.
#pragma once

namespace signalbox_python::docs {

inline constexpr char kMutex[] = "The compiled half of signalbox.Mutex.";
inline constexpr char kMutexGuard[] =
    "A mutex that is held, until release() or the end of a `with`. It belongs to its thread.";

inline constexpr char kSemaphore[] = "The compiled half of signalbox.Semaphore.";
inline constexpr char kPermit[] =
    "A unit of a Semaphore that is held, until release() or the end of a `with`. Any thread may\n"
    "release it.";
inline constexpr char kUseUp[] =
    "The unit is absent from now on: what it stood for was taken away. Raises: bad_argument\n"
    "(it was released).";
inline constexpr char kAcquire[] =
    "Takes a unit, which comes back with the permit or with our death, waiting until one is free.\n"
    "\n`timeout` seconds at most (None: forever), then SignalboxTimeoutError. Other threads run\n"
    "meanwhile; signal handlers run, and Ctrl-C raises KeyboardInterrupt.";
inline constexpr char kTryAcquire[] = "As acquire(), but never sleeps. None: no unit is free.";
inline constexpr char kConsume[] =
    "Takes a unit away for good (True), or none was free within `timeout` seconds (False).";
inline constexpr char kTryConsume[] = "Takes a unit away for good if one is free. Never sleeps.";
inline constexpr char kSemaphorePost[] =
    "Makes an absent unit free, and wakes one who waits. Raises: out_of_range (no unit is absent).";
inline constexpr char kUnitsFree[] = "How many units are free at this moment.";

inline constexpr char kReadWriteLock[] = "The compiled half of signalbox.ReadWriteLock.";
inline constexpr char kReadGuard[] =
    "A ReadWriteLock held to read, until release() or the end of a `with`. It belongs to its "
    "thread.";
inline constexpr char kWriteGuard[] =
    "A ReadWriteLock held to write, until release() or the end of a `with`. It belongs to its\n"
    "thread.";
inline constexpr char kLockToRead[] =
    "Takes it together with others who read.\n\n"
    "`timeout` seconds at most (None: forever), then SignalboxTimeoutError. Other threads run\n"
    "meanwhile; signal handlers run, and Ctrl-C raises KeyboardInterrupt. Raises: would_deadlock\n"
    "(this thread holds it to write), wrong_process, damaged.";
inline constexpr char kTryLockToRead[] =
    "As lock_to_read(), but never sleeps. None: it is not free.";

inline constexpr char kCondition[] = "The compiled half of signalbox.Condition.";
inline constexpr char kNotifyOne[] = "Wakes the one who has waited longest. Best under the mutex.";
inline constexpr char kNotifyAll[] = "Wakes all who wait. Best under the mutex.";

inline constexpr char kBarrier[] = "The compiled half of signalbox.Barrier.";
inline constexpr char kArriveAndWait[] =
    "Arrives, and waits until all have.\n\n"
    "`timeout` seconds at most (None: forever), then SignalboxTimeoutError: it is as if we had "
    "not\n"
    "come. Other threads run meanwhile; signal handlers run, and Ctrl-C raises KeyboardInterrupt.\n"
    "Raises: abandoned (one of those who waited died; meet again when it was replaced).";

}  // namespace signalbox_python::docs
