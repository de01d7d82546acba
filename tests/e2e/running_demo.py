"""`petcam demo` as a test sees it: a process with a URL, a log and a domain of topics."""

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PETCAM = REPOSITORY / "apps" / "petcam"

# A watchdog for what hangs, generous because it is no test of speed.
PATIENCE = 60.0
# The long form runs on a quiet machine; there, and only there, speed is judged too.
LONG = os.environ.get("PETCAM_LONG") == "1"


def tell_speed(what: str, seconds: float, seconds_max: float) -> None:
    """Prints how long something took; the bound holds in the long form only."""
    print(f"{what}: {seconds:.2f} s")
    assert not LONG or seconds <= seconds_max, f"{what}: {seconds:.2f} s > {seconds_max:g} s"


class Ends:
    """Waits for the ends of processes. Made while they run: later a number may be another's."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._watched = select.poll()
        self._running = {os.pidfd_open(pid) for pid in pids}
        for descriptor in self._running:
            self._watched.register(descriptor, select.POLLIN)  # readable once it has ended

    def all_came(self) -> bool:
        """Sleeps until the last has ended; False when that does not happen."""
        while self._running and (ready := self._watched.poll(PATIENCE * 1e3)):
            for descriptor, _ in ready:
                self._watched.unregister(descriptor)
                self._running.remove(descriptor)
                os.close(descriptor)
        return not self._running


class RunningDemo:
    """Starts the demo and waits for its URL; use it as `with`."""

    def __init__(self, *arguments: str, root: Path, environment: dict[str, str] | None = None):
        self.log: list[str] = []
        self._news = threading.Condition()
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, str(PETCAM / "petcam"), "demo", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"SIGNALBOX_DIR": str(root)} | (environment or {}),
        )
        self.root = root
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def __enter__(self) -> "RunningDemo":
        assert self.url.startswith("http"), f"the demo gave no URL; it said:\n{self.tail()}"
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])

    @property
    def domain(self) -> str:
        return f"petcam-{self.port}"

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log[-lines:])

    def stop(self, number: signal.Signals = signal.SIGINT) -> float:
        """Ends it as Ctrl-C does; answers how many seconds that took."""
        before = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(timeout=PATIENCE)
        taken = time.monotonic() - before
        self._reader.join(timeout=PATIENCE)
        return taken

    def children(self) -> dict[str, int]:
        """The daemons that run now, by name."""
        words = {
            "camera": "petcam-camera",
            "detector": "petcam_detector",
            "server": "petcam-server",
        }
        found = {}
        for file in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            try:
                pids = file.read_text().split()
            except OSError:  # a thread of the launcher has ended meanwhile
                continue
            for pid in pids:
                line = _command_line(int(pid))
                found |= {name: int(pid) for name, word in words.items() if word in line}
        return found

    def kill(self, name: str) -> float:
        """kill -9; answers when, on the monotonic clock."""
        os.kill(self.children()[name], signal.SIGKILL)
        return time.monotonic()

    def wait_for_line(self, pattern: str, after: int = 0) -> int:
        """Sleeps until the log has a line like this; answers the position behind it."""

        def position() -> int | None:
            for i, line in enumerate(self.log[after:], after):
                if re.search(pattern, line):
                    return i + 1
            return None

        return self._wait(position, f"a line like {pattern!r}")

    def _wait(self, found: Callable[[], int | None], what: str) -> int:
        end = time.monotonic() + PATIENCE
        with self._news:
            while (answer := found()) is None:
                left = end - time.monotonic()
                assert left > 0, f"no {what} within {PATIENCE:g} s; the log ends:\n{self.tail()}"
                self._news.wait(left)
        return answer

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.log.append(line.rstrip())
                self._news.notify_all()


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
