"""The compiled half of the package. Use it through `signalbox`."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

# What is None only for plain bytes: who gave a dtype need not check.
_NoneForBytes: TypeAlias = Any

def library_version() -> str:
    """The version of libsignalbox.so in use, as "major.minor.patch"."""

def python_version() -> str:
    """The version of this package."""

@final
class Region:
    """Memory of one message: the base of the arrays over it."""

@final
class Loan:
    """A message being filled in place, in shared memory. Made by Publisher.loan()."""

    @property
    def data(self) -> NDArray[np.void] | _NoneForBytes:
        """The fixed part to fill: a writable 0-d structured array; None for plain bytes."""
    @property
    def tail(self) -> NDArray[np.uint8]:
        """The bytes behind the fixed part: a writable uint8 array."""
    @property
    def position(self) -> int | None:
        """The message's number once it is published, until then None."""
    def shorten(self, tail_bytes: int) -> None:
        """Publishes fewer tail bytes than were lent."""
    def drop(self) -> None:
        """Gives the loan back unpublished. Nothing if it is finished."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

@final
class Sample:
    """One received message. Its arrays read the publisher's memory without a copy."""

    @property
    def data(self) -> NDArray[np.void] | _NoneForBytes:
        """The fixed part: a read-only 0-d structured array; None for plain bytes."""
    @property
    def tail(self) -> NDArray[np.uint8]:
        """The bytes behind the fixed part: a read-only uint8 array, empty where there are none."""
    @property
    def position(self) -> int:
        """The message's number at its publisher, from 0."""
    @property
    def publisher(self) -> int:
        """Which publisher sent it: a number that changes when the publisher restarts."""
    def release(self) -> None:
        """Lets go of the message; arrays that were taken from it stay valid."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class Publisher:
    """The compiled half of signalbox.Publisher."""

    def __init__(
        self,
        topic: str,
        dtype: np.dtype[np.void] | None,
        description: str,
        depth: int,
        loans_max: int,
        held_max: int,
        tail_max: int,
        grown_tail_max: int,
        domain: str | None,
        when_behind: str,
        wake: bool,
        tier: str,
    ) -> None: ...
    def loan(self, tail_bytes: int = 0) -> Loan:
        """Lends a message with a tail of `tail_bytes`, to be filled in place. Never waits."""
    def loan_batch(self, count: int, tail_bytes: int = 0) -> list[Loan]:
        """Lends up to `count` messages at once. Never waits."""
    def publish_batch(self, loans: Sequence[Loan], timeout: float | None = 0.0) -> int:
        """Publishes each of the loans, in order; returns how many. Sleepers are woken once."""
    def publish(self, loan: Loan, timeout: float | None = 0.0) -> int:
        """Shows the message to every subscriber; returns its position, from 0."""
    def send(self, value: Any, tail: Buffer | None = None, timeout: float | None = 0.0) -> int:
        """Publishes a copy of `value`, and of `tail` behind it; returns its position."""
    def send_batch(self, values: NDArray[np.void], timeout: float | None = 0.0) -> int:
        """Publishes a copy of each message of `values`, in order; returns how many."""
    def close(self) -> None:
        """Leaves the topic; subscribers still receive what was published."""
    @property
    def subscriber_count(self) -> int:
        """How many subscribers are attached now. Cheap.

        What is published after one was counted reaches it, unless it falls behind.
        """
    @property
    def dropped_count(self) -> int:
        """Messages given up (when_behind "drop_new")."""
    @property
    def evicted_count(self) -> int:
        """Subscribers left behind (when_behind "evict")."""
    @property
    def topic(self) -> str:
        """The topic's name."""
    @property
    def dtype(self) -> np.dtype[np.void] | None:
        """The numpy dtype of the fixed part; None for plain bytes."""
    @property
    def closed(self) -> bool:
        """True after close()."""

