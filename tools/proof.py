"""Runs the proof suites and prints one table of what they tried and what broke.

Exit status 0: every suite passed, and nobody hung, nothing was torn, lost, doubled or leaked.
`--seeded` tests the tests: each bug of tests/seeded/SUITE must turn its suite red.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from interruption import delayed, end_cleanly_on_signals
from proof_suites import SUITES, Suite

ROOT = Path(__file__).resolve().parent.parent

EFFORTS = (
    "kill_points",
    "true_kills",
    "random_kills",
    "injected_calls",
    "bit_flips",
    "schedules",
    "states",
    "tries",
    "messages",
)
FAULTS = ("hangs", "torn", "lost", "doubled", "leaked")

# Watchdogs for a suite that hangs, generous because they are no test of speed.
SHORT_SECONDS_MAX = 1500
LONG_SECONDS_MAX = 10 * 3600


@dataclass
class Outcome:
    """What a run of one suite counted, and how it ended."""

    suite: Suite
    counts: dict[str, int]
    status: int
    seconds: float
    log: Path

    @property
    def passed(self) -> bool:
        """A suite that tried nothing has proved nothing, whatever its exit status."""
        tried = any(self.counts.get(name) for name in EFFORTS)
        return self.status == 0 and tried and not any(self.counts.get(name) for name in FAULTS)


def add_up(text: str) -> dict[str, int]:
    """Adds the JSON lines that a suite's programs wrote. A line or a name that is not ours is an
    error: a count that nobody reads would look like one that is 0."""
    total: dict[str, int] = {}
    for line in text.splitlines():
        for name, count in json.loads(line).items():
            if name not in EFFORTS + FAULTS:
                raise ValueError(f'no column "{name}"; there are {", ".join(EFFORTS + FAULTS)}')
            total[name] = total.get(name, 0) + count
    return total


def build(suite: Suite, tree: Path, log) -> int:
    """Builds the suite's targets in a tree, which may be a scratch copy of this one: ccache, where
    there is one, then knows most files from the tree itself."""
    command = ["bash", "tools/dev/build.sh", suite.preset, *suite.targets]
    environment = os.environ | {"CCACHE_BASEDIR": str(tree), "CCACHE_NOHASHDIR": "1"}
    if shutil.which("ccache"):
        for language in ("C", "CXX"):
            environment.setdefault(f"CMAKE_{language}_COMPILER_LAUNCHER", "ccache")
    return run_program(command, environment, None, log, tree)[0]


def run_program(
    command: list[str],
    environment: dict[str, str],
    seconds_max: float | None,
    log,
    folder: Path | None = None,
) -> tuple[int, bool]:
    """Its exit status, and whether it hung. It runs in its own process group, so that a hang, or an
    end of ours, takes its children with it."""
    process = None
    try:
        with delayed():
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return process.wait(timeout=seconds_max), False
    except subprocess.TimeoutExpired:
        log.write(f"\nstopped after {seconds_max} s: the suite hangs\n".encode())
        return 124, True
    finally:
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run(
    suite: Suite,
    tree: Path,
    log_path: Path,
    extra: dict[str, str],
    arguments: tuple[str, ...] = (),
    seconds_max: float = SHORT_SECONDS_MAX,
) -> Outcome:
    """Runs a suite that is built. What it leaves in /dev/shm when it is stopped goes with a folder
    of its own."""
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="sbx-proof-", dir="/dev/shm") as scratch,
        tempfile.NamedTemporaryFile("r", prefix="sbx-proof-") as counted,
        log_path.open("ab") as log,
    ):
        Path(scratch).chmod(0o711)  # other users' participants pass through it
        program = tree / "build" / suite.preset / suite.program
        environment = os.environ | suite.short | extra
        environment |= {"SBX_PROOF_COUNTS": counted.name, "SBX_SCRATCH": scratch}
        command = [str(program), *suite.arguments, *arguments]
        status, hung = run_program(command, environment, seconds_max, log)
        try:
            counts = add_up(counted.read())
        except ValueError as error:
            log.write(f"\n{error}\n".encode())
            counts, status = {}, status or 1
        if hung:
            counts["hangs"] = counts.get("hangs", 0) + 1
    return Outcome(suite, counts, status, time.monotonic() - started, log_path)


def prove(suite: Suite, tree: Path, logs: Path, long: bool) -> Outcome:
    log_path = logs / f"proof-{suite.name}.log"
    with log_path.open("wb") as log:
        status = build(suite, tree, log)
    if status != 0:
        return Outcome(suite, {}, status, 0.0, log_path)
    if long:
        return run(suite, tree, log_path, suite.long, suite.long_arguments, LONG_SECONDS_MAX)
    return run(suite, tree, log_path, {})


def table(rows: list[list[str]]) -> str:
    """The first column to the left, numbers to the right; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def table_of(outcomes: list[Outcome]) -> str:
    rows = [["suite", *EFFORTS, *FAULTS, "seconds", "result"]]
    for outcome in outcomes:
        counts = [f"{outcome.counts.get(name, 0):,}" for name in EFFORTS + FAULTS]
        result = "passed" if outcome.passed else "FAILED"
        rows.append([outcome.suite.name, *counts, f"{outcome.seconds:.0f}", result])
    return table(rows)


