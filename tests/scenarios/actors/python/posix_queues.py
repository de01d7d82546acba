"""POSIX message queues by signalbox.PosixQueue."""

import ctypes
import signal

from protocol import LIBC, Operation, Words, mode_of, named, ok, payload, seconds, taken, word_of
from signalbox import PosixQueue

NOTICE = signal.SIGRTMIN

posix_queues: dict[str, PosixQueue] = {}


def size_of(word: str) -> int:
    """A size of 0 means the machine's usual one to us and nonsense to the kernel: -1 is nonsense to
    both."""
    return int(word) or -1


def mq_create(words: Words) -> str:
    posix_queues[words[0]] = PosixQueue.create(
        words[1],
        messages_max=size_of(words[2]),
        message_bytes_max=size_of(words[3]),
        mode=mode_of(words, 4),
    )
    return ok()


def mq_open(words: Words) -> str:
    access = {"r": "receive", "w": "send"}[words[2]] if len(words) > 2 else "both"
    posix_queues[words[0]] = PosixQueue.open(words[1], access=access)
    return ok()


def mq_close(words: Words) -> str:
    posix_queues.pop(words[0]).close()
    return ok()


def mq_unlink(words: Words) -> str:
    PosixQueue.unlink(words[0])
    return ok()


def mq_send(words: Words) -> str:
    posix_queues[words[0]].send(payload(words[2]), int(words[1]))
    return ok()


def mq_timed_send(words: Words) -> str:
    posix_queues[words[0]].send(payload(words[3]), int(words[2]), timeout=seconds(words[1]))
    return ok()


def mq_try_send(words: Words) -> str:
    return taken(posix_queues[words[0]].try_send(payload(words[2]), int(words[1])), "EAGAIN")


def mq_receive(words: Words) -> str:
    message = posix_queues[words[0]].receive()
    return ok(message.priority, word_of(message.data))


def mq_timed_receive(words: Words) -> str:
    message = posix_queues[words[0]].receive(seconds(words[1]))
    return ok(message.priority, word_of(message.data)) if message else "ETIMEDOUT"


def mq_try_receive(words: Words) -> str:
    message = posix_queues[words[0]].try_receive()
    return ok(message.priority, word_of(message.data)) if message else "EAGAIN"


def mq_notify(words: Words) -> str:
    posix_queues[words[0]].notify_once(NOTICE, int(words[1]))
    return ok()


def mq_stop_notices(words: Words) -> str:
    posix_queues[words[0]].forget_notice()
    return ok()


class SignalInfo(ctypes.Structure):
    """siginfo_t of a queue's notice. Python's own sigtimedwait() leaves out the value."""

    _fields_ = [
        (name, ctypes.c_int)
        for name in ("signo", "errno", "code", "gap", "pid", "uid", "value", "rest")
    ] + [("more", ctypes.c_byte * 96)]


def mq_notice(_words: Words) -> str:
    info = SignalInfo()
    wanted = (ctypes.c_ulong * 16)(1 << (NOTICE - 1))
    at_once = (ctypes.c_long * 2)(0, 0)
    if LIBC.sigtimedwait(wanted, ctypes.byref(info), at_once) < 0:
        return named(ctypes.get_errno())
    return ok(info.value, info.pid, info.uid)


POSIX_QUEUES: dict[str, Operation] = {
    "mq_create": mq_create,
    "mq_open": mq_open,
    "mq_close": mq_close,
    "mq_unlink": mq_unlink,
    "mq_send": mq_send,
    "mq_timed_send": mq_timed_send,
    "mq_try_send": mq_try_send,
    "mq_receive": mq_receive,
    "mq_timed_receive": mq_timed_receive,
    "mq_try_receive": mq_try_receive,
    "mq_attributes": lambda words: ok(*posix_queues[words[0]].facts()),
    "mq_notify": mq_notify,
    "mq_stop_notices": mq_stop_notices,
    "mq_notice": mq_notice,
}