class Subscriber:
    """The compiled half of signalbox.Subscriber."""

    def __init__(
        self,
        topic: str,
        dtype: np.dtype[np.void] | None,
        description: str,
        start: int,
        reliable: bool,
        domain: str | None,
        spin_max_ns: int,
        tier: str,
        writable_ring: bool,
    ) -> None: ...
    def take(self) -> Sample | None:
        """The next message in publishing order, or None when there is nothing new. Never waits."""
    def take_latest(self) -> Sample | None:
        """The newest message of the publisher in turn, or None; skipped_count counts the rest."""
    def take_batch(self, room: int = 256, out: NDArray[np.void] | None = None) -> NDArray[np.void]:
        """As many messages as there are, up to `room`, copied in order into one array."""
    def wait(self, timeout: float | None = None) -> bool:
        """Sleeps until a message is there (True) or `timeout` seconds passed (False)."""
    def receive(self, timeout: float | None = None) -> Sample | None:
        """The next message, sleeping until there is one; None when `timeout` seconds passed."""
    def fileno(self) -> int:
        """A descriptor for select, poll or an event loop: readable when a message may be there."""
    def close(self) -> None:
        """Leaves the topic. Samples and their arrays stay valid."""
    @property
    def lost_count(self) -> int:
        """Messages overwritten before this subscriber came to them, counted when it does; and of a
        publisher that evicted it all that it has not taken, a number that grows with each further
        message."""
    @property
    def skipped_count(self) -> int:
        """Messages that take_latest() passed over."""
    @property
    def dropped_count(self) -> int:
        """Messages that publishers gave up since this subscriber joined (when_behind "drop_new"),
        so that nobody got them."""
    @property
    def publisher_count(self) -> int:
        """How many publishers are attached now."""
    @property
    def topic(self) -> str:
        """The topic's name."""
    @property
    def dtype(self) -> np.dtype[np.void] | None:
        """The numpy dtype of the fixed part; None for plain bytes."""
    @property
    def closed(self) -> bool:
        """True after close()."""

class SemaphoreSet:
    """The compiled half of signalbox.SemaphoreSet."""

    def __init__(self, made: SemaphoreSet) -> None: ...
    def apply(self, *ops: tuple[int, int, bool], timeout: float | None = None) -> None:
        """Performs all operations in order as one step, sleeping until that is possible."""
    def try_apply(self, *ops: tuple[int, int, bool]) -> bool:
        """As apply(), but never sleeps. False: it would have had to, and nothing was changed."""
    @property
    def id(self) -> int:
        """Its number, valid in every process of the name space until it is removed."""
    def value(self, index: int) -> int:
        """What the count is."""
    def values(self) -> list[int]:
        """All counts at one instant."""
    def last_pid(self, index: int) -> int:
        """The process that last changed the count."""
    def waiting_to_take(self, index: int) -> int:
        """How many sleep until the count grows."""
    def waiting_for_zero(self, index: int) -> int:
        """How many sleep until the count is zero."""
    def _facts(self) -> tuple[Any, ...]: ...
    def set_value(self, index: int, value: int) -> None:
        """Sets a count whatever it is."""
    def set_values(self, values: Sequence[int]) -> None:
        """As set_value(), for all."""
    def set_mode(self, mode: int) -> None:
        """Changes who may use it."""
    def remove(self) -> None:
        """Removes it: who sleeps on it gets code "removed"."""
    def close(self) -> None:
        """Closes this handle; the object stays as it is."""
    @property
    def closed(self) -> bool:
        """True after close()."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...

def create_semaphore_set(key: int, initial: Sequence[int], mode: int) -> SemaphoreSet: ...
def open_semaphore_set(key: int, count: int, timeout: float | None) -> SemaphoreSet: ...
def open_or_create_semaphore_set(
    key: int, initial: Sequence[int], timeout: float | None, mode: int
) -> SemaphoreSet: ...
def open_semaphore_set_as_is(key: int) -> SemaphoreSet: ...
def attach_semaphore_set(id: int) -> SemaphoreSet: ...
def sysv_key(path: str, project: int) -> int:
    """The key that ftok(3) makes of a file that exists and a project number of 1 to 255."""

class NamedSemaphore:
    """The compiled half of signalbox.NamedSemaphore."""

    def __init__(self, made: NamedSemaphore) -> None: ...
    def wait(self, timeout: float | None = None) -> bool:
        """Takes one unit (True), or none was free within `timeout` seconds (False)."""
    def try_wait(self) -> bool:
        """Takes one unit if there is one. Never sleeps."""
    def post(self) -> None:
        """Gives one unit and wakes one sleeper."""
    def value(self) -> int:
        """How many units there are at this moment."""
    @staticmethod
    def unlink(name: str) -> None:
        """Removes the name at once; those who have it open go on."""
    def close(self) -> None:
        """Closes this handle; the object stays as it is."""
    @property
    def closed(self) -> bool:
        """True after close()."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...