def git_commit(tree: Path) -> str:
    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=tree, capture_output=True, text=True
        ).stdout.strip()

    return git("rev-parse", "HEAD") + (" with changes" if git("status", "--porcelain") else "")


def report_of(outcomes: list[Outcome], long: bool, tree: Path) -> dict:
    """The table as JSON, with what is needed to repeat it."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in cpuinfo if line.startswith("model name")]
    return {
        "form": "long" if long else "short",
        "machine": f"{os.cpu_count()} x {models[0] if models else platform.machine()}",
        "kernel": platform.release(),
        "commit": git_commit(tree),
        "suites": {
            outcome.suite.name: {name: outcome.counts.get(name, 0) for name in EFFORTS + FAULTS}
            | {"seconds": round(outcome.seconds, 1), "passed": outcome.passed}
            for outcome in outcomes
        },
    }


def show_end(outcome: Outcome) -> None:
    lines = outcome.log.read_text(errors="replace").splitlines()[-40:]
    print(f"{outcome.suite.name} failed (exit status {outcome.status}):", file=sys.stderr)
    for line in lines:
        print(f"    {line}", file=sys.stderr)
    print(f"    (the whole output is in {outcome.log})", file=sys.stderr, flush=True)


def chosen(names: list[str]) -> list[Suite]:
    known = {suite.name: suite for suite in SUITES}
    unknown = sorted(set(names) - known.keys())
    if unknown:
        raise SystemExit(f"proof: no such suite: {', '.join(unknown)}; see ./dev proof --list")
    return [known[name] for name in names] or list(SUITES)


def refuse_ignored(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Ends with an error where an option would do nothing beside another."""
    for option, others in {"list": ("json", "long", "seeded"), "seeded": ("json", "long")}.items():
        for other in others:
            if getattr(arguments, option) and getattr(arguments, other):
                parser.error(f"--{option} goes without --{other}")


def cannot_write(path: Path, error: OSError) -> str:
    return f"cannot write {path}: {error.strerror}"


def refuse_unwritable(parser: argparse.ArgumentParser, path: Path) -> None:
    """Ends with an error now, and not after hours. What the file holds stays until then."""
    try:
        path.open("a").close()
    except OSError as error:
        parser.error(cannot_write(path, error))


def write_report(outcomes: list[Outcome], long: bool, path: Path) -> bool:
    try:
        path.write_text(json.dumps(report_of(outcomes, long, ROOT), indent=2) + "\n")
    except OSError as error:
        print(f"proof: {cannot_write(path, error)}", file=sys.stderr)
        return False
    return True


def prove_all(suites: list[Suite], logs: Path, long: bool) -> list[Outcome]:
    outcomes = []
    for suite in suites:
        print(f"== {suite.name}", file=sys.stderr, flush=True)
        outcomes.append(prove(suite, ROOT, logs, long))
        if not outcomes[-1].passed:
            show_end(outcomes[-1])
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev proof", description=__doc__)
    parser.add_argument("--list", action="store_true", help="name the suites and stop")
    parser.add_argument("--long", action="store_true", help="the long form: hours, not minutes")
    parser.add_argument("--seeded", action="store_true", help="seeded bugs must turn suites red")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table here")
    parser.add_argument("suites", nargs="*", help="run only these suites")
    arguments = parser.parse_args()
    refuse_ignored(parser, arguments)
    suites = chosen(arguments.suites)
    if arguments.list:
        print("\n".join(f"{suite.name:16} {suite.says}" for suite in suites))
        return 0
    if arguments.json:
        refuse_unwritable(parser, arguments.json)
    end_cleanly_on_signals()
    logs = ROOT / "build" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    if arguments.seeded:
        import proof_seeded

        return proof_seeded.main(suites, ROOT, logs)

    outcomes = prove_all(suites, logs, arguments.long)
    print(table_of(outcomes))
    written = not arguments.json or write_report(outcomes, arguments.long, arguments.json)
    return 0 if written and all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
