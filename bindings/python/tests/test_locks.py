"""Mutex, Semaphore and FileLock: each promise that Python can break. Holders in other processes are
Python programs of our own, which are killed where that is the point."""

import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from observing import WATCHDOG_S, refused, run_python, start_python
from signalbox import (
    Barrier,
    Condition,
    FileLock,
    Mutex,
    ReadWriteLock,
    Semaphore,
    SignalboxTimeoutError,
    regardless,
)
from test_waiting import interrupt, signal_in, signal_to_another_thread

HOLD = """
import signalbox, sys
{taken}
print("held", flush=True)
sys.stdin.readline()
{given_back}
"""


@contextmanager
def holder(taken: str, given_back: str = "held.release()") -> Iterator[subprocess.Popen[str]]:
    """A process that holds what `taken` takes until it is told a line, or killed."""
    with start_python("-c", HOLD.format(taken=taken, given_back=given_back)) as child:
        assert child.stdout.readline() == "held\n", child.stderr.read()
        yield child


def kill(child: subprocess.Popen[str]) -> None:
    child.kill()
    assert child.wait(WATCHDOG_S) == -signal.SIGKILL


def tell(child: subprocess.Popen[str]) -> None:
    child.stdin.write("\n")
    child.stdin.flush()


def in_thread(call: Callable[[], object]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join(WATCHDOG_S)
    assert not thread.is_alive()


# ---- Mutex

LOCKS_ARM = "held = signalbox.Mutex('arm').lock(signalbox.regardless)"


def never() -> None:
    raise AssertionError("nobody died")


def test_with_gives_the_object_itself_and_closes_it() -> None:
    class Counted(Mutex):
        closes = 0

        def close(self) -> None:
            self.closes += 1
            super().close()

    counted = Counted("counted")
    for made in (
        counted,
        Semaphore("printers", 3),
        ReadWriteLock("table"),
        Condition("changed"),
        Barrier("start", 2),
    ):
        with pytest.raises(LookupError), made as inside:
            assert inside is made and not made.closed
            raise LookupError
        assert made.closed
    assert counted.closes == 1


def test_mutex_has_one_owner() -> None:
    with Mutex("arm") as mutex, mutex.lock(never) as held:
        assert held.held and not held.owner_died
        with refused("would_deadlock"):
            mutex.lock(never)
        with refused("would_deadlock"):
            mutex.try_lock(never)
        answers = []
        in_thread(lambda: answers.append(mutex.try_lock(never)))
        assert answers == [None]
        held.release()
        held.release()
        assert not held.held
        with mutex.try_lock(never) as again:
            assert again.held


def test_mutex_wait_times_out_and_is_woken_by_another_process() -> None:
    with Mutex("arm") as mutex, holder(LOCKS_ARM) as child:
        for timeout in (0, 0.02):
            with pytest.raises(SignalboxTimeoutError, match="arm"):
                mutex.lock(never, timeout)
        assert mutex.try_lock(never) is None
        waiter = threading.Timer(0.02, tell, (child,))
        waiter.start()
        with mutex.lock(never, timeout=WATCHDOG_S):
            waiter.join()


def test_next_owner_repairs_what_the_dead_left() -> None:
    repaired = []
    with Mutex("arm") as mutex:
        for _ in range(3):
            with holder(LOCKS_ARM) as child:
                kill(child)
                with mutex.lock(lambda: repaired.append(1), WATCHDOG_S) as held:
                    assert held.owner_died
            with mutex.lock(never) as held:
                assert not held.owner_died
    assert len(repaired) == 3


def test_waiter_is_told_of_a_death_that_it_waited_for() -> None:
    repaired = []
    with Mutex("arm") as mutex, holder(LOCKS_ARM) as child:
        death = threading.Timer(0.02, child.kill)
        death.start()
        with mutex.lock(lambda: repaired.append(1), WATCHDOG_S):
            assert repaired == [1]
        death.join()
        child.wait(WATCHDOG_S)


def test_repair_that_fails_leaves_the_news_to_the_next() -> None:
    def fail() -> None:
        raise LookupError("no backup")

    with Mutex("arm") as mutex, holder(LOCKS_ARM) as child:
        kill(child)
        for attempt in (mutex.lock, mutex.try_lock):
            with pytest.raises(LookupError, match="no backup"):
                attempt(fail)
        with mutex.lock(regardless, WATCHDOG_S) as held:
            assert held.owner_died


def test_repair_must_be_said() -> None:
    with Mutex("arm") as mutex:
        with pytest.raises(TypeError):
            mutex.lock()  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="regardless"):
            mutex.lock(None)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="regardless"):
            mutex.try_lock(1.0)  # type: ignore[arg-type]
        assert mutex.try_lock(never) is not None


