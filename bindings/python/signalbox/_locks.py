"""Mutex and Semaphore: the compiled handles with Python's ways to make and hold."""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from . import _core
from ._core import MutexGuard, WriteGuard

Recover: TypeAlias = Callable[[], Any]
"""What repairs that which a dead owner may have left half changed. It runs under the lock."""


Guard = TypeVar("Guard", MutexGuard, WriteGuard)


def regardless() -> None:
    """The `recover` of a lock that guards nothing which could be left half changed."""


def _recovered(guard: Guard, recover: Recover) -> Guard:
    if guard.owner_died:
        try:
            recover()
        except BaseException:
            guard.release()  # still marked: the next owner is told
            raise
        guard._repaired()
    return guard


class Mutex(_core.Mutex):
    """A mutex between processes, found by its name in a domain, whose holder may die.

    Lives    while anybody has it open; longer if its last holder died and nobody was told
    Threads  any number at a time; a guard belongs to the thread that locked
    Crash    the holder's lock is given back within a millisecond or so of his end, and the next
             owner told, once
    Fork     a child holds nothing, and its copies of handles raise wrong_process
    Limits   256 waiters in line; one descriptor and 17 KiB

        with Mutex("robot/arm") as arm:
            with arm.lock(recover=table.rebuild, timeout=1.0):
                table.change()

    `recover` has to be given: it is called, under the lock, if the last owner died while he held
    it, and the guard says so: `owner_died`. What it raises is raised by lock(); the mutex is given
    back then, and the next owner told. Where nothing can be left half changed, `regardless` will
    do.

    A wait of the main thread looks up every second for signals, and stands at the end of the line
    again then.
    """

    def __init__(
        self, name: str, *, domain: str | None = None, first_come_first_served: bool = False
    ) -> None:
        """The mutex of that name, made if nobody has it open; all users must ask for the same.

        Raises: bad_name, type_mismatch (it is another kind of object, or of other options),
        damaged, layout_mismatch, no_space, permission_denied, limit_reached.
        """
        super().__init__(_core.open_mutex(name, domain, first_come_first_served))

    def lock(self, recover: Recover, timeout: float | None = None) -> MutexGuard:
        """Takes it, waiting `timeout` seconds at most (None: forever), then SignalboxTimeoutError.

        Other threads run meanwhile; signal handlers run, and Ctrl-C raises KeyboardInterrupt.
        Raises: would_deadlock (this thread holds it), wrong_process, damaged.
        """
        _check(recover)
        return _recovered(self._lock(timeout), recover)

    def try_lock(self, recover: Recover) -> MutexGuard | None:
        """As lock(), but never sleeps. None: somebody else holds it."""
        _check(recover)
        guard = self._try_lock()
        return None if guard is None else _recovered(guard, recover)


def _check(recover: Recover) -> None:
    if not callable(recover):
        raise TypeError(
            "recover is a function that repairs what a dead owner left half changed; "
            "signalbox.regardless where nothing can be"
        )


class Semaphore(_core.Semaphore):
    """A counting semaphore between processes, found by its name, whose units survive the dead.

    Lives    while anybody has it open
    Threads  any number at a time; any thread may release a permit
    Crash    units held are given back within a millisecond or so of the holder's end; what was
             posted or used up stays so
    Fork     a child holds nothing, and its copies of handles raise wrong_process
    Limits   4096 units; 256 waiters in line

        with Semaphore("printers", 3) as printers:
            with printers.acquire(timeout=1.0):
                ...

    Each of its units is free, held by a process, or absent. consume() and post() are the classic
    wait and post, which take units away and bring them.
    """

    def __init__(
        self,
        name: str,
        units_max: int,
        *,
        units: int | None = None,
        domain: str | None = None,
        first_come_first_served: bool = False,
    ) -> None:
        """The semaphore of that name, made with `units` free (None: all) if nobody has it open.

        All users must ask for the same units_max. Raises: bad_argument (units_max not within 1 and
        4096, or units above it), else as Mutex.
        """
        super().__init__(
            _core.open_semaphore(name, units_max, units, domain, first_come_first_served)
        )
