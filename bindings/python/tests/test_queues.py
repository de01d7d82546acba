"""Message queues of the kernel, of both kinds; private, or named after the test's process."""

import os
import select
import signal
import threading
from collections.abc import Iterator

import pytest
from observing import WATCHDOG_S, eventually, refused, run_python, start_python
from signalbox import (
    PRIVATE_KEY,
    PosixQueue,
    SignalboxError,
    SignalboxTimeoutError,
    SysvMessage,
    SysvQueue,
)
from test_waiting import interrupt, signal_in, signal_to_another_thread

# ---- System V


@pytest.fixture
def sysv() -> Iterator[SysvQueue]:
    with SysvQueue.create(PRIVATE_KEY) as queue:
        yield queue
        try:
            queue.remove()
        except SignalboxError as error:
            assert error.code == "removed"


def test_messages_come_by_type(sysv: SysvQueue) -> None:
    for type, data in [(3, b"three"), (1, b"one"), (2, bytearray(b"two")), (3, b"")]:
        sysv.send(type, data)
    assert sysv.peek(1) == SysvMessage(1, b"one", False)
    assert sysv.peek(4) is None
    assert sysv.receive(up_to=2) == (1, b"one", False)
    assert sysv.receive(all_but=3).data == b"two"
    assert sysv.receive(only=3).data == b"three"
    assert sysv.receive() == (3, b"", False)
    assert sysv.try_receive() is None
    assert sysv.receive(timeout=0) is None
    assert sysv.receive(timeout=0.01) is None
    with refused("bad_argument"):
        sysv.receive(only=1, up_to=2)
    with refused("bad_argument"):
        sysv.receive(only=0)


def test_what_does_not_fit(sysv: SysvQueue) -> None:
    sysv.send(1, b"long message")
    with refused("too_large"):
        sysv.receive(room=4)
    assert sysv.try_receive(room=4, cut_off=True) == (1, b"long", True)
    with refused("too_large") as large:
        sysv.send(1, bytes(10**6))
    assert "msgmax" in str(large.value)
    with refused("bad_argument"):
        sysv.send(0, b"x")
    with pytest.raises(TypeError):
        sysv.send(1, "text")


def test_full_queue_makes_senders_wait(sysv: SysvQueue) -> None:
    sysv.set_capacity(8)
    assert sysv.try_send(1, b"12345678") is True
    assert sysv.try_send(1, b"9") is False
    with pytest.raises(SignalboxTimeoutError):
        sysv.send(1, b"9", timeout=0.01)
    sender = threading.Thread(target=sysv.send, args=(2, b"9"))
    sender.start()
    assert sysv.receive(only=1).data == b"12345678"
    assert sysv.receive(only=2, timeout=WATCHDOG_S).data == b"9"
    sender.join(WATCHDOG_S)
    facts = sysv.facts()
    assert (facts.messages, facts.bytes_max, facts.last_sender) == (0, 8, os.getpid())
    assert facts.access.mode == 0o600 and facts.id == sysv.id


def test_sysv_queue_between_processes() -> None:
    key = 0x5B200000 ^ os.getpid()
    with refused("not_found"):
        SysvQueue.open(key)
    with SysvQueue.create(key) as queue, SysvQueue.open_or_create(key) as same:
        code = "import signalbox, sys; signalbox.SysvQueue.open(int(sys.argv[1])).send(4, b'hello')"
        run_python(code, str(key))
        assert same.receive(timeout=WATCHDOG_S) == (4, b"hello", False)
        removed = []

        def receive() -> None:
            try:
                queue.receive()
            except SignalboxError as error:
                removed.append(error.code)

        waiting = threading.Thread(target=receive)
        waiting.start()
        SysvQueue.attach(queue.id).remove()
        waiting.join(WATCHDOG_S)
        assert removed == ["removed"]


# ---- POSIX


@pytest.fixture
def posix() -> Iterator[PosixQueue]:
    name = f"/sbx-python-{os.getpid()}"
    try:
        queue = PosixQueue.create(name, messages_max=2, message_bytes_max=16)
    except SignalboxError as error:
        if error.code == "not_supported":
            pytest.skip(str(error))
        raise
    with queue:
        yield queue
    PosixQueue.unlink(name)


