"""ReadWriteLock, Condition and Barrier: each promise that Python can break. Other processes are
Python programs of our own, which are killed where that is the point."""

import select
import threading
from collections.abc import Callable

import pytest
from observing import WATCHDOG_S, eventually, is_asleep, refused, start_python
from signalbox import (
    Barrier,
    Condition,
    Mutex,
    ReadWriteLock,
    SignalboxError,
    SignalboxTimeoutError,
    regardless,
)
from test_locks import LOCKS_ARM, holder, in_thread, kill, never, tell
from test_waiting import interrupt, signal_in

READS = "held = signalbox.ReadWriteLock('table').lock_to_read()"
WRITES = "held = signalbox.ReadWriteLock('table').lock_to_write(signalbox.regardless)"


# ---- ReadWriteLock


def test_many_read_or_one_writes() -> None:
    with ReadWriteLock("table") as lock:
        with lock.lock_to_read() as first, lock.lock_to_read() as second:
            assert first.held and second.held
            with refused("would_deadlock"):
                lock.lock_to_write(never)
            answers: list[object] = []
            in_thread(lambda: answers.append(lock.try_lock_to_write(never)))
            assert answers == [None]
            in_thread(lambda: answers.append(lock.try_lock_to_read() is not None))
            assert answers == [None, True]
        with lock.lock_to_write(never) as writing:
            assert writing.held and not writing.owner_died
            with refused("would_deadlock"):
                lock.try_lock_to_read()
            in_thread(lambda: answers.append(lock.try_lock_to_read()))
            assert answers == [None, True, None]
        writing.release()
        with lock.try_lock_to_write(never) as again:
            assert again.held


def test_read_write_waits_time_out_and_are_woken_by_another_process() -> None:
    with ReadWriteLock("table") as lock, holder(WRITES) as child:
        with pytest.raises(SignalboxTimeoutError, match="table"):
            lock.lock_to_read(0.01)
        with pytest.raises(SignalboxTimeoutError, match="table"):
            lock.lock_to_write(never, timeout=0)
        waiter = threading.Timer(0.02, tell, (child,))
        waiter.start()
        with lock.lock_to_read(WATCHDOG_S):
            waiter.join()
    with ReadWriteLock("table") as lock, holder(READS) as child:
        with lock.lock_to_read(0):
            pass
        waiter = threading.Timer(0.02, tell, (child,))
        waiter.start()
        with lock.lock_to_write(never, WATCHDOG_S):
            waiter.join()


def test_next_writer_repairs_what_a_dead_one_left() -> None:
    repaired = []

    def fail() -> None:
        raise LookupError("no backup")

    with ReadWriteLock("table") as lock:
        with holder(READS) as child:
            kill(child)
        lock.lock_to_write(never, WATCHDOG_S).release()
        with holder(WRITES) as child:
            kill(child)
        lock.lock_to_read(WATCHDOG_S).release()
        for attempt in (lock.lock_to_write, lock.try_lock_to_write):
            with pytest.raises(LookupError, match="no backup"):
                attempt(fail)
        with lock.lock_to_write(lambda: repaired.append(1), WATCHDOG_S) as held:
            assert held.owner_died and repaired == [1]
        lock.lock_to_write(never).release()
        with pytest.raises(TypeError, match="regardless"):
            lock.lock_to_write(None)  # type: ignore[arg-type]


# ---- Condition

NOTIFIES = """
import signalbox, sys
mutex, changed = signalbox.Mutex("arm"), signalbox.Condition("changed")
print("held", flush=True)
for line in sys.stdin:
    # It can be had only when the other waits.
    with mutex.lock(signalbox.regardless):
        changed.notify_one()
        print("notified", flush=True)
"""


@pytest.mark.parametrize("thread", [in_thread, lambda call: call()], ids=["thread", "main"])
def test_notification_of_another_process_wakes_who_waits(
    thread: Callable[[Callable[[], None]], None],
) -> None:
    def wait() -> None:
        with (
            Mutex("arm") as mutex,
            Condition("changed") as changed,
            start_python("-c", NOTIFIES) as child,
        ):
            assert child.stdout.readline() == "held\n"
            with mutex.lock(never) as held:
                for _ in range(20):
                    tell(child)
                    # A wait in the main thread ends for nothing once a second.
                    while not select.select([child.stdout], [], [], 0)[0]:
                        changed.wait(held, never, WATCHDOG_S)
                    assert held.held and not held.owner_died
                    assert child.stdout.readline() == "notified\n"

    thread(wait)


