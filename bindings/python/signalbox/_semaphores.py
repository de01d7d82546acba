"""SemaphoreSet and NamedSemaphore: the compiled handles with Python's ways to make and hold."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Self

from . import _core
from ._errors import SignalboxError, SignalboxTimeoutError

PRIVATE_KEY = 0
"""A System V key that nobody else finds: relatives are told the object's id, and attach to it."""


def _units(count: int) -> int:
    """What is taken or given: of none the kernel would wait for zero, of fewer do the opposite."""
    if count < 1:
        raise ValueError(f"count is {count}; use 1 or more, or until_zero() to wait for zero")
    return count


class SemOp(NamedTuple):
    """One step on one count: below zero takes, above zero gives, zero waits until it is zero.

    A step with `undo` is reverted by the kernel when this process ends, in whatever way.
    """

    index: int
    delta: int
    undo: bool = False

    @classmethod
    def take(cls, index: int, count: int = 1, *, undo: bool = False) -> Self:
        """Takes so many units, once there are so many."""
        return cls(index, -_units(count), undo)

    @classmethod
    def give(cls, index: int, count: int = 1, *, undo: bool = False) -> Self:
        """Gives so many units."""
        return cls(index, _units(count), undo)

    @classmethod
    def until_zero(cls, index: int) -> Self:
        """Waits until the count is zero."""
        return cls(index, 0, False)


class SysvAccess(NamedTuple):
    """Whose a System V object is."""

    key: int
    owner_uid: int
    owner_gid: int
    creator_uid: int
    creator_gid: int
    mode: int


class SemaphoreSetFacts(NamedTuple):
    """What the kernel knows of a set. Times are seconds since 1970; 0: not yet."""

    id: int
    access: SysvAccess
    count: int
    last_operation: int
    last_change: int


class SemaphoreSet(_core.SemaphoreSet):
    """System V semaphores: several counts changed as one step, or not at all.

    Lives    until remove() or the machine restarts; closing deletes nothing
    Threads  any number at a time
    Crash    steps with undo are reverted when the process ends, even by SIGKILL
    Fork     a child may use it; what its parent has to undo stays the parent's
    Limits   /proc/sys/kernel/sem; a count stays within 0 and 32767

    The kernel cannot poll it: in a WaitSet or asyncio use something that has a descriptor.

        with SemaphoreSet.open_or_create(KEY, [1]) as printers:
            with printers.guard(0):  # alone inside, also if somebody dies there
                ...
    """

    @classmethod
    def create(cls, key: int, initial: Sequence[int], *, mode: int = 0o600) -> Self:
        """A new set with these counts. Raises: already_exists, no_space, bad_argument,
        out_of_range."""
        return cls(_core.create_semaphore_set(key, initial, mode))

    @classmethod
    def open(cls, key: int, count: int = 0, *, timeout: float | None = None) -> Self:
        """The set of that key, of at least `count` semaphores, once its creator has set its counts.

        Other threads run meanwhile; signal handlers run, and Ctrl-C raises KeyboardInterrupt.
        Raises: not_found, bad_argument (fewer semaphores), abandoned (after `timeout` seconds: its
        creator died before; use open_as_is() and remove()).
        """
        return cls(_core.open_semaphore_set(key, count, timeout))

    @classmethod
    def open_or_create(
        cls,
        key: int,
        initial: Sequence[int],
        *,
        timeout: float | None = None,
        mode: int = 0o600,
    ) -> Self:
        """Opens it, or creates it with these counts; who opens never sees it half made."""
        return cls(_core.open_or_create_semaphore_set(key, initial, timeout, mode))

    @classmethod
    def open_as_is(cls, key: int) -> Self:
        """What there is under that key, even if nobody has used it yet."""
        return cls(_core.open_semaphore_set_as_is(key))

    @classmethod
    def attach(cls, id: int) -> Self:
        """The set of this id, for example a private one of one's parent. Raises: not_found."""
        return cls(_core.attach_semaphore_set(id))

    @contextmanager
    def guard(self, index: int, *, timeout: float | None = None) -> Iterator[None]:
        """Holds one unit of a count during a `with`: it says how many may be inside at once.

        A process that dies inside has left. Raises as apply() on the way in. That the set was
        removed meanwhile is no error on the way out; a forked child gives nothing back.
        """
        self.apply(SemOp.take(index, undo=True), timeout=timeout)
        holder = os.getpid()
        try:
            yield
        finally:
            if os.getpid() == holder:
                self._give_back(index)

    def _give_back(self, index: int) -> None:
        try:
            self.apply(SemOp.give(index, undo=True))
        except SignalboxError as error:
            if error.code != "removed":
                raise

    def facts(self) -> SemaphoreSetFacts:
        """What the kernel knows of the set."""
        id, *access, count, last_operation, last_change = self._facts()
        return SemaphoreSetFacts(id, SysvAccess(*access), count, last_operation, last_change)


class NamedSemaphore(_core.NamedSemaphore):
    """A POSIX semaphore: one count, which others find by a name such as "/printer".

    Lives    until unlink() and the last handle
    Threads  any number at a time
    Crash    units that the dead took stay taken
    Fork     a child inherits the handle
    Limits   a count of 0 to 2147483647; names of a slash and 1 to 251 bytes without another

        with NamedSemaphore.open_or_create("/printer", 1) as printer:
            with printer.guard():
                ...
    """

    @classmethod
    def create(cls, name: str, initial: int, *, mode: int = 0o600) -> Self:
        """A new one. Raises: already_exists, bad_name, out_of_range, no_space, limit_reached."""
        return cls(_core.create_named_semaphore(name, initial, mode))

    @classmethod
    def open(cls, name: str) -> Self:
        """One that exists. Raises: not_found, bad_name, permission_denied."""
        return cls(_core.open_named_semaphore(name))

    @classmethod
    def open_or_create(cls, name: str, initial: int, *, mode: int = 0o600) -> Self:
        """Opens it, or creates it with this count."""
        return cls(_core.open_or_create_named_semaphore(name, initial, mode))

    @contextmanager
    def guard(self, *, timeout: float | None = None) -> Iterator[None]:
        """Holds one unit during a `with`. A process that dies inside never gives it back: where
        that matters use SemaphoreSet.guard(). A forked child gives nothing back. Raises
        SignalboxTimeoutError."""
        if not self.wait(timeout):
            raise SignalboxTimeoutError(
                f"no unit of the {self!r} was free within {timeout} s", "timed_out"
            )
        holder = os.getpid()
        try:
            yield
        finally:
            if os.getpid() == holder:
                self.post()
