// object_docs.hpp: what help() says about the compiled classes of the kernel's objects.
#pragma once

namespace signalbox_python::docs {

inline constexpr char kRemove[] =
    "Removes it: who sleeps on it gets code \"removed\", and so does every later call.";
inline constexpr char kSetMode[] = "Changes who may use it; for its owner and creator.";
inline constexpr char kSysvId[] =
    "Its number, valid in every process of the name space until it is removed.";
inline constexpr char kSysvKey[] =
    "The key that ftok(3) makes of a file that exists and a project number of 1 to 255.";
inline constexpr char kUnlink[] =
    "Removes the name at once; those who have it open go on. Raises: not_found, permission_denied.";

// ---- SemaphoreSet

inline constexpr char kSemaphoreSet[] = "The compiled half of signalbox.SemaphoreSet.";
inline constexpr char kApply[] =
    "Performs all operations in order as one step, sleeping until that is possible.\n\n"
    "`timeout` seconds at most (None: forever), then SignalboxTimeoutError. Other threads run\n"
    "meanwhile; signal handlers run, and Ctrl-C raises KeyboardInterrupt. Whatever is raised,\n"
    "nothing changed. Codes: removed, out_of_range (an index, or a count that would leave 0 to\n"
    "32767), too_large (too many operations), bad_argument (none), no_space.";
inline constexpr char kTryApply[] =
    "As apply(), but never sleeps. False: it would have had to, and nothing was changed.";
inline constexpr char kSetValueOf[] = "What the count is. Raises: out_of_range.";
inline constexpr char kSetValues[] = "All counts at one instant.";
inline constexpr char kLastPid[] =
    "The process that last changed the count; 0: none yet, or not visible from here.";
inline constexpr char kWaitingToTake[] = "How many sleep until the count grows.";
inline constexpr char kWaitingForZero[] = "How many sleep until the count is zero.";
inline constexpr char kSetSetValue[] =
    "Sets a count whatever it is, wakes whom that lets go on, and makes the kernel forget what "
    "any\n"
    "process had to undo on it.";
inline constexpr char kSetSetValues[] = "As set_value(), for all: one value for each semaphore.";

// ---- NamedSemaphore

inline constexpr char kNamedSemaphore[] = "The compiled half of signalbox.NamedSemaphore.";
inline constexpr char kSemaphoreWait[] =
    "Takes one unit (True), sleeping until there is one, or until `timeout` seconds passed "
    "(False).\n"
    "\nNone waits forever. Other threads run meanwhile; signal handlers run, and Ctrl-C raises\n"
    "KeyboardInterrupt.";
inline constexpr char kSemaphoreTryWait[] = "Takes one unit if there is one. Never sleeps.";
inline constexpr char kPost[] =
    "Gives one unit and wakes one sleeper. Raises: out_of_range (the count is at its maximum).";
inline constexpr char kSemaphoreValue[] = "How many units there are at this moment.";

// ---- queues

inline constexpr char kTrySend[] = "As send(), but never waits. False: there is no room.";

inline constexpr char kSysvQueue[] = "The compiled half of signalbox.SysvQueue.";
inline constexpr char kSysvSend[] =
    "Puts bytes at the end under a type of 1 or more, waiting for room.\n\n"
    "`timeout` seconds at most (None: forever), then SignalboxTimeoutError. Codes: too_large,\n"
    "bad_argument (a type below 1), removed.";
inline constexpr char kSetCapacity[] =
    "How many bytes may wait in it. Raises: limit_reached (above msgmnb, without the rights).";

inline constexpr char kPosixQueue[] = "The compiled half of signalbox.PosixQueue.";
inline constexpr char kPosixSend[] =
    "Puts bytes behind those that are as urgent or more, waiting for room; higher is sooner.\n\n"
    "`timeout` seconds at most (None: forever), then SignalboxTimeoutError. Codes: too_large,\n"
    "bad_argument (a priority above 32767), permission_denied (opened to receive).";
inline constexpr char kQueueFileno[] =
    "A descriptor for select, an event loop or a WaitSet: readable while there is a message,\n"
    "writable while there is room. Do not read or close it.";
inline constexpr char kNotifyOnce[] =
    "Asks for one signal, with this value in its siginfo, when a message comes into the empty "
    "queue.\n\n"
    "One process at a time may ask. Raises: already_exists, bad_argument (no signal).";
inline constexpr char kForgetNotice[] = "Takes back what this process asked of notify_once().";

// ---- WaitSet

inline constexpr char kWaitSet[] = "The compiled half of signalbox.WaitSet.";
inline constexpr char kWake[] =
    "Makes the wait() that sleeps, or else the next one, answer nothing at once. From any thread.";
inline constexpr char kWaitSetClose[] =
    "Stops watching everything. Not while another thread is in wait(): wake() it before.";

// ---- discovery

inline constexpr char kListTopics[] = "The topics of a domain, as tuples. See signalbox.topics().";
inline constexpr char kTopicWatcher[] = "The compiled half of signalbox.TopicWatcher.";
inline constexpr char kWatcherWait[] =
    "Sleeps until there is an event (True) or `timeout` seconds passed (False).\n\n"
    "None waits forever. Other threads run meanwhile; signal handlers run, and Ctrl-C raises\n"
    "KeyboardInterrupt.";
inline constexpr char kWatcherFileno[] =
    "A descriptor for select, an event loop or a WaitSet: readable when an event may be there.\n\n"
    "After it was readable, take() until None. After a change it is readable four times more in "
    "half\n"
    "a minute, to be sure. It never changes; do not read or close it.";
inline constexpr char kWatcherClose[] = "Stops watching.";
inline constexpr char kWatcherTopic[] = "The topic that is watched; None: all of the domain.";

}  // namespace signalbox_python::docs
