"""FileLock: advisory locks on a file or a range of its bytes."""

import os
from typing import Literal, NamedTuple, Protocol, Self, TypeAlias

from . import _core


class HasDescriptor(Protocol):
    """Open files, sockets, pipes, processes' pidfds, queues: whatever has a descriptor."""

    def fileno(self) -> int: ...


Owner: TypeAlias = Literal["open_file", "flock", "process"]

_OWNERS: dict[str, int] = {"open_file": 0, "flock": 1, "process": 2}


class LockHolder(NamedTuple):
    """Whose lock is in the way. `pid` 0: unknown, as of an open file's lock always."""

    shared: bool
    pid: int
    begin: int
    bytes: int


class _What:
    """The bytes that a lock is on, and whose it is."""

    def __init__(self, file: int | HasDescriptor, begin: int, bytes: int, owner: Owner) -> None:
        if owner not in _OWNERS:
            raise ValueError(f"owner is one of {', '.join(_OWNERS)}, not {owner!r}")
        self.file = file
        self.rest = (_OWNERS[owner], begin, bytes)

    @property
    def descriptor(self) -> int:
        return self.file if isinstance(self.file, int) else self.file.fileno()


class FileLock:
    """A lock on a file, or a range of its bytes, held until release() or the end of a `with`.

    Lives    until it is released, or the last copy of the descriptor is closed
    Threads  two threads exclude each other where each has opened the file itself
    Crash    the kernel releases it at any death
    Fork     a child shares it through its copy of the descriptor, and does not release it
    Limits   the machine's memory; some network file systems have no locks

        with open("table", "r+b") as table, FileLock(table, timeout=1.0):
            ...

    It is advisory: who does not ask is not kept out. `owner` "open_file" is what you want; "flock"
    is for the whole file, and known to flock(1); "process" is fcntl's classic lock, which the
    closing of any descriptor of the file drops. They know nothing of each other.
    """

    def __init__(
        self,
        file: int | HasDescriptor,
        *,
        shared: bool = False,
        begin: int = 0,
        bytes: int = 0,
        owner: Owner = "open_file",
        timeout: float | None = None,
    ) -> None:
        """Takes it, waiting `timeout` seconds at most (None: forever), then SignalboxTimeoutError.

        `bytes` 0: to the end of the file, however long it becomes. With a timeout it looks again
        and again, up to 100 times a second; None sleeps in the kernel. Other threads run meanwhile;
        signal handlers run, and Ctrl-C raises KeyboardInterrupt. Raises: bad_argument (the file is
        not open for reading, or for writing where the lock is not shared), would_deadlock (of a
        process), limit_reached.
        """
        self._what = _What(file, begin, bytes, owner)
        self._pid = 0
        self._shared = shared
        _core.take_file_lock(self._what.descriptor, not shared, *self._what.rest, timeout)
        self._pid = os.getpid()

    @classmethod
    def try_take(
        cls,
        file: int | HasDescriptor,
        *,
        shared: bool = False,
        begin: int = 0,
        bytes: int = 0,
        owner: Owner = "open_file",
    ) -> Self | None:
        """Takes it if it is free, and never waits. None: somebody else's is in the way."""
        lock = cls.__new__(cls)
        lock._what = _What(file, begin, bytes, owner)
        lock._pid = 0
        lock._shared = shared
        if not _core.try_take_file_lock(lock._what.descriptor, not shared, *lock._what.rest):
            return None
        lock._pid = os.getpid()
        return lock

    @property
    def held(self) -> bool:
        """False after release(), and in a forked child."""
        return self._pid == os.getpid()

    @property
    def shared(self) -> bool:
        """Whether others may share it."""
        return self._shared

    def convert(self, *, shared: bool, timeout: float | None = None) -> None:
        """To the other kind. On an error the old lock is held on, but for "flock", which releases
        first. Two who share it and both convert wait for each other: use a timeout."""
        if not self.held:
            raise ValueError("the lock is not held")
        _core.take_file_lock(self._what.descriptor, not shared, *self._what.rest, timeout)
        self._shared = shared

    def release(self) -> None:
        """Gives it back now. Nothing to do where that was done, or the file was closed."""
        if not self.held:
            return
        self._pid = 0
        try:
            descriptor = self._what.descriptor
        except ValueError:  # the file was closed, and the lock gone with it
            return
        _core.release_file_lock(descriptor, *self._what.rest)

    @staticmethod
    def holder(
        file: int | HasDescriptor,
        *,
        shared: bool = False,
        begin: int = 0,
        bytes: int = 0,
        owner: Owner = "open_file",
    ) -> LockHolder | None:
        """Whose lock would stand in the way of this one? None: nobody's; it may have changed."""
        what = _What(file, begin, bytes, owner)
        found = _core.file_lock_holder(what.descriptor, not shared, *what.rest)
        if found is None:
            return None
        exclusive, *rest = found
        return LockHolder(not exclusive, *rest)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.release()
