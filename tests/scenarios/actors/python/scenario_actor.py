"""The actor that uses the Python package: one operation a line, one answer for each (README.md).

In the main thread, where Python runs the handlers of signals, the package looks up from most waits
every second. Rows ask the kernel how many sleep on a semaphore, so what concerns sets is performed
in a thread of its own, where a wait is one sleep, but by an actor that handles signals.
"""

import ctypes
import os
import signal
import socket
import threading
from collections.abc import Callable
from queue import SimpleQueue

from posix_queues import NOTICE, POSIX_QUEUES
from posix_semaphores import POSIX_SEMAPHORES
from protocol import LIBC, Interrupted, Operation, Words, named, ok, told
from semaphore_sets import SEMAPHORE_SETS
from signalbox import SignalboxError
from sysv_queues import SYSV_QUEUES

LIFE_S_MAX = 600
PR_SET_PDEATHSIG = 1
CLONE_NEWIPC = 0x08000000


def become(words: Words) -> str:
    user = int(words[0])
    os.setresuid(user, user, user)
    return ok()


def umask(words: Words) -> str:
    os.umask(int(words[0], 8))
    return ok()


def new_ipc_name_space(_words: Words) -> str:
    return ok() if LIBC.unshare(CLONE_NEWIPC) == 0 else named(ctypes.get_errno())


SURROUNDINGS: dict[str, Operation] = {
    "become": become,
    "umask": umask,
    "new_ipc_name_space": new_ipc_name_space,
}


class Worker:
    """A thread that performs one operation after the other."""

    def __init__(self, perform: Callable[[str], str]) -> None:
        self._asked: SimpleQueue[str] = SimpleQueue()
        self._answered: SimpleQueue[str] = SimpleQueue()
        self._perform = perform
        threading.Thread(target=self._work, daemon=True).start()

    def ask(self, line: str) -> str:
        self._asked.put(line)
        return self._answered.get()

    def _work(self) -> None:
        while True:
            self._answered.put(self._perform(self._asked.get()))


class Actor:
    """Performs each line of its input."""

    def __init__(self) -> None:
        self._operations = SEMAPHORE_SETS | POSIX_SEMAPHORES | SYSV_QUEUES | POSIX_QUEUES
        self._operations |= SURROUNDINGS
        self._operations |= {"fork": self._fork, "handle": self._handle, "handled": self._handled}
        self._handled_count: dict[str, int] = {}
        self._is_performing = False
        # It comes with the first operation, which opens something, and takes over our name spaces.
        self._worker: Worker | None = None
        signal.alarm(LIFE_S_MAX)

    def run(self) -> None:
        while (line := self._line()) is not None:
            os.write(1, (self._answer(line) + "\n").encode())

    def _answer(self, line: str) -> str:
        if not line.startswith("set_") or self._handled_count:
            return self._perform(line)
        if self._worker is None:
            self._worker = Worker(self._perform)
        return self._worker.ask(line)

    def _line(self) -> str | None:
        """Reads byte for byte, so that nothing of the next line is taken: a forked child reads
        elsewhere."""
        line = b""
        while byte := os.read(0, 1):
            if byte == b"\n":
                return line.decode()
            line += byte
        return None

    def _perform(self, line: str) -> str:
        name, *words = line.split()
        if name not in self._operations:
            return "unoffered"
        self._is_performing = True
        try:
            return self._operations[name](words)
        except SignalboxError as error:
            return told(error)
        except Interrupted:
            return "EINTR"
        except Exception as error:
            return f"misread {error!r}"
        finally:
            self._is_performing = False

    def _handle(self, words: Words) -> str:
        """handle NAME [restart]: the handler raises, and so ends the wait; or it returns, and the
        wait goes on."""
        name, goes_on = words[0], "restart" in words

        def handler(_number: int, _frame: object) -> None:
            self._handled_count[name] += 1
            if self._is_performing and not goes_on:
                raise Interrupted

        self._handled_count[name] = 0
        signal.signal(getattr(signal, "SIG" + name), handler)
        return ok()

    def _handled(self, words: Words) -> str:
        return ok(self._handled_count[words[0]])

    def _fork(self, words: Words) -> str:
        """fork PATH: the child talks to whoever listens there, and tells who it is."""
        child = os.fork()
        if child != 0:
            return ok(child)
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(words[0])
        os.dup2(connection.fileno(), 0)
        os.dup2(connection.fileno(), 1)
        connection.close()
        signal.alarm(LIFE_S_MAX)
        if self._worker is not None:
            self._worker = Worker(self._perform)
        return ok(os.getpid())


if __name__ == "__main__":
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_BLOCK, {NOTICE})  # before the worker, which inherits it
    Actor().run()
