"""Which topics there are and who is in them, and who comes, leaves and is killed. The others are
processes of their own; whoever waits here is woken by what they do."""

import asyncio
import gc
import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from observing import (
    FRAME,
    POSE,
    WATCHDOG_S,
    descriptor_count,
    eventually,
    refused,
    run_python,
    start_python,
)
from signalbox import (
    Events,
    Publisher,
    Subscriber,
    TopicEvent,
    TopicWatcher,
    WaitSet,
    describe,
    topics,
)
from test_waiting import code_of, interrupt, signal_in

# Publishes once, says so, and closes when its input ends.
OTHER = """
import sys, signalbox
kind = [("seq", "u8"), ("xyz", "f8", 3)]
with signalbox.Publisher("other", kind) as poses:
    poses.send((1, 0))
    print("there", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_publisher() -> Iterator[tuple[int, Callable[[], None]]]:
    """Its pid, and what kills it; it closes at the end of the block."""
    with start_python("-c", OTHER) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"

        def kill() -> None:
            child.kill()
            child.wait(WATCHDOG_S)

        yield child.pid, kill


def told(watcher: TopicWatcher, count: int) -> list[str]:
    """So many events, each of which wakes us."""
    lines = []
    for _ in range(count):
        event = watcher.receive(WATCHDOG_S)
        assert event is not None
        lines.append(f"{event.kind} {event.topic}")
    return lines


# ---- topics()


def test_nobody_there_is_an_empty_list() -> None:
    assert topics() == []
    assert topics("elsewhere") == []


def test_list_tells_what_the_pages_say() -> None:
    with (
        Publisher("a", FRAME, depth=4, tail_max=100, when_behind="drop_new") as publisher,
        Subscriber("a", FRAME, tail=True, reliable=True) as reliable,
        Subscriber("a", FRAME, tail=True),
        another_publisher() as (pid, _),
    ):
        for number in range(4):
            publisher.send((number, 0))
        with refused("would_block"):
            publisher.send((4, 0))
        held = reliable.take()
        first, second = topics()
        assert (first.name, first.type_name, first.error) == ("a", "an unnamed type", None)
        assert first.type_description == describe(FRAME, tail=True)
        (ours,) = first.publishers
        assert (ours.pid, ours.uid, ours.alive) == (os.getpid(), os.getuid(), True)
        assert ours.program.startswith("py") and ours.error is None
        assert (ours.depth, ours.tail_max, ours.published) == (4, 100, 4)
        assert (ours.dropped, ours.evicted) == (1, 0)
        assert ours.incarnation == held.publisher
        by_kind = {who.reliable: who for who in first.subscribers}
        assert (by_kind[True].lag, by_kind[True].held) == (3, 1)
        assert (by_kind[False].lag, by_kind[False].held) == (None, 0)
        assert second.name == "other"
        assert [who.pid for who in second.publishers] == [pid]
        assert second.publishers[0].published == 1


def test_list_tells_who_is_dead() -> None:
    with another_publisher() as (pid, kill):
        assert topics()[0].publishers[0].alive
        kill()
        (dead,) = topics()[0].publishers
        assert (dead.pid, dead.alive, dead.published) == (pid, False, 1)


def test_list_tells_what_is_damaged(domain_directory: Path) -> None:
    broken = domain_directory / "default" / "broken"
    broken.mkdir(parents=True)
    (broken / "topic").write_text("no topic at all")
    (topic,) = topics()
    assert (topic.name, topic.type_description, topic.publishers) == ("broken", "", [])
    assert topic.error is not None
    assert topic.error.code == "damaged" and "broken" in str(topic.error)


def test_names_are_checked() -> None:
    for name, code in (("no/domain", "bad_name"), ("a\0b", "bad_name")):
        with refused(code):
            topics(name)
        with refused(code):
            TopicWatcher(domain=name)
    for name in ("", "a\0b"):
        with refused("bad_name"):
            TopicWatcher(name)


# ---- TopicWatcher


def test_watcher_begins_with_who_is_there() -> None:
    with Publisher("a/b", POSE), TopicWatcher() as watcher:
        first, second = watcher.events(0)
        assert first == TopicEvent("topic_appeared", "a/b", 0, 0)
        assert second[:3] == ("publisher_joined", "a/b", os.getpid())
        assert second.incarnation == topics()[0].publishers[0].incarnation
        assert watcher.take() is None
        assert watcher.wait(0) is False
        assert watcher.receive(0.01) is None


def test_watcher_is_woken_by_who_comes_leaves_and_is_killed() -> None:
    with TopicWatcher() as watcher, TopicWatcher("alone") as of_one:
        with another_publisher() as (pid, _):
            assert told(watcher, 1) == ["topic_appeared other"]
            joined = watcher.receive(WATCHDOG_S)
            assert joined is not None
            assert joined.kind == "publisher_joined" and joined.pid == pid
        left = watcher.receive(WATCHDOG_S)
        assert left is not None
        assert left == joined._replace(kind="publisher_left")
        assert told(watcher, 1) == ["topic_vanished other"]
        with Subscriber("other", POSE):
            assert told(watcher, 2) == ["topic_appeared other", "subscriber_joined other"]
            with another_publisher() as (pid, kill):
                assert told(watcher, 1) == ["publisher_joined other"]
                kill()
                died = watcher.receive(WATCHDOG_S)
                assert died is not None
                assert (died.kind, died.topic, died.pid) == ("publisher_died", "other", pid)
        assert told(watcher, 2) == ["subscriber_left other", "topic_vanished other"]
        assert list(of_one.events(0)) == []
        with Publisher("alone", POSE):
            assert told(of_one, 2) == ["topic_appeared alone", "publisher_joined alone"]


def test_loop_over_a_watcher_ends_with_close() -> None:
    with Publisher("p", POSE):
        watcher = TopicWatcher()
        kinds = []
        for event in watcher:
            kinds.append(event.kind)
            if event.kind == "publisher_joined":
                watcher.close()
        assert kinds == ["topic_appeared", "publisher_joined"]
        assert list(watcher) == []
        for call in (watcher.take, watcher.wait, watcher.receive, watcher.fileno):
            with refused("closed"):
                call()
        assert watcher.closed and repr(watcher) == "<signalbox.TopicWatcher closed>"


def test_descriptor_is_for_every_loop() -> None:
    with TopicWatcher("p") as watcher, WaitSet() as set:
        set.watch(watcher, "changes")
        assert select.select([watcher], [], [], 0)[0] == []
        with Publisher("p", POSE):
            assert select.select([watcher], [], [], WATCHDOG_S)[0] == [watcher]
            assert set.wait(WATCHDOG_S) == [("changes", Events.READABLE)]
            assert len(list(watcher.events(0))) == 2


async def test_async_for_tells_who_comes_and_goes() -> None:
    with TopicWatcher() as watcher:

        async def come_and_go() -> None:
            with Publisher("p", POSE):
                await asyncio.sleep(0)
                # Until that was told: a publisher that came and went between two looks may not be.
                while len(kinds) < 2:
                    await asyncio.sleep(0.001)

        kinds: list[str] = []
        coming = asyncio.create_task(come_and_go())
        async with asyncio.timeout(WATCHDOG_S):
            async for event in watcher:
                kinds.append(event.kind)
                if event.kind == "topic_vanished":
                    break
        await coming
        assert kinds == ["topic_appeared", "publisher_joined", "publisher_left", "topic_vanished"]


async def test_close_ends_the_wait_of_a_task_and_a_second_task_is_refused() -> None:
    watcher = TopicWatcher("p")
    waiting = asyncio.create_task(watcher.receive_async())
    await asyncio.sleep(0)
    with refused("in_use") as error:
        await watcher.receive_async()
    assert "another task already waits on the topic watcher of topic 'p'" in str(error.value)
    watcher.close()
    with refused("closed"):
        await waiting
    assert [event async for event in watcher] == []


async def test_cancelled_wait_loses_nothing() -> None:
    with TopicWatcher("p") as watcher:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await watcher.receive_async()
        with Publisher("p", POSE):
            assert (await watcher.receive_async()).kind == "topic_appeared"


def test_other_threads_run_during_a_wait_and_are_refused() -> None:
    with TopicWatcher("p") as watcher:
        answers: list[TopicEvent | None] = []
        thread = threading.Thread(target=lambda: answers.append(watcher.receive()))
        thread.start()
        # Which keeps the interpreter's lock: the thread is never refused for the sake of this look.
        eventually(lambda: code_of(watcher.fileno) == "in_use")
        with Publisher("p", POSE):
            thread.join(WATCHDOG_S)
        assert answers[0] is not None and answers[0].kind == "topic_appeared"


def test_signal_handler_runs_and_may_close_the_watcher() -> None:
    with TopicWatcher("p") as watcher:
        ran = []
        with signal_in(0.05, lambda *_: ran.append(1)):
            assert watcher.wait(0.2) is False
        assert ran == [1]
        with signal_in(0.05, lambda *_: watcher.close()), refused("closed"):
            watcher.wait()


WAITING_CHILD = """
import signalbox
watcher = signalbox.TopicWatcher("p")
print("waiting", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", watcher.take())
"""


@pytest.mark.parametrize("call", ["watcher.wait()", "watcher.receive(3600)", "list(watcher)"])
def test_ctrl_c_ends_a_wait(call: str) -> None:
    with start_python("-c", WAITING_CHILD.format(call=call)) as child:
        assert interrupt(child) == "interrupted None\n"


def test_watcher_belongs_to_its_process() -> None:
    code = """
import os, signalbox
watcher = signalbox.TopicWatcher("p")
child = os.fork()
if child == 0:
    for call in (watcher.take, watcher.wait, watcher.receive, watcher.fileno):
        try:
            call()
        except signalbox.SignalboxError as error:
            print(error.code, flush=True)
    watcher.close()
    os._exit(0)
os.waitpid(child, 0)
with signalbox.Publisher("p", [("seq", "u8")]):
    print(watcher.receive(60).kind)
"""
    assert run_python(code).splitlines() == ["wrong_process"] * 4 + ["topic_appeared"]


def test_watchers_leave_no_descriptors() -> None:
    with Publisher("p", POSE):
        # The library keeps one instance of inotify for the next.
        TopicWatcher().close()
        gc.collect()  # what earlier tests left in cycles has descriptors, too
        before = descriptor_count()
        for _ in range(5):
            with TopicWatcher() as watcher:
                assert len(list(watcher.events(0))) == 2
        assert descriptor_count() == before
