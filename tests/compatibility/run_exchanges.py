"""Builds one program with several compilers and lets each build publish to each other; then runs
the library's unit tests for arm64.

    run_exchanges.py [--long] [--only WORDS]

The builds: gcc optimised and not, clang, gcc with AddressSanitizer, gcc for 32 bits, and gcc for
arm64, whose programs qemu runs. The short form takes the pairs between gcc's 64 bits, its 32 bits,
clang and arm64, optimised less; the long form takes all builds in all ordered pairs. Small and
large messages, reliable and lossy.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from builds import BUILDS, SHORT, UNIT_TESTS, build, command_of

HANG_SECONDS = 120


def exchange(first: str, second: str, kind: str, policy: str, count: int) -> str:
    """`first` publishes and `second` takes. What went wrong, or nothing."""
    words = [kind, policy, str(count)]
    with tempfile.TemporaryDirectory(prefix="sbx-compatibility-", dir="/dev/shm") as domain:
        environment = os.environ | {"SIGNALBOX_DIR": domain}
        taker = subprocess.Popen(
            [*command_of(second), "take", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            if taker.stdout.readline() != "joined\n":
                return f"the taker did not join: {taker.communicate(timeout=HANG_SECONDS)[1]}"
            publisher = subprocess.run(
                [*command_of(first), "publish", *words],
                env=environment,
                capture_output=True,
                text=True,
                timeout=HANG_SECONDS,
                check=False,
            )
            said = taker.communicate(timeout=HANG_SECONDS)[1]
        except subprocess.TimeoutExpired:
            return f"hung for {HANG_SECONDS} s"
        finally:
            taker.kill()
            taker.wait()
        left = [str(path) for path in Path(domain).rglob("*")]
    if publisher.returncode != 0:
        return f"the publisher failed: {publisher.stderr}"
    if taker.returncode != 0:
        return f"the taker failed: {said}"
    return f"left behind: {', '.join(left)}" if left else ""


def unit_test(name: str) -> tuple[int, str]:
    """How many tests ran, and what went wrong."""
    with tempfile.TemporaryDirectory(prefix="sbx-arm64-", dir="/dev/shm") as scratch:
        report = Path(scratch) / "report.json"
        command = [*command_of("arm64", name), f"--gtest_output=json:{report}"]
        try:
            done = subprocess.run(
                command,
                env=os.environ | {"SBX_SCRATCH": scratch},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=HANG_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as hung:
            return 0, f"hung for {HANG_SECONDS} s: {hung.stdout}"
        if done.returncode != 0 or not report.exists():
            return 0, done.stdout
        return json.loads(report.read_text())["tests"], ""


def run_unit_tests() -> tuple[int, int]:
    """How many ran, and how many programs of them failed."""
    ran = failed = 0
    for name in UNIT_TESTS:
        tests, trouble = unit_test(name)
        print(f"arm64, {name}: {trouble or f'{tests} tests passed'}", flush=True)
        failed += bool(trouble) or tests == 0
        ran += tests
    return ran, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="all builds, more messages")
    parser.add_argument(
        "--only", default="", help="only exchanges whose line has these words, and no unit tests"
    )
    arguments = parser.parse_args()
    is_long = arguments.long or os.environ.get("SBX_PROOF_LONG", "") not in ("", "0")

    builds = list(BUILDS) if is_long else list(SHORT)
    if not build(builds, is_long):
        return 1
    messages = 0
    tries, failed = (0, 0) if arguments.only else run_unit_tests()
    exchanges = 0
    for first, second, kind, policy in itertools.product(
        builds, builds, ("small", "large"), ("reliable", "lossy")
    ):
        line = f"{first} to {second}, {kind}, {policy}"
        if arguments.only not in line:
            continue
        count = (20_000 if kind == "small" else 2_000) * (20 if is_long else 1)
        trouble = exchange(first, second, kind, policy, count)
        print(f"{line}: {trouble or 'whole'}", flush=True)
        failed += bool(trouble)
        exchanges += 1
        messages += count
    tries += exchanges
    counts = os.environ.get("SBX_PROOF_COUNTS")
    if counts:
        with Path(counts).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"tries": tries, "messages": messages}) + "\n")
    print(f"{exchanges} exchanges of {len(builds)} builds, {messages} messages; {failed} failed")
    return 1 if failed or not tries else 0


if __name__ == "__main__":
    sys.exit(main())