def name_of(queue: PosixQueue) -> str:
    return repr(queue).split()[3].rstrip(">")


def test_urgent_messages_come_first(posix: PosixQueue) -> None:
    assert select.select([posix], [posix], [], 0) == ([], [posix], [])
    posix.send(b"low", 1)
    assert posix.try_send(b"high", priority=9) is True
    assert posix.try_send(b"no") is False
    assert select.select([posix], [posix], [], 0) == ([posix], [], [])
    with pytest.raises(SignalboxTimeoutError):
        posix.send(b"no", timeout=0.01)
    assert posix.facts() == (2, 16, 2)
    assert posix.receive() == (b"high", 9)
    assert posix.try_receive().priority == 1
    assert posix.try_receive() is None
    assert posix.receive(0) is None
    assert posix.receive(timeout=0.01) is None


def test_posix_queue_refuses_by_name(posix: PosixQueue) -> None:
    name = name_of(posix)
    with refused("already_exists"):
        PosixQueue.create(name)
    with refused("not_found"):
        PosixQueue.open(name + "-other")
    with refused("bad_name"):
        PosixQueue.open("jobs")
    with refused("bad_argument"):
        PosixQueue.open(name, access="all")
    with refused("too_large"):
        posix.send(bytes(17))
    with refused("bad_argument"):
        posix.send(b"x", 40000)
    with PosixQueue.open(name, access="send") as sender, refused("permission_denied"):
        sender.receive(0)


def test_notice_comes_once(posix: PosixQueue) -> None:
    told = []
    before = signal.signal(signal.SIGUSR2, lambda *_: told.append(1))
    try:
        posix.notify_once(signal.SIGUSR2)
        with refused("already_exists"):
            posix.notify_once(signal.SIGUSR2)
        posix.send(b"x")
        eventually(lambda: told == [1])
        posix.forget_notice()
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_posix_queue_between_processes(posix: PosixQueue) -> None:
    code = (
        "import signalbox, sys\n"
        "queue = signalbox.PosixQueue.open_or_create(sys.argv[1])\n"
        "for i in range(50):\n"
        "    queue.send(str(i).encode())\n"
    )
    with start_python("-c", code, name_of(posix)):
        assert [posix.receive(WATCHDOG_S).data for _ in range(50)] == [
            str(i).encode() for i in range(50)
        ]


def test_signal_handlers_run_during_a_wait(sysv: SysvQueue, posix: PosixQueue) -> None:
    with signal_in(0.05, lambda *_: sysv.send(1, b"from the handler")):
        assert sysv.receive().data == b"from the handler"
    with signal_in(0.05, lambda *_: posix.send(b"handler")):
        assert posix.receive(WATCHDOG_S).data == b"handler"


def test_signal_that_interrupts_no_nap_is_noticed() -> None:
    def refuse(*_: object) -> None:
        raise LookupError("from the handler")

    with SysvQueue.create(PRIVATE_KEY) as queue:
        with pytest.raises(LookupError), signal_to_another_thread(refuse):
            queue.receive(timeout=3600)
        queue.remove()


WAITING_CHILD = """
import os
from signalbox import *
sysv = SysvQueue.create(PRIVATE_KEY)
name = f"/sbx-python-child-{{os.getpid()}}"
posix = PosixQueue.create(name, messages_max=1, message_bytes_max=1)
PosixQueue.unlink(name)
posix.send(b"x")
print("waiting", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", sysv.facts().messages, posix.facts().messages)
finally:
    sysv.remove()
"""


@pytest.mark.parametrize(
    "call",
    [
        "sysv.receive()",
        "sysv.receive(timeout=3600)",
        "posix.send(b'x')",
        "posix.send(b'x', timeout=3600)",
        "posix.receive(), posix.receive()",
    ],
)
def test_ctrl_c_ends_a_wait(call: str, posix: PosixQueue) -> None:
    with start_python("-c", WAITING_CHILD.format(call=call)) as child:
        assert interrupt(child).startswith("interrupted 0 ")
