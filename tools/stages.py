"""Runs the stages of `./dev test` and adds up what they counted.

Every stage writes its full output to build/logs/<stage>.log; the terminal shows one line a stage
and, when one fails, the end of its log. The last line printed is "N passed, N failed, N skipped".
"""

import argparse
import contextlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from interruption import delayed, end_cleanly_on_signals

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "logs"
TAIL_LINES = 40
NODE_COUNT = re.compile(r"^\S (pass|fail|skipped) (\d+)$", re.MULTILINE)


# A watchdog for a stage that hangs, generous because it is no test of speed.
STAGE_SECONDS_MAX = 2400


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: "Tally") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass
class Stage:
    """One command. `count` turns its exit status into numbers; without it the command itself counts
    as one test. What runs `beside` begins when all that is `needed_by_all` has passed and all that
    runs `alone` has ended, and takes only the processor time that the stages before its turn leave.
    Alone run programs that yield in loops: each sched_yield(2) would give such a guest the rest of
    a tick."""

    name: str
    command: list[str]
    folder: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)
    count: Callable[["Stage", int], Tally] | None = None
    needed_by_all: bool = False
    alone: bool = False
    beside: bool = False

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name}.log"

    @property
    def report(self) -> Path:
        return LOGS / f"{self.name}.xml"


def count_junit(stage: Stage, status: int) -> Tally:
    """Counts from the report that ctest and pytest write; a runner that died without one failed."""
    try:
        root = ElementTree.parse(stage.report).getroot()
    except (OSError, ElementTree.ParseError):
        return Tally(failed=1)
    suites = [root] if root.tag == "testsuite" else root.findall("testsuite")
    total = sum(int(suite.get("tests", 0)) for suite in suites)
    failed = sum(int(suite.get("failures", 0)) + int(suite.get("errors", 0)) for suite in suites)
    skipped = sum(int(suite.get("skipped", 0)) + int(suite.get("disabled", 0)) for suite in suites)
    if status != 0 and failed == 0:
        failed = 1
    return Tally(max(0, total - failed - skipped), failed, skipped)