def test_guard_belongs_to_its_thread_but_is_not_lost_with_it() -> None:
    with Mutex("arm") as mutex:
        held = mutex.lock(never)

        def release() -> None:
            with refused("bad_argument") as error:
                held.release()
            assert "another thread" in str(error.value)

        in_thread(release)
        assert held.held
        held.release()
        # What a thread forgets is given back, whoever forgets it last.
        kept = []
        in_thread(lambda: kept.append(mutex.lock(never)))
        assert mutex.try_lock(never) is None
        kept.clear()
        with mutex.lock(never, timeout=0):
            pass


def test_exception_in_the_section_gives_the_mutex_back() -> None:
    with Mutex("arm") as mutex:
        with pytest.raises(LookupError), mutex.lock(never):
            raise LookupError
        with mutex.lock(never, timeout=0) as held:
            assert not held.owner_died


def test_closed_mutex() -> None:
    mutex = Mutex("arm")
    held = mutex.lock(never)
    mutex.close()
    with refused("closed"):
        mutex.lock(never)
    with Mutex("arm") as again:
        with refused("would_deadlock"):
            again.lock(never)
        held.release()
        again.lock(never).release()


def test_users_must_agree() -> None:
    with Mutex("arm", first_come_first_served=True):
        with refused("type_mismatch"):
            Mutex("arm")
        with refused("type_mismatch"):
            Semaphore("arm", 3)
        with Mutex("arm", domain="elsewhere"):
            pass
    for name in ("no such name", "a\0b"):
        with refused("bad_name"):
            Mutex(name)


FORK = """
import os, signalbox
mutex = signalbox.Mutex("arm")
held = mutex.lock(signalbox.regardless)
child = os.fork()
if child == 0:
    try:
        mutex.try_lock(signalbox.regardless)
    except signalbox.SignalboxError as error:
        print(error.code, flush=True)
    held.release()
    print(signalbox.Mutex("arm").try_lock(signalbox.regardless), flush=True)
    os._exit(0)
os.waitpid(child, 0)
held.release()
print(mutex.try_lock(signalbox.regardless).held)
"""


def test_child_holds_nothing() -> None:
    assert run_python(FORK) == "wrong_process\nNone\nTrue\n"


# ---- Semaphore

TAKES_TWO = "printers = signalbox.Semaphore('printers', 3); held = [printers.acquire(), None]; "
TAKES_TWO += "held[1] = printers.try_acquire()"


def test_semaphore_units_of_the_dead_come_back() -> None:
    with Semaphore("printers", 3) as printers, holder(TAKES_TWO, "") as child:
        assert printers.value() == 1
        with printers.acquire() as permit:
            assert printers.try_acquire() is None
            assert printers.try_consume() is False
            assert printers.consume(0.01) is False
            with pytest.raises(SignalboxTimeoutError, match="printers"):
                printers.acquire(0.01)
            death = threading.Timer(0.02, child.kill)
            death.start()
            others = [printers.acquire(WATCHDOG_S), printers.acquire(WATCHDOG_S)]
            death.join()
            child.wait(WATCHDOG_S)
            assert printers.value() == 0
            assert permit.held
        for other in others:
            in_thread(other.release)
        assert printers.value() == 3


def test_semaphore_units_are_taken_away_and_brought() -> None:
    with Semaphore("printers", 3, units=1) as printers:
        assert printers.value() == 1
        permit = printers.acquire()
        permit.use_up()
        assert not permit.held
        with refused("bad_argument"):
            permit.use_up()
        permit.release()
        assert printers.value() == 0
        code = (
            "import signalbox, sys\n"
            "printers = signalbox.Semaphore('printers', 3)\n"
            "for line in sys.stdin:\n"
            "    printers.post()\n"
        )
        with start_python("-c", code) as child:
            for _ in range(50):
                tell(child)
                assert printers.consume(WATCHDOG_S) is True
        for _ in range(3):
            printers.post()
        with refused("out_of_range"):
            printers.post()
        printers.close()
        with refused("closed"):
            printers.acquire()


@pytest.mark.parametrize(
    "units", [(0, None), (4097, None), (-1, None), (3, 4), (3, -1), (3, 2**40)]
)
def test_semaphore_of_impossible_units(units: tuple[int, int | None]) -> None:
    with refused("bad_argument"):
        Semaphore("printers", units[0], units=units[1])


# ---- FileLock


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table"
    path.write_bytes(bytes(100))
    return path


def lock_of(path: Path) -> str:
    return f"file = open({str(path)!r}, 'r+b'); held = signalbox.FileLock(file)"


