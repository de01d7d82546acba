"""Sleeping without holding the GIL, signals during a sleep, and one thread at a time."""

import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import pytest
from observing import POSE, WATCHDOG_S, eventually, is_asleep, start_python
from signalbox import Publisher, SignalboxError, Subscriber, TopicWatcher


def test_wait_answers_whether_there_is_a_message() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        assert subscriber.wait(0) is False
        assert subscriber.wait(-1) is False
        before = time.monotonic()
        assert subscriber.wait(0.05) is False
        assert time.monotonic() - before >= 0.05
        publisher.send((1, 0))
        assert subscriber.wait(None) is True
        assert subscriber.wait(0) is True
        assert subscriber.take() is not None
        assert subscriber.wait(timeout=0) is False


@pytest.mark.parametrize("timeout", [float("nan"), "1"])
def test_timeout_must_be_a_number(timeout: object) -> None:
    with Subscriber("poses", POSE) as subscriber, pytest.raises((TypeError, ValueError)):
        subscriber.wait(timeout)


@pytest.mark.parametrize("timeout", [None, float("inf"), 1e300, 100])
def test_long_timeouts_wait_and_wake(timeout: float | None) -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        asleep = threading.Timer(0.02, publisher.send, ((1, 0),))
        asleep.start()
        assert subscriber.wait(timeout)
        asleep.join()


def test_receive_returns_the_message_or_none() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        assert subscriber.receive(0) is None
        assert subscriber.receive(timeout=0.01) is None
        publisher.send((5, 0))
        assert subscriber.receive().data["seq"] == 5


def test_other_threads_run_during_a_wait() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        counted = 0

        def count() -> None:
            nonlocal counted
            while counted < 200_000:
                counted += 1
            publisher.send((1, 0))

        thread = threading.Thread(target=count)
        thread.start()
        # It would never return if the counting thread could not run meanwhile.
        assert subscriber.wait(None)
        thread.join()
        assert counted == 200_000


def test_publisher_in_another_process_wakes_the_sleeper() -> None:
    code = (
        "import signalbox, sys\n"
        "poses = signalbox.Publisher('poses', [('seq', 'u8'), ('xyz', 'f8', 3)])\n"
        "for line in sys.stdin:\n"
        "    poses.send((int(line), 0))\n"
    )
    with Subscriber("poses", POSE, start="oldest") as subscriber, start_python("-c", code) as child:
        for seq in range(50):
            child.stdin.write(f"{seq}\n")
            child.stdin.flush()
            assert subscriber.receive(WATCHDOG_S).data["seq"] == seq


def test_descriptor_is_readable_when_there_is_a_message() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        descriptor = subscriber.fileno()
        assert subscriber.take() is None
        for seq in range(5):
            assert select.select([subscriber], [], [], 0)[0] == []
            publisher.send((seq, 0))
            assert select.select([subscriber], [], [], WATCHDOG_S)[0] == [subscriber]
            while subscriber.take() is not None:
                pass
            assert subscriber.fileno() == descriptor


# ---- signals


