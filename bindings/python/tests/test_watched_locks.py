"""A WaitSet reports a Mutex or Semaphore exactly while taking it would succeed. Holders are Python
programs of our own, which release or are killed, and threads."""

import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from observing import WATCHDOG_S, descriptor_count, refused
from signalbox import Events, Mutex, Semaphore, WaitSet, regardless
from test_locks import LOCKS_ARM, TAKES_TWO, holder, in_thread, kill, never, tell

# Long enough to sleep, short enough to be waited out.
MOMENT_S = 0.005


@pytest.fixture
def sources() -> Iterator[WaitSet]:
    with WaitSet(8) as set:
        yield set


def woken(sources: WaitSet) -> list[tuple[object, Events]]:
    """What a wait answers that nothing else ends: in the main thread it would look up by itself."""
    answers: list[tuple[object, Events]] = []
    in_thread(lambda: answers.extend(sources.wait(WATCHDOG_S)))
    return answers


def test_readable_while_taking_it_would_succeed(sources: WaitSet) -> None:
    with Mutex("arm") as mutex, Semaphore("printers", 2) as printers:
        sources.watch(mutex, "arm")
        sources.watch(printers)
        for _ in range(2):  # a level: it is told until it is taken
            ready = dict(sources.wait(WATCHDOG_S))
            assert ready == {"arm": Events.READABLE, printers: Events.READABLE}
        with mutex.lock(never), printers.acquire():
            assert sources.wait(0) == [(printers, Events.READABLE)]
            with printers.acquire():
                assert printers.try_acquire() is None
                assert sources.wait(0) == []
                assert sources.wait(MOMENT_S) == []
            assert sources.wait(0) == [(printers, Events.READABLE)]
        assert len(sources.wait(WATCHDOG_S)) == 2


def test_woken_by_a_thread_that_releases(sources: WaitSet) -> None:
    with Semaphore("printers", 1) as printers:
        permit = printers.acquire()
        sources.watch(printers)
        release = threading.Timer(MOMENT_S, permit.release)
        release.start()
        assert woken(sources) == [(printers, Events.READABLE)]
        release.join()


def test_woken_by_a_process_that_releases(sources: WaitSet) -> None:
    with Mutex("arm") as mutex, Semaphore("printers", 1) as printers, printers.acquire():
        sources.watch(mutex)
        sources.watch(printers)
        with holder(LOCKS_ARM) as child:
            assert sources.wait(0) == []
            waiter = threading.Timer(MOMENT_S, tell, (child,))
            waiter.start()
            assert woken(sources) == [(mutex, Events.READABLE)]
            waiter.join()


def test_woken_by_a_death(sources: WaitSet) -> None:
    with Mutex("arm") as mutex, holder(LOCKS_ARM) as child:
        sources.watch(mutex)
        assert sources.wait(0) == []
        death = threading.Timer(MOMENT_S, child.kill)
        death.start()
        assert woken(sources) == [(mutex, Events.READABLE)]
        death.join()
        held = mutex.try_lock(regardless)
        assert held is not None and held.owner_died
        held.release()


def test_unit_of_the_dead_makes_a_semaphore_readable(sources: WaitSet) -> None:
    with (
        Semaphore("printers", 3) as printers,
        holder(TAKES_TWO, "") as child,
        printers.acquire(),
    ):
        sources.watch(printers)
        assert sources.wait(0) == []
        kill(child)
        assert woken(sources) == [(printers, Events.READABLE)]


def test_silent_when_the_last_handle_is_gone(sources: WaitSet) -> None:
    mutex, other, printers = Mutex("arm"), Mutex("arm"), Semaphore("printers", 1)
    sources.watch(mutex, "arm", period=MOMENT_S / 4)
    sources.watch(printers, "printers")
    mutex.close()
    printers.close()
    assert sources.wait(0) == [("arm", Events.READABLE)]  # `other` is the same lock
    other.close()
    assert sources.wait(0) == []
    assert sources.wait(MOMENT_S) == []
    for gone in (mutex, printers):
        with refused("closed"):
            sources.watch(gone)


def test_lock_that_is_never_free_for_a_period_is_told(sources: WaitSet) -> None:
    with Mutex("arm") as mutex, Semaphore("printers", 1) as printers:
        sources.watch(printers, "printers", period=MOMENT_S)
        with mutex.lock(never), printers.acquire():
            sources.watch(mutex, "arm", period=MOMENT_S)
            told: dict[object, Events] = {}
            while len(told) < 2:  # each is told once a period: one of them again, if we are late
                told.update(batch := sources.wait(WATCHDOG_S))
                assert batch
            assert told == dict.fromkeys(("arm", "printers"), Events.DEADLINE_MISSED)
        assert dict(sources.wait(0)) == dict.fromkeys(("arm", "printers"), Events.READABLE)
        with pytest.raises(ValueError):
            sources.watch(mutex, period=-1)


def test_nothing_is_left_of_a_watch(sources: WaitSet, domain_directory: Path) -> None:
    def files() -> list[Path]:
        return sorted(domain_directory.rglob("*"))

    def mappings() -> int:
        return Path("/proc/self/maps").read_text().count(str(domain_directory))

    with (
        Mutex("arm") as mutex,
        Semaphore("printers", 1) as printers,
        mutex.lock(never),
        printers.acquire(),
    ):
        gc.collect()  # what earlier tests left in cycles has descriptors, too
        before = files(), descriptor_count(), mappings()
        for _ in range(20):
            with sources.watch(mutex), sources.watch(printers):
                assert sources.wait(0) == []
                assert descriptor_count() == before[1] + 4
        with WaitSet() as another:
            another.watch(mutex)
            another.watch(printers)
        assert (files(), descriptor_count(), mappings()) == before