def count_go(stage: Stage, status: int) -> Tally:
    """Counts the events of `go test -json` and rewrites the log as the text they carry. To have run
    no test is a failure, though it is none to Go: the name of one may have changed."""
    tally = Tally()
    text = []
    for line in stage.log.read_text(errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            text.append(line + "\n")
            continue
        text.append(event.get("Output", ""))
        if "Test" in event:
            tally.passed += event["Action"] == "pass"
            tally.failed += event["Action"] == "fail"
            tally.skipped += event["Action"] == "skip"
    stage.log.write_text("".join(text))
    if (status != 0 or tally == Tally()) and tally.failed == 0:
        tally.failed = 1
    return tally


def count_node(stage: Stage, status: int) -> Tally:
    """Counts from the closing lines of node's test runner, such as "# pass 3"."""
    text = stage.log.read_text(errors="replace")
    said = {word: int(number) for word, number in NODE_COUNT.findall(text)}
    tally = Tally(said.get("pass", 0), said.get("fail", 0), said.get("skipped", 0))
    if status != 0 and tally.failed == 0:
        tally.failed = 1
    return tally


def count_command(_stage: Stage, status: int) -> Tally:
    return Tally(passed=1) if status == 0 else Tally(failed=1)


def count_only_failure(_stage: Stage, status: int) -> Tally:
    return Tally() if status == 0 else Tally(failed=1)


@dataclass
class Ended:
    status: int
    seconds: float


class Running:
    """The processes of the stages that run now, each with a process group of its own, so that a
    hang takes its children with it."""

    def __init__(self) -> None:
        self.processes: set[subprocess.Popen] = set()
        self.stopped = False

    def run(self, stage: Stage) -> Ended:
        stage.report.unlink(missing_ok=True)
        started = time.monotonic()
        # Whoever has this policy runs when nobody else wants to: chrt(1), sched(7).
        only_idle = ["chrt", "--idle", "0"] if stage.beside else []
        with stage.log.open("wb") as log:
            with delayed():
                process = subprocess.Popen(
                    [*only_idle, *stage.command],
                    cwd=stage.folder,
                    env=os.environ | stage.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self.processes.add(process)
            if self.stopped:
                kill_group(process)
            try:
                status = process.wait(timeout=STAGE_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                log.write(f"\nstopped after {STAGE_SECONDS_MAX} s: the stage hangs\n".encode())
                status = 124
            finally:
                kill_group(process)
                self.processes.discard(process)
        return Ended(status, time.monotonic() - started)

    def stop(self) -> None:
        self.stopped = True
        for process in list(self.processes):
            kill_group(process)


def kill_group(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def failed_cases(report: Path) -> list[str]:
    """Name and last words of each failed case in a report, if there is one."""
    try:
        cases = ElementTree.parse(report).getroot().iter("testcase")
    except (OSError, ElementTree.ParseError):
        return []
    lines = []
    for case in cases:
        if case.get("status") == "fail" or case.find("failure") is not None:
            words = "\n".join(part.text or "" for part in case).splitlines()
            lines += [f"failed: {case.get('name')}", *(f"  {line}" for line in words[-TAIL_LINES:])]
    return lines


def show_failure(stage: Stage) -> None:
    """The failed cases where a report names them, else the end of the log."""
    lines = failed_cases(stage.report)
    if not lines:
        lines = stage.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    for line in lines:
        print(f"    {line}")
    print(f"    (the whole output is in {stage.log.relative_to(ROOT)})", flush=True)


def cmake_build(preset: str, *targets: str, beside: bool = False) -> Stage:
    return Stage(
        f"build-{preset}",
        ["bash", "tools/dev/build.sh", preset, *targets],
        count=count_only_failure,
        needed_by_all=preset == "dev",
        beside=beside,
    )


def ctest(preset: str, folder: str = ".", *only: str) -> Stage:
    """The tests of one folder of a build, or of all; `only` chooses among them, as ctest does. Many
    of them sleep for most of their time, so one more runs than there are cores."""
    name = f"ctest-{preset}"
    return Stage(
        name,
        ["ctest", "--test-dir", f"build/{preset}/{folder}"]
        + ["--output-on-failure", "--no-tests=ignore"]
        + ["-j", str((os.cpu_count() or 1) + 1), "--timeout", "300"]
        + ["--output-junit", str(LOGS / f"{name}.xml"), *only],
        count=count_junit,
        alone=preset == "dev",
    )


def pytest(folder: str, quick: bool) -> Stage:
    name = "pytest-" + folder.removesuffix("/tests").replace("/", "-")
    command = [sys.executable, "-m", "pytest", "-q", folder, f"--junitxml={LOGS / name}.xml"]
    if quick:
        command += ["-m", "not slow"]
    return Stage(name, command, count=count_junit)


def go_stages(folder: str, quick: bool) -> list[Stage]:
    name = folder.replace("/", "-")
    path = ROOT / folder
    race = [] if quick else ["-race"]
    tests = ["go", "test", "-json", "-count=1", "-timeout=600s"]
    stages = [
        Stage(f"vet-{name}", ["go", "vet", "./..."], path, count=count_command),
        Stage(f"go-{name}", [*tests, *race, "./..."], path, count=count_go),
    ]
    if race and folder == "bindings/go":
        # The race detector allocates, so what we allocate is counted without it.
        counted = [*tests, "-run", "Allocation", "."]
        stages.append(Stage(f"go-allocations-{name}", counted, path, count=count_go))
    return stages


def page_stages(folder: str) -> list[Stage]:
    path = ROOT / folder
    stages = []
    if (path / "jsconfig.json").exists():
        stages.append(
            Stage("tsc-page", ["tsc", "--noEmit", "-p", "jsconfig.json"], path, count=count_command)
        )
    if any(path.rglob("*.test.js")) or any(path.rglob("*.test.mjs")):
        stages.append(Stage("node-page", ["node", "--test"], path, count=count_node))
    return stages


def sanitizer_stages() -> list[Stage]:
    """The unit tests of the library: they reach the lock-free code, and all the rest would take
    longer to build under two sanitizers than everything else together. They are built while the
    tests before them sleep."""
    stages = []
    for preset in ("asan", "tsan"):
        stages += [cmake_build(preset, "src/all", beside=True), ctest(preset, "src")]
    return stages


def release_stages() -> list[Stage]:
    """The kill driver in both release builds: where a participant can die is decided by which
    instructions a compiler makes of the library. It steps through those of x86-64 only."""
    stages = []
    if platform.machine() == "x86_64":
        for preset in ("release", "clang-release"):
            stages.append(cmake_build(preset, "crash_kill_driver_test", beside=True))
            stages.append(ctest(preset, "tests/crash", "-R", "KillDriver"))
    return stages


def all_stages(quick: bool) -> list[Stage]:
    stages = [cmake_build("dev")]
    stages.append(
        Stage(
            "build-languages",
            ["bash", "tools/build_languages.sh"],
            count=count_only_failure,
            needed_by_all=True,
        )
    )
    stages.append(ctest("dev"))
    for folder in (
        "tools/tests",
        "bindings/python/tests",
        "apps/petcam/detector/tests",
        "apps/petcam/tests",
        "tests/e2e",
    ):
        if any((ROOT / folder).glob("**/test_*.py")):
            stages.append(pytest(folder, quick))
    for folder in ("bindings/go", "apps/petcam/server"):
        if (ROOT / folder / "go.mod").exists():
            stages += go_stages(folder, quick)
    stages += page_stages("apps/petcam/server/www")
    if not quick:
        stages += sanitizer_stages() + release_stages()
        stages.append(Stage("check", ["bash", "tools/dev/check.sh"], count=count_command))
    return stages


def run_all(stages: list[Stage]) -> Tally:
    """Runs them in their order, those beside in theirs, and reports each in its turn."""
    total = Tally()
    running = Running()
    begun: dict[str, Future[Ended]] = {}
    awaited = [stage.name for stage in stages if stage.needed_by_all or stage.alone]
    with ThreadPoolExecutor(max_workers=1) as beside, stopping(running, beside):
        for stage in stages:
            if not awaited and not begun:
                begun = {s.name: beside.submit(running.run, s) for s in stages if s.beside}
            print(f"== {stage.name}", flush=True)
            ended = begun[stage.name].result() if stage.name in begun else running.run(stage)
            tally = (stage.count or count_command)(stage, ended.status)
            print(f"   {tally}, {ended.seconds:.1f} s", flush=True)
            total.add(tally)
            if tally.failed:
                show_failure(stage)
                if stage.needed_by_all:
                    print("   the stages after this one need it and were not run", flush=True)
                    break
            awaited = [name for name in awaited if name != stage.name]
    return total


@contextlib.contextmanager
def stopping(running: Running, beside: ThreadPoolExecutor) -> Iterator[None]:
    """However the body ends, nothing of the stages goes on."""
    try:
        yield
    finally:
        beside.shutdown(wait=False, cancel_futures=True)
        running.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev test", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="no sanitizers, no release builds, no -race, no check"
    )
    parser.add_argument("--list", action="store_true", help="name the stages and stop")
    parser.add_argument("stages", nargs="*", help="run only these stages")
    arguments = parser.parse_args()

    stages = all_stages(arguments.quick)
    unknown = set(arguments.stages) - {stage.name for stage in stages}
    if unknown:
        parser.error(f"no such stage: {', '.join(sorted(unknown))}; see --list")
    if arguments.stages:
        stages = [stage for stage in stages if stage.name in arguments.stages]
    if arguments.list:
        print("\n".join(stage.name for stage in stages))
        return 0

    end_cleanly_on_signals()
    LOGS.mkdir(parents=True, exist_ok=True)
    total = run_all(stages)
    print(total, flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
