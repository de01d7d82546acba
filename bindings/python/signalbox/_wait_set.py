"""WaitSet: one sleep for many sources."""

from enum import IntFlag
from typing import Any, Self

from . import _core
from ._errors import SignalboxError
from ._file_lock import FileLock, HasDescriptor
from ._locks import Mutex, Semaphore
from ._meetings import Barrier, Condition, ReadWriteLock
from ._queues import SysvQueue
from ._semaphores import NamedSemaphore, SemaphoreSet
from ._topics import Publisher, Subscriber

# What cannot be watched, and what to do instead.
_NOT_WATCHED: dict[type, str] = {
    SemaphoreSet: "semaphore set: use a Semaphore, or os.eventfd() with EFD_SEMAPHORE",
    NamedSemaphore: "POSIX semaphore: use a Semaphore, or os.eventfd() with EFD_SEMAPHORE",
    SysvQueue: "System V queue: use a PosixQueue, which has a descriptor",
    ReadWriteLock: "read/write lock: it depends on what for; take it in a thread",
    Condition: "condition: what it tells is only true under the mutex; wait for it in a thread",
    Barrier: "barrier: whoever waits at it has arrived; wait in a thread",
    FileLock: "file lock: nothing tells when it is free; take it in a thread",
    Publisher: "publisher: nothing arrives there; watch a Subscriber",
}


class Events(IntFlag):
    """What a source is asked for, and what it answers."""

    READABLE = 1
    WRITABLE = 2
    HUNG_UP = 4
    DEADLINE_MISSED = 8


class Watch:
    """One source that a set watches, until end(), the set's close() or the end of a `with`."""

    def __init__(self, set: "WaitSet", number: int, key: Any) -> None:
        self._set = set
        self._number = number
        self.key = key

    def end(self) -> None:
        """Stops watching. Nothing to do where it has ended."""
        self._set._end(self._number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.end()


class WaitSet(_core.WaitSet):
    """One sleep for many sources: subscribers, mutexes, semaphores, everything with a descriptor.

    Readiness is a level: a source is reported by every wait() until it is drained. A set that
    watches topics only sleeps as Subscriber.wait() does.

    Threads  one thread at a time for a set and the subscribers it watches, checked (code "in_use");
             wake() from any
    Crash    a publisher that is killed is noticed within 100 ms, who held a lock in one or so
    Fork     belongs to the process that made it, checked (code "wrong_process")
    Limits   watches_max, at most 65536; in the main thread a wait looks up 10 times a second, so
             that Ctrl-C works

        with WaitSet() as set:
            set.watch(poses)
            set.watch(commands, "commands")
            for key, events in set.wait(1.0):
                ...
    """

    def __init__(self, watches_max: int = 64) -> None:
        super().__init__(watches_max)
        self._keys: dict[int, Any] = {}
        self._next_number = 0

    def watch(
        self,
        source: Subscriber | Mutex | Semaphore | HasDescriptor | int,
        key: Any = None,
        *,
        events: Events = Events.READABLE,
        period: float | None = None,
    ) -> Watch:
        """Watches a source until the Watch ends; wait() answers `key`, or without one the source.

        A Mutex or Semaphore is readable while try_lock() or try_acquire() would succeed, and takes
        two descriptors. What is closed is silent, and a `key` keeps no source alive: hold it.

        `events` is Events.READABLE, for a descriptor also WRITABLE or both. With `period`, in
        seconds, the end of each period in which the source stayed quiet, or a lock was never found
        free, is answered, too, as DEADLINE_MISSED. Raises: already_exists, limit_reached
        (watches_max, descriptors), bad_argument, closed, not_supported (a regular file, say, or a
        lock that has no descriptor); TypeError for what is no source at all.
        """
        number = self._next_number
        if isinstance(source, Subscriber):
            self._watch_subscriber(source, number, period or 0.0)
        elif isinstance(source, Mutex):
            self._watch_mutex(source, number, period or 0.0)
        elif isinstance(source, Semaphore):
            self._watch_semaphore(source, number, period or 0.0)
        else:
            self._watch_descriptor(_descriptor_of(source), int(events), number, period or 0.0)
        self._next_number += 1
        self._keys[number] = source if key is None else key
        return Watch(self, number, self._keys[number])

    def wait(self, timeout: float | None = None) -> list[tuple[Any, Events]]:
        """Sleeps until a source is ready; answers (key, events) of all that are, in an order that
        changes. Empty: `timeout` seconds passed, or wake() was called.

        Other threads run meanwhile; signal handlers run, and Ctrl-C raises KeyboardInterrupt.
        """
        return [
            (self._keys[number], Events(events))
            for number, events in self._wait(timeout)
            if number in self._keys  # another thread may have ended its watch just now
        ]

    def close(self) -> None:
        """Stops watching everything. Not while another thread is in wait(): wake() it before."""
        super().close()
        self._keys.clear()

    def _end(self, number: int) -> None:
        self._unwatch(number)
        self._keys.pop(number, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _descriptor_of(source: HasDescriptor | int) -> int:
    for kind, instead in _NOT_WATCHED.items():
        if isinstance(source, kind):
            raise SignalboxError(f"cannot watch a {instead}.", "not_supported")
    if isinstance(source, int) and not isinstance(source, bool):
        return source
    if not hasattr(source, "fileno"):
        raise TypeError(
            f"cannot watch {source!r}: a source is a Subscriber, Mutex or Semaphore, a descriptor, "
            "or an object with fileno()"
        )
    return source.fileno()
