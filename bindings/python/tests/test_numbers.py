"""Numbers of Python's have no end: one that does not fit is refused by a text that names the
argument, its value and what would do, and never becomes another number."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from observing import POSE, refused
from signalbox import (
    PRIVATE_KEY,
    Barrier,
    FileLock,
    NamedSemaphore,
    PosixQueue,
    Publisher,
    Semaphore,
    SemaphoreSet,
    SemOp,
    SignalboxError,
    Subscriber,
    SysvQueue,
    WaitSet,
    sysv_key,
)

TOO_LARGE = 2**70


@pytest.fixture
def semaphores() -> Iterator[SemaphoreSet]:
    with SemaphoreSet.create(PRIVATE_KEY, [1]) as set:
        yield set
        set.remove()


@pytest.fixture
def queue() -> Iterator[SysvQueue]:
    with SysvQueue.create(PRIVATE_KEY) as queue:
        yield queue
        queue.remove()


def is_named(call: Callable[[Any], object], what: str, low: int, high: int, *wrong: int) -> None:
    """Whether the call refuses these numbers, one below, and one that no C type has room for."""
    for number in (*wrong, low - 1, TOO_LARGE, -TOO_LARGE):
        with pytest.raises(SignalboxError) as error:
            call(number)
        assert error.value.code in ("bad_argument", "out_of_range")
        assert str(error.value) == f"{what} is {number}. Use a number from {low} to {high}."


def test_of_locks() -> None:
    is_named(lambda n: Semaphore("s", n), "units_max", 1, 4096, 4097, 2**32 + 2, 2**40)
    is_named(lambda n: Semaphore("s", 3, units=n), "units", 0, 3, 4, 2**32 + 2)
    is_named(lambda n: Barrier("b", n), "parties", 1, 256, 257, 2**32 + 2, 2**40)
    is_named(WaitSet, "watches_max", 1, 65536, 65537, 2**32 + 2)


def test_of_file_locks(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+b") as file:
        for call in (FileLock, FileLock.try_take, FileLock.holder):
            is_named(lambda n, call=call: call(file, begin=n), "begin", 0, 2**63 - 1, 2**63)
            is_named(lambda n, call=call: call(file, bytes=n), "bytes", 0, 2**63 - 1, 2**64)


def test_of_semaphore_sets(semaphores: SemaphoreSet) -> None:
    make = SemaphoreSet.create
    is_named(lambda n: make(n, [1]), "key", -(2**31), 2**31 - 1, 2**31)
    is_named(lambda n: make(PRIVATE_KEY, [1, n]), "the count of a semaphore", 0, 65535, 65536)
    is_named(lambda n: make(PRIVATE_KEY, [1], mode=n), "mode", 0, 2**32 - 1, 2**32)
    is_named(lambda n: SemaphoreSet.open(1, n), "count", -(2**31), 2**31 - 1)
    is_named(SemaphoreSet.attach, "id", -(2**31), 2**31 - 1)
    is_named(semaphores.value, "the index of a semaphore", 0, 65535, 65536)
    is_named(lambda n: semaphores.set_value(0, n), "the count of a semaphore", -(2**31), 2**31 - 1)
    is_named(
        lambda n: semaphores.apply(SemOp(0, n)), "the delta of an operation", -(2**15), 2**15 - 1
    )
    is_named(semaphores.set_mode, "mode", 0, 2**32 - 1)
    is_named(lambda n: sysv_key("/", n), "the project's number", 0, 255, 256)
    assert semaphores.values() == [1]


def test_of_named_semaphores() -> None:
    make = NamedSemaphore.create
    name = f"/sbx-test-{os.getpid()}"
    is_named(lambda n: make(name, n), "the count of a semaphore", 0, 2**32 - 1, 2**32)
    is_named(lambda n: make(name, 1, mode=n), "mode", 0, 2**32 - 1)
    with refused("not_found"):
        NamedSemaphore.open(name)


def test_of_system_v_queues(queue: SysvQueue) -> None:
    is_named(SysvQueue.create, "key", -(2**31), 2**31 - 1)
    is_named(SysvQueue.attach, "id", -(2**31), 2**31 - 1)
    is_named(lambda n: queue.send(n, b""), "type", 1, 2**63 - 1, 2**63)
    is_named(lambda n: queue.try_receive(up_to=n), "type", 1, 2**63 - 1)
    is_named(lambda n: queue.receive(room=n), "room", 0, 2**63 - 1)
    is_named(queue.peek, "place", 0, 2**64 - 1, 2**64)
    is_named(queue.set_capacity, "bytes", 0, 2**64 - 1)
    is_named(queue.set_mode, "mode", 0, 2**32 - 1)


def test_of_posix_queues() -> None:
    name = f"/sbx-test-{os.getpid()}"
    try:
        queue = PosixQueue.create(name)
    except SignalboxError as error:
        if error.code == "not_supported":
            pytest.skip(str(error))
        raise
    with queue:
        PosixQueue.unlink(name)
        is_named(lambda n: queue.send(b"", n), "priority", 0, 32767, 32768)
        is_named(lambda n: queue.try_send(b"", n), "priority", 0, 32767)
        is_named(queue.notify_once, "signal", -(2**31), 2**31 - 1)
        assert queue.facts().messages == 0
    make = PosixQueue.create
    is_named(lambda n: make(name, messages_max=n), "messages_max", 0, 2**63 - 1)
    is_named(lambda n: make(name, message_bytes_max=n), "message_bytes_max", 0, 2**63 - 1)


def test_of_topics() -> None:
    for option in ("depth", "loans_max", "held_max"):
        is_named(
            lambda n, option=option: Publisher("p", POSE, **{option: n}),
            f"topic 'p': {option}",
            0,
            2**32 - 1,
            2**32,
        )
    is_named(lambda n: Subscriber("p", POSE, spin_max_ns=n), "spin_max_ns", 0, 2**63 - 1)
    with Publisher("p", POSE) as publisher, Subscriber("p", POSE) as poses:
        is_named(publisher.loan, "topic 'p': tail_bytes", 0, 2**64 - 1)
        is_named(publisher.loan_batch, "topic 'p': count", 0, 2**32 - 1)
        is_named(poses.take_batch, "room", 0, 2**63 - 1)


def test_an_index_of_numpy_is_a_number() -> None:
    with Semaphore("s", np.int64(3), units=np.uint8(2)) as semaphore:
        assert semaphore.value() == 2
    with pytest.raises(TypeError):
        Semaphore("s", 1.5)