def create_named_semaphore(name: str, initial: int, mode: int) -> NamedSemaphore: ...
def open_named_semaphore(name: str) -> NamedSemaphore: ...
def open_or_create_named_semaphore(name: str, initial: int, mode: int) -> NamedSemaphore: ...

class SysvQueue:
    """The compiled half of signalbox.SysvQueue."""

    def __init__(self, made: SysvQueue) -> None: ...
    @property
    def id(self) -> int:
        """Its number, valid in every process of the name space until it is removed."""
    def send(self, type: int, data: Buffer, timeout: float | None = None) -> None:
        """Puts bytes at the end under a type of 1 or more, waiting for room."""
    def try_send(self, type: int, data: Buffer) -> bool:
        """As send(), but never waits. False: there is no room."""
    def _receive(
        self, kind: int, type: int, room: int, cut_off: bool, timeout: float | None
    ) -> tuple[int, bytes, bool] | None: ...
    def _try_receive(
        self, kind: int, type: int, room: int, cut_off: bool
    ) -> tuple[int, bytes, bool] | None: ...
    def _peek(self, place: int, room: int) -> tuple[int, bytes, bool] | None: ...
    def _facts(self) -> tuple[Any, ...]: ...
    def set_capacity(self, bytes: int) -> None:
        """How many bytes may wait in it."""
    def set_mode(self, mode: int) -> None:
        """Changes who may use it."""
    def remove(self) -> None:
        """Removes it: who sleeps on it gets code "removed"."""
    def close(self) -> None:
        """Closes this handle; the object stays as it is."""
    @property
    def closed(self) -> bool:
        """True after close()."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...

def create_sysv_queue(key: int, mode: int) -> SysvQueue: ...
def open_sysv_queue(key: int) -> SysvQueue: ...
def open_or_create_sysv_queue(key: int, mode: int) -> SysvQueue: ...
def attach_sysv_queue(id: int) -> SysvQueue: ...

class PosixQueue:
    """The compiled half of signalbox.PosixQueue."""

    def __init__(self, made: PosixQueue) -> None: ...
    def send(self, data: Buffer, priority: int = 0, timeout: float | None = None) -> None:
        """Puts bytes behind those that are as urgent or more, waiting for room."""
    def try_send(self, data: Buffer, priority: int = 0) -> bool:
        """As send(), but never waits. False: there is no room."""
    def _receive(self, timeout: float | None) -> tuple[bytes, int] | None: ...
    def _try_receive(self) -> tuple[bytes, int] | None: ...
    def _facts(self) -> tuple[int, int, int]: ...
    def fileno(self) -> int:
        """Readable while there is a message, writable while there is room."""
    def notify_once(self, signal: int, value: int = 0) -> None:
        """Asks for one signal when a message comes into the empty queue."""
    def forget_notice(self) -> None:
        """Takes back what this process asked of notify_once()."""
    @staticmethod
    def unlink(name: str) -> None:
        """Removes the name at once; those who have it open go on."""
    def close(self) -> None:
        """Closes this handle; the object stays as it is."""
    @property
    def closed(self) -> bool:
        """True after close()."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...

