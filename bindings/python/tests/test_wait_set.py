"""Wait sets: topics and descriptors in one sleep, keys, periods, waking, threads, Ctrl-C."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from observing import POSE, WATCHDOG_S, eventually, refused, start_python
from signalbox import (
    PRIVATE_KEY,
    Barrier,
    Condition,
    Events,
    FileLock,
    NamedSemaphore,
    Publisher,
    ReadWriteLock,
    SemaphoreSet,
    Subscriber,
    SysvQueue,
    WaitSet,
)
from test_waiting import code_of, interrupt, signal_in


@pytest.fixture
def sources() -> Iterator[WaitSet]:
    with WaitSet(8) as set:
        yield set


def test_topics_and_descriptors_in_one_sleep(sources: WaitSet) -> None:
    left, right = socket.socketpair()
    with left, right, Publisher("p", POSE) as publisher, Subscriber("p", POSE) as poses:
        sources.watch(poses)
        assert sources.wait(0) == []
        publisher.send((1, 0))
        assert sources.wait() == [(poses, Events.READABLE)]
        sources.watch(left, "left")
        right.send(b"x")
        assert sorted(map(str, (key for key, _ in sources.wait()))) == sorted([str(poses), "left"])
        # What is drained is told no more.
        poses.take()
        assert sources.wait() == [("left", Events.READABLE)]
        right.close()
        left.recv(1)
        ((key, events),) = sources.wait()
        assert key == "left" and Events.HUNG_UP in events


def test_loop_over_what_is_ready(sources: WaitSet) -> None:
    with Publisher("p", POSE) as publisher, Subscriber("p", POSE) as poses:
        sources.watch(poses, {"any": "object"})
        publisher.send((7, 0))
        for key, events in sources.wait(WATCHDOG_S):
            assert key == {"any": "object"} and events is Events.READABLE
            assert poses.take().data["seq"] == 7
        assert sources.wait(0) == []


def test_watch_ends(sources: WaitSet) -> None:
    read, write = os.pipe()
    os.write(write, b"x")
    with sources.watch(read, "pipe") as watch:
        assert watch.key == "pipe"
        assert sources.wait(0) == [("pipe", Events.READABLE)]
        with refused("already_exists"):
            sources.watch(read)
    assert sources.wait(0) == []
    watch.end()
    sources.watch(write, 0, events=Events.WRITABLE)
    assert sources.wait(0) == [(0, Events.WRITABLE)]
    sources.close()
    watch.end()
    with refused("closed"):
        sources.wait(0)
    os.close(read)
    os.close(write)


def test_quiet_source_is_told(sources: WaitSet) -> None:
    read, write = os.pipe()
    sources.watch(read, "quiet", period=0.005)
    assert sources.wait(WATCHDOG_S) == [("quiet", Events.DEADLINE_MISSED)]
    with pytest.raises(ValueError):
        sources.watch(write, period=-1)
    sources.close()
    os.close(read)
    os.close(write)


def test_subscriber_that_closes_is_silent(sources: WaitSet) -> None:
    with Publisher("p", POSE) as publisher:
        with Subscriber("p", POSE) as poses:
            sources.watch(poses)
            publisher.send((1, 0))
            assert len(sources.wait(0)) == 1
        assert sources.wait(0) == []
        with refused("closed"):
            sources.watch(poses)


def test_limits_are_named(sources: WaitSet) -> None:
    for wrong in (0, -1, 70000, 2**40):
        with refused("bad_argument"):
            WaitSet(wrong)
    with WaitSet(1) as small, Subscriber("p", POSE) as poses, Subscriber("p", POSE) as other:
        small.watch(poses)
        with refused("limit_reached"):
            small.watch(other)
        with refused("already_exists"):
            sources.watch(poses)
    with Path(__file__).open() as file, refused("not_supported"):
        sources.watch(file)


def test_what_cannot_be_watched_says_what_to_do_instead(sources: WaitSet) -> None:
    name = f"/sbx-test-{os.getpid()}"
    with (
        SemaphoreSet.create(PRIVATE_KEY, [1]) as set,
        SysvQueue.create(PRIVATE_KEY) as queue,
        NamedSemaphore.create(name, 1) as named,
        Path(__file__).open("r+b") as file,
        FileLock(file, shared=True) as file_lock,
        ReadWriteLock("lock") as lock,
        Condition("condition") as condition,
        Barrier("barrier", 2) as barrier,
        Publisher("p", POSE) as publisher,
    ):
        NamedSemaphore.unlink(name)
        for source, says in (
            (set, "cannot watch a semaphore set: use a Semaphore"),
            (named, "cannot watch a POSIX semaphore: use a Semaphore"),
            (queue, "cannot watch a System V queue: use a PosixQueue"),
            (file_lock, "cannot watch a file lock"),
            (lock, "cannot watch a read/write lock: it depends on what for"),
            (condition, "cannot watch a condition: what it tells is only true under the mutex"),
            (barrier, "cannot watch a barrier"),
            (publisher, "cannot watch a publisher: nothing arrives there; watch a Subscriber"),
        ):
            with refused("not_supported") as error:
                sources.watch(source)
            assert str(error.value).startswith(says)
        set.remove()
        queue.remove()
    assert sources.wait(0) == []


@pytest.mark.parametrize("source", [None, "topic", 1.5, True, object()])
def test_what_is_no_source_is_a_type_error(sources: WaitSet, source: object) -> None:
    with pytest.raises(TypeError, match=r"cannot watch .*: a source is a Subscriber, Mutex or"):
        sources.watch(source)


def test_waking_from_another_thread(sources: WaitSet) -> None:
    with Subscriber("p", POSE) as poses:
        sources.watch(poses)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(sources.wait()))
        thread.start()
        # The set looks at its topics meanwhile. (A wait of ours could be the one that waits.)
        eventually(lambda: code_of(poses.take) == "in_use")
        assert code_of(lambda: sources.wait(0)) == "in_use"
        assert code_of(sources.close) == "in_use"
        sources.wake()
        thread.join(WATCHDOG_S)
        assert answers == [[]]
        # A wake() before the wait is not lost.
        sources.wake()
        assert sources.wait() == []


def test_signal_handlers_run_during_a_wait(sources: WaitSet) -> None:
    with Publisher("p", POSE) as publisher, Subscriber("p", POSE) as poses:
        sources.watch(poses)
        with signal_in(0.05, lambda *_: publisher.send((1, 0))):
            assert sources.wait(WATCHDOG_S) == [(poses, Events.READABLE)]
        poses.take()
        with signal_in(0.05, lambda *_: sources.wake()):
            assert sources.wait() == []


def test_set_belongs_to_its_process(sources: WaitSet) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0 if code_of(lambda: sources.wait(0)) == "wrong_process" else 1)
    assert os.waitpid(child, 0)[1] == 0


WAITING_CHILD = """
import os, signalbox
set = signalbox.WaitSet()
poses = signalbox.Subscriber("poses", [("seq", "u8"), ("xyz", "f8", 3)])
set.watch(poses)
{more}
print("waiting", flush=True)
try:
    set.wait()
except KeyboardInterrupt:
    print("interrupted", set.wait(0))
"""


@pytest.mark.parametrize("more", ["", "set.watch(os.pipe()[0])"])
def test_ctrl_c_ends_a_wait(more: str) -> None:
    with start_python("-c", WAITING_CHILD.format(more=more)) as child:
        assert interrupt(child) == "interrupted []\n"
