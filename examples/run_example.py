"""Runs an example and checks what it prints, in a domain of its own that is gone afterwards.

    run_example.py [--beside PROGRAM]... [--input TEXT] [--expect REGEX]... [--until-end] -- PROGRAM

Programs given with --beside (one string, words apart) run meanwhile; all read the --input. PROGRAM
is ended as soon as it printed what is expected, whole lines in this order; with --until-end
its input ends then and it must end well by itself.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator

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


def run(arguments: argparse.Namespace) -> str | None:
    """What is wrong with the example, or None."""
    terminal, its_end = os.openpty()
    processes = [
        subprocess.Popen(words.split(), stdin=subprocess.PIPE) for words in arguments.beside
    ]
    process = subprocess.Popen(arguments.command, stdin=subprocess.PIPE, stdout=its_end)
    processes.append(process)
    os.close(its_end)
    watchdog = threading.Timer(SECONDS_MAX, process.kill)
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
            status = process.wait()
        return f"it ended with status {status}" if status else None
    finally:
        watchdog.cancel()
        os.close(terminal)
        for each in processes:
            each.kill()
            each.wait()


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
        problem = run(arguments)
    finally:
        shutil.rmtree(domain, ignore_errors=True)
    if problem:
        print(f"{arguments.command[0]}: {problem}", file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