def create_posix_queue(
    name: str, messages_max: int, message_bytes_max: int, mode: int, access: str
) -> PosixQueue: ...
def open_posix_queue(name: str, access: str) -> PosixQueue: ...
def open_or_create_posix_queue(
    name: str, messages_max: int, message_bytes_max: int, mode: int, access: str
) -> PosixQueue: ...

@final
class MutexGuard:
    """A mutex that is held, until release() or the end of a `with`. It belongs to its thread."""

    def release(self) -> None:
        """Gives it back now. Nothing to do where that was done."""
    @property
    def held(self) -> bool:
        """False after release()."""
    @property
    def owner_died(self) -> bool:
        """True: the last owner died while he held it."""
    def _repaired(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class Mutex:
    """The compiled half of signalbox.Mutex."""

    def __init__(self, made: Mutex) -> None: ...
    def _lock(self, timeout: float | None) -> MutexGuard: ...
    def _try_lock(self) -> MutexGuard | None: ...
    def close(self) -> None:
        """Closes this handle; what is held stays so."""
    @property
    def closed(self) -> bool:
        """True after close()."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...

def open_mutex(name: str, domain: str | None, first_come_first_served: bool) -> Mutex: ...

@final
class Permit:
    """A unit of a Semaphore that is held, until release() or the end of a `with`."""

    def release(self) -> None:
        """Gives it back now. Nothing to do where that was done."""
    def use_up(self) -> None:
        """The unit is absent from now on: what it stood for was taken away."""
    @property
    def held(self) -> bool:
        """False after release() and use_up()."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class Semaphore:
    """The compiled half of signalbox.Semaphore."""

    def __init__(self, made: Semaphore) -> None: ...
    def acquire(self, timeout: float | None = None) -> Permit:
        """Takes a unit, which comes back with the permit or with our death."""
    def try_acquire(self) -> Permit | None:
        """As acquire(), but never sleeps. None: no unit is free."""
    def consume(self, timeout: float | None = None) -> bool:
        """Takes a unit away for good (True), or none was free in time (False)."""
    def try_consume(self) -> bool:
        """Takes a unit away for good if one is free. Never sleeps."""
    def post(self) -> None:
        """Makes an absent unit free, and wakes one who waits."""
    def value(self) -> int:
        """How many units are free at this moment."""
    def close(self) -> None:
        """Closes this handle; what is held stays so."""
    @property
    def closed(self) -> bool:
        """True after close()."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...

def open_semaphore(
    name: str,
    units_max: int,
    units: int | None,
    domain: str | None,
    first_come_first_served: bool,
) -> Semaphore: ...
def take_file_lock(
    fd: int, exclusive: bool, owner: int, begin: int, bytes: int, timeout: float | None
) -> None: ...
def try_take_file_lock(fd: int, exclusive: bool, owner: int, begin: int, bytes: int) -> bool: ...
def release_file_lock(fd: int, owner: int, begin: int, bytes: int) -> None: ...
def file_lock_holder(
    fd: int, exclusive: bool, owner: int, begin: int, bytes: int
) -> tuple[bool, int, int, int] | None: ...

@final
class ReadGuard:
    """A ReadWriteLock held to read, until release() or the end of a `with`."""

    def release(self) -> None:
        """Gives it back now. Nothing to do where that was done."""
    @property
    def held(self) -> bool:
        """False after release()."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

@final
class WriteGuard:
    """A ReadWriteLock held to write, until release() or the end of a `with`."""

    def release(self) -> None:
        """Gives it back now. Nothing to do where that was done."""
    @property
    def held(self) -> bool:
        """False after release()."""
    @property
    def owner_died(self) -> bool:
        """True: the last writer died while he held it."""
    def _repaired(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class ReadWriteLock:
    """The compiled half of signalbox.ReadWriteLock."""

    def __init__(self, made: ReadWriteLock) -> None: ...
    def lock_to_read(self, timeout: float | None = None) -> ReadGuard:
        """Takes it together with others who read."""
    def try_lock_to_read(self) -> ReadGuard | None:
        """As lock_to_read(), but never sleeps. None: it is not free."""
    def _lock_to_write(self, timeout: float | None) -> WriteGuard: ...
    def _try_lock_to_write(self) -> WriteGuard | None: ...
    def close(self) -> None:
        """Closes this handle; what is held stays so."""
    @property
    def closed(self) -> bool:
        """True after close()."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...

def open_read_write_lock(name: str, domain: str | None) -> ReadWriteLock: ...

class Condition:
    """The compiled half of signalbox.Condition."""

    def __init__(self, made: Condition) -> None: ...
    def _wait(self, guard: MutexGuard, timeout: float | None) -> bool: ...
    def notify_one(self) -> None:
        """Wakes the one who has waited longest."""
    def notify_all(self) -> None:
        """Wakes all who wait."""
    def close(self) -> None:
        """Closes this handle; what is held stays so."""
    @property
    def closed(self) -> bool:
        """True after close()."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...

def open_condition(name: str, domain: str | None) -> Condition: ...
def run_signal_handlers() -> None: ...

class Barrier:
    """The compiled half of signalbox.Barrier."""

    def __init__(self, made: Barrier) -> None: ...
    def arrive_and_wait(self, timeout: float | None = None) -> None:
        """Arrives, and waits until all have."""
    def close(self) -> None:
        """Closes this handle; what is held stays so."""
    @property
    def closed(self) -> bool:
        """True after close()."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...

def open_barrier(name: str, parties: int, domain: str | None) -> Barrier: ...

class WaitSet:
    """The compiled half of signalbox.WaitSet."""

    def __init__(self, watches_max: int) -> None: ...
    def _watch_subscriber(self, subscriber: Subscriber, number: int, period: float) -> None: ...
    def _watch_mutex(self, mutex: Mutex, number: int, period: float) -> None: ...
    def _watch_semaphore(self, semaphore: Semaphore, number: int, period: float) -> None: ...
    def _watch_descriptor(self, fd: int, events: int, number: int, period: float) -> None: ...
    def _unwatch(self, number: int) -> None: ...
    def _wait(self, timeout: float | None) -> list[tuple[int, int]]: ...
    def wake(self) -> None:
        """Makes the wait() that sleeps, or else the next one, answer nothing at once."""
    def close(self) -> None:
        """Stops watching everything."""
    @property
    def closed(self) -> bool:
        """True after close()."""

def list_topics(domain: str | None) -> list[tuple[Any, ...]]:
    """The topics of a domain, as tuples. See signalbox.topics()."""

class TopicWatcher:
    """The compiled half of signalbox.TopicWatcher."""

    def __init__(self, topic: str | None, domain: str | None) -> None: ...
    def _take(self) -> tuple[Any, ...] | None: ...
    def _receive(self, timeout: float | None) -> tuple[Any, ...] | None: ...
    def wait(self, timeout: float | None = None) -> bool:
        """Sleeps until there is an event (True) or `timeout` seconds passed (False)."""
    def fileno(self) -> int:
        """Readable when an event may be there: for select, an event loop or a WaitSet."""
    def close(self) -> None:
        """Stops watching."""
    @property
    def topic(self) -> str | None:
        """The topic that is watched; None: all of the domain."""
    @property
    def closed(self) -> bool:
        """True after close()."""

def footprint(
    description: str,
    has_fixed_part: bool,
    depth: int,
    loans_max: int,
    held_max: int,
    tail_max: int,
    grown_tail_max: int,
    domain: str | None,
    when_behind: str,
    wake: bool,
    tier: str,
) -> list[int]:
    """The numbers of signalbox.Footprint."""

def footprint_table(numbers: Sequence[int]) -> str:
    """The sum as a table, a part a line."""
