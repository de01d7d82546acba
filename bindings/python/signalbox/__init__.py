"""Signalbox: publish and subscribe in shared memory, with numpy and without a copy.

    pose = np.dtype([("seq", "u8"), ("xyz", "f8", 3)], align=True)

    with signalbox.Publisher("robot/pose", pose) as poses:
        poses.send({"seq": 1, "xyz": (0.0, 1.0, 2.0)})

    with signalbox.Subscriber("robot/pose", pose) as poses:
        for sample in poses:                    # sleeps until there is a message
            print(sample.data["xyz"])           # read where the publisher wrote it

topics() says which topics there are and who is in them, TopicWatcher who comes and goes, and
footprint() what memory a topic will take.

Beside topics there are locks that outlive their holders, Mutex, Semaphore, ReadWriteLock, Condition
and Barrier; the kernel's objects, SemaphoreSet, NamedSemaphore, SysvQueue, PosixQueue and FileLock;
each with rules of its own; and WaitSet, one sleep for many sources.

Rules that hold for topics:

Threads  one thread at a time per publisher or subscriber; open another object for another thread.
         Samples and their arrays may be used and dropped by any thread.
Crash    a process that dies loses only what it had not published; nobody has to clean up.
Fork     an object belongs to the process that opened it; in a child it raises SignalboxError with
         code "wrong_process".
Limits   64 samples larger than 480 bytes held at once per subscriber; further ones raise
         SignalboxError with code "limit_reached".
"""

from ._core import (
    Loan,
    MutexGuard,
    Permit,
    ReadGuard,
    Sample,
    WriteGuard,
    library_version,
    sysv_key,
)
from ._core import python_version as _python_version
from ._describe import describe
from ._discovery import (
    PublisherInfo,
    SubscriberInfo,
    TopicEvent,
    TopicInfo,
    TopicWatcher,
    topics,
)
from ._errors import (
    DescriptionError,
    SignalboxError,
    SignalboxPermissionError,
    SignalboxTimeoutError,
)
from ._file_lock import FileLock, LockHolder
from ._footprint import Footprint, footprint
from ._locks import Mutex, Semaphore, regardless
from ._meetings import Barrier, Condition, ReadWriteLock
from ._queues import (
    PosixQueue,
    PosixQueueFacts,
    PriorityMessage,
    SysvMessage,
    SysvQueue,
    SysvQueueFacts,
)
from ._semaphores import (
    PRIVATE_KEY,
    NamedSemaphore,
    SemaphoreSet,
    SemaphoreSetFacts,
    SemOp,
    SysvAccess,
)
from ._topics import Publisher, Subscriber
from ._wait_set import Events, WaitSet, Watch

__version__: str = _python_version()

__all__ = [
    "Barrier",
    "Condition",
    "DescriptionError",
    "Events",
    "FileLock",
    "Footprint",
    "Loan",
    "LockHolder",
    "Mutex",
    "MutexGuard",
    "NamedSemaphore",
    "PRIVATE_KEY",
    "Permit",
    "PosixQueue",
    "PosixQueueFacts",
    "PriorityMessage",
    "Publisher",
    "PublisherInfo",
    "ReadGuard",
    "ReadWriteLock",
    "Sample",
    "SemOp",
    "Semaphore",
    "SemaphoreSet",
    "SemaphoreSetFacts",
    "SignalboxError",
    "SignalboxPermissionError",
    "SignalboxTimeoutError",
    "Subscriber",
    "SubscriberInfo",
    "SysvAccess",
    "SysvMessage",
    "SysvQueue",
    "SysvQueueFacts",
    "TopicEvent",
    "TopicInfo",
    "TopicWatcher",
    "WaitSet",
    "Watch",
    "WriteGuard",
    "__version__",
    "describe",
    "footprint",
    "library_version",
    "regardless",
    "sysv_key",
    "topics",
]