def test_file_lock_dies_with_its_holder(table: Path) -> None:
    with table.open("r+b") as file, holder(lock_of(table)) as child:
        assert FileLock.try_take(file) is None
        assert FileLock.try_take(file, shared=True) is None
        with pytest.raises(SignalboxTimeoutError):
            FileLock(file, timeout=0.02)
        with pytest.raises(SignalboxTimeoutError):
            FileLock(file, timeout=0)
        whose = FileLock.holder(file)
        assert whose is not None and not whose.shared
        death = threading.Timer(0.02, child.kill)
        death.start()
        with FileLock(file) as lock:
            assert lock.held
        death.join()
        child.wait(WATCHDOG_S)
        assert FileLock.holder(file) is None


@pytest.mark.parametrize("timeout", [None, WATCHDOG_S])
def test_file_lock_is_woken_by_another_process(table: Path, timeout: float | None) -> None:
    with table.open("r+b") as file, holder(lock_of(table)) as child:
        waiter = threading.Timer(0.02, tell, (child,))
        waiter.start()
        with FileLock(file, shared=True, timeout=timeout):
            waiter.join()


def test_file_lock_ranges_kinds_and_owners(table: Path) -> None:
    with table.open("r+b") as one, table.open("r+b") as two, table.open("rb") as reader:
        with FileLock(one, bytes=10) as head:
            assert FileLock.try_take(two, begin=9) is None
            with FileLock(two, begin=10, timeout=0):
                assert FileLock.holder(one, begin=50) == (False, 0, 10, 0)
            head.convert(shared=True)
            assert head.shared
            with FileLock(two.fileno(), shared=True, timeout=0):
                with pytest.raises(SignalboxTimeoutError):
                    head.convert(shared=False, timeout=0.01)
                assert head.shared and head.held
            with FileLock(one, owner="flock"), refused("bad_argument") as error:
                FileLock(two, owner="flock", begin=5)
            assert error.value.errno == errno.EINVAL
        assert not head.held
        with pytest.raises(ValueError, match="not held"):
            head.convert(shared=True)
        with refused("bad_argument") as error:
            FileLock(reader, timeout=0)
        assert error.value.errno == errno.EBADF
        with pytest.raises(ValueError, match="open_file"):
            FileLock(one, owner="me")  # type: ignore[arg-type]
        left = FileLock(one)
        one.close()
        left.release()
        FileLock(two, timeout=0).release()


def test_forked_child_does_not_release_its_parents_file_lock(table: Path) -> None:
    with table.open("r+b") as file, table.open("r+b") as other:
        lock = FileLock(file)
        child = os.fork()
        if child == 0:
            lock.release()
            os._exit(0)
        os.waitpid(child, 0)
        assert FileLock.try_take(other) is None
        lock.release()
        FileLock(other, timeout=0).release()


# ---- signals


def test_signal_handlers_run_during_a_wait() -> None:
    def refuse(*_: object) -> None:
        raise LookupError("from the handler")

    with Mutex("arm") as mutex, holder(LOCKS_ARM) as child:
        with pytest.raises(LookupError, match="from the handler"), signal_in(0.05, refuse):
            mutex.lock(never)
        with signal_in(0.05, lambda *_: tell(child)), mutex.lock(never, WATCHDOG_S):
            pass


def test_signal_that_interrupts_no_sleep_is_noticed(table: Path) -> None:
    def refuse(*_: object) -> None:
        raise LookupError("from the handler")

    with (
        Mutex("arm") as mutex,
        holder(LOCKS_ARM),
        table.open("r+b") as file,
        holder(lock_of(table)),
    ):
        for wait in (
            lambda: mutex.lock(never),
            lambda: mutex.lock(never, 3600),
            lambda: FileLock(file, timeout=3600),
        ):
            with pytest.raises(LookupError), signal_to_another_thread(refuse):
                wait()


WAITING_CHILD = """
import signalbox, sys
from signalbox import *
mutex = Mutex("arm")
printers = Semaphore("printers", 3)
file = open(sys.argv[1], "r+b")
print("waiting", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(
    "call",
    [
        "mutex.lock(regardless)",
        "mutex.lock(regardless, 3600)",
        "printers.acquire()",
        "printers.consume(3600)",
        "FileLock(file)",
        "FileLock(file, timeout=3600)",
    ],
)
def test_ctrl_c_ends_a_wait(call: str, table: Path) -> None:
    with (
        Mutex("arm") as mutex,
        Semaphore("printers", 3, units=0),
        table.open("r+b") as file,
        FileLock(file),
        mutex.lock(never),
        start_python("-c", WAITING_CHILD.format(call=call), str(table)) as child,
    ):
        assert interrupt(child) == "interrupted\n"