@contextmanager
def signal_in(seconds: float, handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Interrupts this thread's sleep. Not by SIGALRM, which is the watchdog's."""
    before = signal.signal(signal.SIGUSR1, handler)
    us = (threading.get_ident(), signal.SIGUSR1)
    timer = threading.Timer(seconds, signal.pthread_kill, us)
    timer.start()
    try:
        yield
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)


def test_a_loop_ends_when_a_signal_handler_closes_what_it_sleeps_on() -> None:
    for opened in (Subscriber("topic", POSE), TopicWatcher("another")):
        with opened, signal_in(0.05, lambda *_, opened=opened: opened.close()):
            assert list(opened) == []


@contextmanager
def signal_to_another_thread(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """A signal that interrupts no sleep of this thread, which has to run its handler all the same:
    as one does that comes just before the sleep. It is sent once this thread sleeps for good."""
    before = signal.signal(signal.SIGUSR1, handler)
    main = threading.main_thread().native_id
    assert main is not None
    looks: list[bool] = []

    def sleeps() -> bool:
        looks.append(is_asleep(main))
        return len(looks) >= 10 and all(looks[-10:])

    def send_to_ourselves() -> None:
        eventually(sleeps)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    thread = threading.Thread(target=send_to_ourselves)
    try:
        thread.start()
        yield
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)


def test_signal_handler_runs_and_the_wait_goes_on() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        with signal_in(0.05, lambda *_: publisher.send((1, 0))):
            assert subscriber.wait(WATCHDOG_S)
        ran = []
        subscriber.take()
        with signal_in(0.05, lambda *_: ran.append(1)):
            assert subscriber.wait(0.2) is False
        assert ran == [1]


def test_exception_of_a_signal_handler_ends_the_wait() -> None:
    def refuse(*_: object) -> None:
        raise LookupError("from the handler")

    with Subscriber("poses", POSE) as subscriber:
        with pytest.raises(LookupError, match="from the handler"), signal_in(0.05, refuse):
            subscriber.wait(None)
        assert subscriber.take() is None


def test_signal_handler_may_close_the_subscriber() -> None:
    with Subscriber("poses", POSE) as subscriber:
        with (
            signal_in(0.05, lambda *_: subscriber.close()),
            pytest.raises(SignalboxError) as refused,
        ):
            subscriber.wait(None)
        assert refused.value.code == "closed"


def test_signal_handler_runs_while_publish_waits() -> None:
    with (
        Publisher("poses", POSE, depth=1) as publisher,
        Subscriber("poses", POSE, reliable=True) as subscriber,
    ):
        publisher.send((0, 0))
        with signal_in(0.05, lambda *_: subscriber.take()):
            assert publisher.send((1, 0), timeout=None) == 1
        loan = publisher.loan()
        with (
            signal_in(0.05, lambda *_: publisher.close()),
            pytest.raises(SignalboxError) as refused,
        ):
            publisher.publish(loan, timeout=None)
        assert refused.value.code == "closed"


WAITING_CHILD = """
import signalbox
poses = signalbox.Subscriber("poses", [("seq", "u8"), ("xyz", "f8", 3)])
print("waiting", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", poses.take())
"""


def interrupt(child: subprocess.Popen[str]) -> str:
    assert child.stdout.readline() == "waiting\n"
    eventually(lambda: is_asleep(child.pid))
    child.send_signal(signal.SIGINT)
    output, errors = child.communicate(timeout=WATCHDOG_S)
    assert errors == ""
    return output


@pytest.mark.parametrize(
    "call", ["poses.wait(None)", "poses.wait(3600)", "poses.receive()", "list(poses)"]
)
def test_ctrl_c_ends_a_wait(call: str) -> None:
    with start_python("-c", WAITING_CHILD.format(call=call)) as child:
        assert interrupt(child) == "interrupted None\n"


def test_ctrl_c_ends_a_publish_that_waits() -> None:
    code = """
import signalbox
kind = [("seq", "u8"), ("xyz", "f8", 3)]
publisher = signalbox.Publisher("poses", kind, depth=1)
subscriber = signalbox.Subscriber("poses", kind, reliable=True)
publisher.send((0, 0))
print("waiting", flush=True)
try:
    publisher.send((1, 0), timeout=None)
except KeyboardInterrupt:
    subscriber.take()
    print("interrupted", publisher.send((1, 0)))
"""
    with start_python("-c", code) as child:
        assert interrupt(child) == "interrupted 1\n"


# ---- one thread at a time


def code_of(call: Callable[[], object]) -> str:
    try:
        call()
    except SignalboxError as error:
        return error.code
    return ""


def test_second_thread_on_a_waiting_subscriber_is_refused() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        woken = []
        thread = threading.Thread(target=lambda: woken.append(subscriber.wait(None)))
        thread.start()
        eventually(lambda: code_of(subscriber.take) == "in_use")
        for call in (
            subscriber.take_latest,
            subscriber.wait,
            subscriber.fileno,
            subscriber.close,
            lambda: subscriber.lost_count,
        ):
            # The sleeper takes a breath once a second, so one of these may just get its turn; all
            # but close() are harmless then, and close() would end the wait with an error.
            eventually(lambda call=call: code_of(call) == "in_use")
        with pytest.raises(SignalboxError, match="Open one for each thread"):
            subscriber.take()
        publisher.send((1, 0))
        thread.join()
        assert woken == [True]
        assert subscriber.take().data["seq"] == 1


def test_second_thread_on_a_waiting_publisher_is_refused() -> None:
    with (
        Publisher("poses", POSE, depth=1, loans_max=2) as publisher,
        Subscriber("poses", POSE, reliable=True) as subscriber,
    ):
        publisher.send((0, 0))
        other = publisher.loan()
        assert other.data["seq"].flags.writeable
        positions = []
        thread = threading.Thread(
            target=lambda: positions.append(publisher.send((1, 0), timeout=None))
        )
        thread.start()
        eventually(lambda: code_of(lambda: publisher.subscriber_count) == "in_use")
        # A loan that is forgotten meanwhile goes back after the other thread's call.
        del other
        assert subscriber.take().data["seq"] == 0
        thread.join()
        assert positions == [1]
        assert subscriber.take().data["seq"] == 1
        first, second = publisher.loan(), publisher.loan()
        first.drop()
        second.drop()


def test_handles_in_different_threads_do_not_disturb_each_other() -> None:
    received: list[list[int]] = [[], [], []]
    ready = threading.Barrier(len(received) + 1)

    def receive(found: list[int]) -> None:
        with Subscriber("poses", POSE, start="next", reliable=True) as subscriber:
            ready.wait(WATCHDOG_S)
            while len(found) < 500:
                found.append(int(subscriber.receive(WATCHDOG_S).data["seq"]))

    threads = [threading.Thread(target=receive, args=(found,)) for found in received]
    for thread in threads:
        thread.start()
    with Publisher("poses", POSE) as publisher:
        ready.wait(WATCHDOG_S)
        for seq in range(500):
            publisher.send((seq, 0), timeout=WATCHDOG_S)
        for thread in threads:
            thread.join()
    assert received == [list(range(500))] * 3
