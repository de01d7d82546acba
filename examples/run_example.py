"""Runs an example and checks what it prints, in a domain of its own that is gone afterwards.

    run_example.py [--beside PROGRAM]... [--input TEXT] [--expect REGEX]... [--until-end]
                   -- PROGRAM [WORD]...

Programs given with --beside (one string, words apart) run meanwhile; all read the --input, and run
in a folder that is gone afterwards. PROGRAM is ended as soon as it printed what is expected, whole
lines in this order; with --until-end its input ends then and it must end well by itself. What they
have started ends with them.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

# A watchdog for a program that hangs, generous because it is no test of speed.
SECONDS_MAX = 60


def printed_lines(terminal: int) -> Iterator[str]:
    """The lines of a program, which prints to a terminal so that each comes at once."""
    pending = ""
    while True:
        try:
            pending += os.read(terminal, 4096).decode()
        except OSError:  # how a terminal says that the last program that used it has ended
            break
        *lines, pending = pending.split("\n")
        yield from (line.rstrip("\r") for line in lines)
    if pending:
        yield pending


def unmet(printed: Iterator[str], expected: list[str]) -> tuple[list[str], list[str]]:
    """Reads lines until every expectation is met; returns those that are left, and the lines."""
    left, lines = list(expected), []
    for line in printed:
        lines.append(line)
        if re.fullmatch(left[0], line):
            left.pop(0)
        if not left:
            break
    return left, lines


def ended(process: subprocess.Popen[bytes]) -> int:
    """The status that it ended with; its number stays its own for end_group()."""
    end = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert end is not None
    return end.si_status


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends it and all processes that it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(arguments: argparse.Namespace, folder: str) -> str | None:
    """What is wrong with the example, or None."""

    def start(words: list[str], output: int | None = None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=output, cwd=folder, start_new_session=True
        )

    terminal, its_end = os.openpty()
    processes = [start(words.split()) for words in arguments.beside]
    process = start(arguments.command, its_end)
    processes.append(process)
    os.close(its_end)
    watchdog = threading.Timer(SECONDS_MAX, os.killpg, [process.pid, signal.SIGKILL])
    watchdog.start()
    try:
        for each in processes:
            assert each.stdin is not None
            each.stdin.write(arguments.input.encode())
            each.stdin.flush()
        left, lines = unmet(printed_lines(terminal), arguments.expect)
        if left:
            return f"expected a line like {left[0]!r}, but it ended after " + "\n".join(lines)
        status = 0
        if arguments.until_end:
            assert process.stdin is not None
            process.stdin.close()
            status = ended(process)
        return f"it ended with status {status}" if status else None
    finally:
        watchdog.cancel()
        os.close(terminal)
        for each in processes:
            end_group(each)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", action="append", default=[])
    parser.add_argument("--input", default="")
    parser.add_argument("--expect", action="append", default=[])
    parser.add_argument("--until-end", action="store_true", help="it must end by itself, well")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()

    domain = tempfile.mkdtemp(prefix="sbx-example-", dir="/dev/shm")
    os.environ["SIGNALBOX_DIR"] = domain
    try:
        with tempfile.TemporaryDirectory(prefix="sbx-example-") as folder:
            # For an example in which a process becomes another user.
            Path(folder).chmod(0o755)
            problem = run(arguments, folder)
    finally:
        shutil.rmtree(domain, ignore_errors=True)
    if problem:
        print(f"{arguments.command[0]}: {problem}", file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
