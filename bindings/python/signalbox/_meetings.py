"""ReadWriteLock, Condition and Barrier: the compiled handles with Python's ways to hold."""

import time
from collections.abc import Callable

from . import _core
from ._core import MutexGuard, WriteGuard
from ._locks import Recover, _check, _recovered


class ReadWriteLock(_core.ReadWriteLock):
    """A lock between processes that many may hold to read, or one to write, found by its name.

    Lives    while anybody has it open; longer if its last writer died and nobody was told
    Threads  any number at a time; a guard belongs to the thread that locked
    Crash    what the dead held is free within a millisecond or so; the next writer after a writer
             is told, once; readers are not
    Fork     a child holds nothing, and its copies of handles raise wrong_process
    Limits   128 readers at once, more wait in line; 256 waiters

        with ReadWriteLock("table") as lock:
            with lock.lock_to_read():
                ...
            with lock.lock_to_write(recover=table.rebuild, timeout=1.0):
                ...

    Everybody goes in the order in which he came; a wait of the main thread looks up every second
    for signals, and stands at the end of the line again then. What `recover` is, Mutex says.
    """

    def __init__(self, name: str, *, domain: str | None = None) -> None:
        """The lock of that name, made if nobody has it open. Raises: as Mutex."""
        super().__init__(_core.open_read_write_lock(name, domain))

    def lock_to_write(self, recover: Recover, timeout: float | None = None) -> WriteGuard:
        """Takes it alone, waiting `timeout` seconds at most (None: forever), then
        SignalboxTimeoutError.

        Other threads run meanwhile; signal handlers run, and Ctrl-C raises KeyboardInterrupt.
        Raises: would_deadlock (this thread holds it, in whatever way), wrong_process, damaged.
        """
        _check(recover)
        return _recovered(self._lock_to_write(timeout), recover)

    def try_lock_to_write(self, recover: Recover) -> WriteGuard | None:
        """As lock_to_write(), but never sleeps. None: somebody else holds it."""
        _check(recover)
        guard = self._try_lock_to_write()
        return None if guard is None else _recovered(guard, recover)


class Condition(_core.Condition):
    """A condition between processes, found by its name, to be waited for under a Mutex.

    Lives    while anybody has it open
    Threads  any number at a time
    Crash    when a process that has it open dies all waiters wake and look again: nothing that
             the dead one was told, or had still to tell, is lost
    Fork     a child's copies of handles raise wrong_process
    Limits   256 waiters and processes that have it open

        with mutex.lock(recover=queue.rebuild) as held:
            while not queue:
                changed.wait(held, recover=queue.rebuild)

    Use one condition with one mutex.
    """

    def __init__(self, name: str, *, domain: str | None = None) -> None:
        """The condition of that name, made if nobody has it open. Raises: as Mutex; limit_reached
        also if 256 wait for it or have it open."""
        super().__init__(_core.open_condition(name, domain))

    def wait(self, held: MutexGuard, recover: Recover, timeout: float | None = None) -> None:
        """Gives the mutex back, sleeps until notified or for `timeout` seconds, takes it again.

        It may also end for nothing, as every second in the main thread, so look at what you wait
        for after each wait; wait_for() does. Other threads run meanwhile. `recover` runs if an
        owner of the mutex died meanwhile; if it raises, the mutex was given back. Signal handlers
        run when the mutex is held again; what they raise, as Ctrl-C does KeyboardInterrupt, leaves
        it held.
        Raises: bad_argument (the mutex is not held by this thread) and closed, which change
        nothing; limit_reached (256 wait or have it open), wrong_process and damaged, with which
        the mutex was given back.
        """
        _check(recover)
        self._wait(held, timeout)
        _recovered(held, recover)
        _core.run_signal_handlers()

    def wait_for(
        self,
        held: MutexGuard,
        predicate: Callable[[], object],
        recover: Recover,
        timeout: float | None = None,
    ) -> bool:
        """Waits until the predicate holds (True), or `timeout` seconds passed (False)."""
        end = None if timeout is None else time.monotonic() + timeout
        while not predicate():
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return False
            self.wait(held, recover, left)
        return True


class Barrier(_core.Barrier):
    """A place between processes, found by its name, where so many must have arrived before any goes
    on; used again and again by as many parties. A party is one call that waits.

    Lives    while anybody has it open
    Threads  any number at a time
    Crash    when a party dies while it waits, all who wait with it get code "abandoned", once each
    Fork     a child's copies of handles raise wrong_process
    Limits   256 parties
    """

    def __init__(self, name: str, parties: int, *, domain: str | None = None) -> None:
        """The barrier of that name, made if nobody has it open; all ask for as many parties.

        Raises: bad_argument (parties not within 1 and 256), else as Mutex.
        """
        super().__init__(_core.open_barrier(name, parties, domain))
