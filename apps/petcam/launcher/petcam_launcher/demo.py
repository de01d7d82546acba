"""petcam demo: three daemons, one URL, and nothing left behind."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import places
from .daemon import Daemon, say

# The exit codes of the daemons, which are the demo's own too.
OK = 0
CONFIGURATION = 3
TOPIC = 4
PORT_BUSY = 5
STATE_DIR = 6

# Daemons that have not ended after so long are killed, and the demo must be over after 2 s.
STOP_SECONDS = 1.2
ANSWER_SECONDS = 30.0


class DemoError(Exception):
    """Why the demo cannot start, with its exit code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Options:
    """What the command line and petcam.yaml say, as far as the launcher cares."""

    port: int = 8088
    host: str = "127.0.0.1"
    config: Path | None = None
    camera: list[str] = field(default_factory=list)
    detector: list[str] = field(default_factory=list)
    domain: str = ""
    state_dir: Path | None = None
    synthetic: bool = True


class Demo:
    """The children and what belongs to them. Use it as `async with`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.started = process_start()
        self.ended = asyncio.Event()
        self.code = OK
        self._domain = options.domain or os.environ.get("SIGNALBOX_DOMAIN", "")
        self._state_dir: Path | None = None
        self._tasks: list[asyncio.Task] = []
        self.daemons: list[Daemon] = []
        self.swept: list[str] = []  # what the daemons left and the launcher removed

    async def __aenter__(self) -> "Demo":
        options = self.options
        camera, server = places.program("petcam-camera"), places.program("petcam-server")
        options.port = claim_port(options.host, options.port)
        # A domain of its own, so that demos on different ports do not see each other.
        self._domain = self._domain or f"petcam-{options.port}"
        # Some of our own reading goes through Signalbox too.
        os.environ["SIGNALBOX_DOMAIN"] = self._domain
        if options.state_dir is None:
            self._state_dir = Path(tempfile.mkdtemp(prefix="petcam-"))
        self.daemons = self._make_daemons(camera, server, options.state_dir or self._state_dir)
        self._tasks = [
            asyncio.create_task(daemon.keep_running(self._give_up)) for daemon in self.daemons
        ]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        for daemon in self.daemons:
            daemon.stop()
        _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for daemon in self.daemons:
            if daemon.pid is not None:
                say("petcam", f"{daemon.name} did not stop in {STOP_SECONDS:g} s and is killed")
                daemon.signal(signal.SIGKILL)
        if late:
            _, stuck = await asyncio.wait(late, timeout=STOP_SECONDS / 2)
            for task in stuck:
                task.cancel()
        # Daemons that stop in good order leave nothing to sweep, so what they left is told.
        self.swept = places.files(self.domain_path)
        if self.swept:
            say("petcam", f"removed {len(self.swept)} files that the daemons left in their topics")
        places.clean(self.domain_path)
        if self._state_dir is not None:
            shutil.rmtree(self._state_dir, ignore_errors=True)

    @property
    def url(self) -> str:
        """The page."""
        host = f"[{self.options.host}]" if ":" in self.options.host else self.options.host
        return f"http://{host}:{self.options.port}/"

    @property
    def domain_path(self) -> Path:
        """Where the demo's topics are."""
        return places.topic_root() / self._domain

    def daemon(self, name: str) -> Daemon:
        """The child of this name."""
        return next(daemon for daemon in self.daemons if daemon.name == name)

    def _make_daemons(self, camera: Path, server: Path, state_dir: Path) -> list[Daemon]:
        options = self.options
        config = ["--config", str(options.config)] if options.config else []
        shared = {"SIGNALBOX_DOMAIN": self._domain}
        wrong = frozenset({2, CONFIGURATION, TOPIC})
        address = ["--host", options.host, "--port", str(options.port)]
        keep = ["--state-dir", str(state_dir)]
        return [
            Daemon(
                "camera",
                [str(camera), *config, *options.camera],
                shared,
                wrong,
            ),
            # A detector that lacks a package says so and is tried again: the rest works without.
            Daemon(
                "detector",
                [*places.detector_command(), *config, *options.detector],
                shared | places.detector_environment(),
                wrong,
            ),
            Daemon(
                "server",
                [str(server), *config, *address, *keep],
                shared,
                wrong | {PORT_BUSY, STATE_DIR},
            ),
        ]

    def _give_up(self, name: str, code: int) -> None:
        say("petcam", f"{name} cannot run, and says above why; stopping")
        self.stop(code)

    def stop(self, code: int = OK) -> None:
        """Ends the demo; the first to ask decides the exit code."""
        if not self.ended.is_set():
            self.code = code
            self.ended.set()

    async def wait(self, seconds: float | None = None) -> None:
        """Until somebody stops the demo, or so long from now."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), seconds)

    async def announce(self) -> None:
        """Prints the URL once the server answers."""
        end = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < end:
            if await answers(self.options.host, self.options.port):
                print(self.url, flush=True)
                return
            await asyncio.sleep(0.05)
        say("petcam", f"{self.url} has not answered for {ANSWER_SECONDS:g} s; see the log above")


def process_start() -> float:
    """When the command began, on the monotonic clock: before Python read its first line. `./dev
    demo` builds first and names the moment at which it had (seconds since boot)."""
    since_boot = float(os.environ.get("PETCAM_STARTED_AT") or 0)
    if not since_boot:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)


def claim_port(host: str, port: int) -> int:
    """The port, after making sure that it is free; 0 chooses one. Raises DemoError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            raise DemoError(
                f"port {port} on {host} cannot be used: {error.strerror}. If another petcam runs "
                f"there, stop it (`ss -ltnp 'sport = :{port}'` names the program), or choose "
                f"another port: petcam demo --port {port + 1}",
                PORT_BUSY,
            ) from None
        return probe.getsockname()[1]


async def answers(host: str, port: int) -> bool:
    """Whether the server says that it lives."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"GET /healthz HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
        line = await asyncio.wait_for(reader.readline(), 1.0)
        writer.close()
        return b" 200 " in line
    except (OSError, TimeoutError):
        return False


async def run(options: Options, seconds: float | None, report: Any = None) -> int:
    """Runs the demo until a signal, or for `seconds`. `report` watches it and is told the end."""
    loop = asyncio.get_running_loop()
    async with Demo(options) as demo:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, demo.stop)
        announced = asyncio.create_task(demo.announce())
        tasks = [announced]
        if report is not None:
            tasks.append(asyncio.create_task(report.watch(demo)))
        # The seconds count from when there is something to watch: on a cold or busy machine the
        # daemons may need as long to start as somebody wants to watch them.
        stopped = asyncio.create_task(demo.ended.wait())
        await asyncio.wait({announced, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        await demo.wait(seconds)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    if report is not None:
        report.write(demo)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return demo.code