def test_predicate_is_waited_for() -> None:
    with Mutex("arm") as mutex, Condition("changed") as changed:
        queue: list[int] = []

        def put() -> None:
            with mutex.lock(never):
                queue.append(1)
                changed.notify_all()

        with mutex.lock(never) as held:
            assert changed.wait_for(held, lambda: queue, never, 0.02) is False
            assert held.held
            putter = threading.Timer(0.02, put)
            putter.start()
            assert changed.wait_for(held, lambda: queue, never) is True
            assert changed.wait_for(held, lambda: queue, never, 0) is True
            putter.join()


DIES_HOLDING = f"""
import os, signalbox
{LOCKS_ARM}
signalbox.Condition("changed").notify_all()
os.kill(os.getpid(), 9)
"""


def test_death_while_one_waits_for_a_condition() -> None:
    repaired = []
    with (
        Mutex("arm") as mutex,
        Condition("changed") as changed,
        mutex.lock(never) as held,
        start_python("-c", DIES_HOLDING) as child,
    ):
        assert changed.wait_for(held, lambda: repaired, lambda: repaired.append(1), WATCHDOG_S)
        assert held.held and held.owner_died
        child.wait(WATCHDOG_S)


def test_wait_needs_the_mutex() -> None:
    with Mutex("arm") as mutex, Condition("changed") as changed:
        held = mutex.lock(never)

        def wait() -> None:
            with refused("bad_argument"):
                changed.wait(held, never, 0)

        in_thread(wait)
        assert held.held
        held.release()
        wait()
        with pytest.raises(TypeError, match="regardless"):
            changed.wait(held, None)  # type: ignore[arg-type]
    with refused("closed"):
        changed.notify_one()


def test_signal_handlers_run_in_a_wait_for_a_condition() -> None:
    def refuse(*_: object) -> None:
        raise LookupError("from the handler")

    with Mutex("arm") as mutex, Condition("changed") as changed:
        with (
            pytest.raises(LookupError, match="from the handler"),
            signal_in(0.05, refuse),
            mutex.lock(never) as held,
        ):
            try:
                changed.wait_for(held, lambda: False, never)
            finally:
                assert held.held
        mutex.lock(never, timeout=0).release()


# ---- Barrier

MEETS = """
import signalbox
barrier = signalbox.Barrier("start", 2)
print("held", flush=True)
for _ in range(20):
    barrier.arrive_and_wait()
print("met", flush=True)
"""


def test_parties_of_two_processes_meet() -> None:
    with Barrier("start", 2) as barrier:
        with pytest.raises(SignalboxTimeoutError, match="start"):
            barrier.arrive_and_wait(0.01)
        with start_python("-c", MEETS) as child:
            for _ in range(20):
                barrier.arrive_and_wait(WATCHDOG_S)
            assert child.stdout.read() == "held\nmet\n"
        with refused("type_mismatch"):
            Barrier("start", 3)
    for parties in (0, 257, -1, 2**40):
        with refused("bad_argument"):
            Barrier("other", parties)
    with refused("closed"):
        barrier.arrive_and_wait()


def test_who_waits_is_told_of_a_death() -> None:
    code = MEETS.replace('"start", 2', '"start", 3')
    codes: list[str] = []

    def meet() -> None:
        try:
            barrier.arrive_and_wait(5)
        except SignalboxError as error:
            codes.append(error.code)

    def both_sleep(pid: int, thread: int) -> Callable[[], bool]:
        return lambda: is_asleep(pid) and is_asleep(thread)

    with Barrier("start", 3) as barrier:
        # Should the thread have slept elsewhere when the other was killed, it was not there with
        # it: once more.
        while codes in ([], ["timed_out"]):
            codes.clear()
            with start_python("-c", code) as child:
                assert child.stdout.readline() == "held\n"
                thread = threading.Thread(target=meet)
                thread.start()
                eventually(both_sleep(child.pid, thread.native_id or 0))
                kill(child)
                thread.join(WATCHDOG_S)
    assert codes == ["abandoned"]


WAITING_CHILD = """
import signalbox
from signalbox import *
lock = ReadWriteLock("table")
changed = Condition("changed")
other = Mutex("other")
barrier = Barrier("start", 2)
print("waiting", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(
    "call",
    [
        "lock.lock_to_read()",
        "lock.lock_to_write(regardless, 3600)",
        "barrier.arrive_and_wait()",
        "changed.wait_for(other.lock(regardless), lambda: False, regardless)",
    ],
)
def test_ctrl_c_ends_a_wait(call: str) -> None:
    with (
        ReadWriteLock("table") as lock,
        lock.lock_to_write(regardless),
        start_python("-c", WAITING_CHILD.format(call=call)) as child,
    ):
        assert interrupt(child) == "interrupted\n"
