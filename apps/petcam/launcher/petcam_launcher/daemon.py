"""One daemon as a child: its log with a prefix, started again when it dies."""

import asyncio
import contextlib
import ctypes
import functools
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from . import places

# Long enough for the page to say which daemon is missing, short enough to be well again soon.
PAUSE_FIRST = 1.0
PAUSE_MAX = 10.0
# A daemon that lived this long was well; its end is no reason for a longer pause.
WELL_AFTER = 3.0

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_the_launcher(launcher: int) -> None:
    """In the child: a launcher that is killed takes its daemons with it, also one that was killed
    before this could be asked for."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != launcher:
        os._exit(1)


def describe_end(code: int) -> str:
    """What an exit status means, for the log."""
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


@dataclass
class Daemon:
    """`fatal`: exit codes that starting it again cannot change, told on its first start only; later
    the same code may pass, as when the memory was full for a while."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    fatal: frozenset[int] = frozenset()
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _was_well: bool = False

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        alive = self.process is not None and self.process.returncode is None
        return self.process.pid if alive else None

    async def keep_running(self, give_up: Callable[[str, int], None]) -> None:
        """Runs it until stop(); calls give_up(name, exit code) when that is pointless."""
        pause = PAUSE_FIRST
        while not self._stop.is_set():
            started = time.monotonic()
            code = await self._run_once()
            if self._stop.is_set():
                return
            if time.monotonic() - started >= WELL_AFTER:
                self._was_well = True
                pause = PAUSE_FIRST
            if code in self.fatal and not self._was_well:
                give_up(self.name, code)
                return
            say("petcam", f"{self.name} {describe_end(code)}; starting it again in {pause:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
            pause = min(2 * pause, PAUSE_MAX)

    async def _run_once(self) -> int:
        read_end, write_end = os.pipe()
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            env=places.environment(self.environment),
            # Ctrl-C reaches the launcher alone, which stops its children in its own way.
            process_group=0,
            preexec_fn=functools.partial(die_with_the_launcher, os.getpid()),
            # When the launcher is killed, a daemon's last words must not kill it with SIGPIPE
            # before it has left its topics: it holds the other end itself, so its log has a reader.
            pass_fds=(read_end,),
        )
        os.close(write_end)
        self.starts += 1
        if self._stop.is_set():
            self.signal(signal.SIGTERM)  # asked to stop while it was being started
        await self._repeat_log(read_end)
        return await self.process.wait()

    async def _repeat_log(self, read_end: int) -> None:
        """Prints what the daemon says, until it has ended."""
        lines = asyncio.StreamReader()
        with os.fdopen(read_end, "rb", buffering=0) as pipe:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(lines), pipe
            )
            async for line in lines:
                say(self.name, line.decode(errors="replace").rstrip())
            transport.close()

    def signal(self, number: signal.Signals) -> None:
        """Sends it to the process, if there is one."""
        if self.pid is not None:
            self.process.send_signal(number)

    def stop(self) -> None:
        """Asks it to end, and not to be started again."""
        self._stop.set()
        self.signal(signal.SIGTERM)


def say(who: str, text: str) -> None:
    """One line of the log."""
    print(f"{who:8} | {text}", file=sys.stderr, flush=True)
