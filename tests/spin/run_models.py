"""Checks the spin models of this folder: full state space, and each seeded bug must be found.

    run_models.py [--long] [--only NAME]

A model passes when pan visits every state within its bounds and finds no error; a seeded bug passes
when pan finds the violation that it was planted for. Needs the packages `spin` and `gcc`.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
HANG_SECONDS = 280
HANG_SECONDS_LONG = 4 * 3600
MEMORY_MB = 2000
MEMORY_MB_LONG = 12000


@dataclass
class Run:
    """One model with its sizes; `bug` names a seeded bug that must be found as `violation`."""

    model: str
    sizes: dict[str, int] = field(default_factory=dict)
    bug: str = ""
    violation: str = ""
    long: bool = False

    @property
    def name(self) -> str:
        sizes = " ".join(f"{name}={value}" for name, value in self.sizes.items())
        return " ".join(part for part in (self.model, sizes, self.bug) if part)


def seeded(model: str, bug: str, violation: str, **sizes: int) -> Run:
    return Run(model, sizes, bug, violation)


RUNS = [
    Run("topic", {"VISITORS": 2, "CRASHES": 2}),
    Run("topic", {"VISITORS": 2, "CRASHES": 1, "TWO_TYPES": 1}),
    Run("topic", {"VISITORS": 3, "CRASHES": 0}),
    Run("topic", {"VISITORS": 3, "CRASHES": 1}, long=True),
    Run("topic", {"VISITORS": 3, "CRASHES": 1, "TWO_TYPES": 1}, long=True),
    seeded("topic", "BUG_LINK_BEFORE_LOCK", "assertion violated"),
    seeded("topic", "BUG_NO_RECHECK", "topic_in[d]==t"),
    seeded("topic", "BUG_LOOK_BEFORE_LEAVING", "path==15"),
    seeded("topic", "BUG_TOPIC_BEFORE_BELL", "bell_in[d]==b"),
    seeded("topic", "BUG_NO_LIFE_LOCK", "inside"),
    Run("registry", {"SUBSCRIBERS": 1, "REAPERS": 1, "CRASHES": 1}),
    Run("registry", {"SUBSCRIBERS": 2, "REAPERS": 0, "CRASHES": 1}, long=True),
    Run("registry", {"SUBSCRIBERS": 1, "REAPERS": 2, "CRASHES": 1}, long=True),
    Run("registry", {"SUBSCRIBERS": 2, "REAPERS": 1, "CRASHES": 0}, long=True),
    seeded("registry", "BUG_REAP_UNMET", "promised", SUBSCRIBERS=1),
    seeded("registry", "BUG_CLOSE_UNMET", "promised", SUBSCRIBERS=1),
    seeded("registry", "BUG_LINK_BEFORE_LOCK", "inside", SUBSCRIBERS=1),
    seeded("registry", "BUG_EPOCH_AFTER_LOOK", "invalid end state", SUBSCRIBERS=1),
    seeded("registry", "BUG_ALIVE_BY_STAGE", "inside", SUBSCRIBERS=1),
    seeded("registry", "BUG_LOOKED_LATE", "invalid end state", SUBSCRIBERS=1),
]


def check(run: Run, folder: Path, is_long: bool) -> tuple[str, int]:
    """What went wrong, or nothing; and the number of states that pan visited."""
    defines = [f"-D{name}={value}" for name, value in run.sizes.items()]
    if run.bug:
        defines.append(f"-D{run.bug}")
    memory = MEMORY_MB_LONG if is_long else MEMORY_MB
    hang = HANG_SECONDS_LONG if is_long else HANG_SECONDS
    # Safety properties only: assertions, and states in which somebody can never go on.
    # A seeded bug is found long before optimising would have paid.
    optimise = "-O0" if run.bug else "-O2"
    compiler = ["gcc", optimise, "-w", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={memory}"]
    commands = (
        ["spin", "-a", *defines, str(HERE / f"{run.model}.pml")],
        [*compiler, "-DVECTORSZ=2048", "-o", "pan", "pan.c"],
        ["./pan", "-m100000", "-w22"],
    )
    said = ""
    for command in commands:
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=hang, check=False
            )
        except subprocess.TimeoutExpired:
            return f"{command[0]} was stopped after {hang} s", 0
        said = done.stdout + done.stderr
        if done.returncode != 0 and command[0] != "./pan":
            return said, 0
    return judge(run, said)


def judge(run: Run, said: str) -> tuple[str, int]:
    """Reads what pan said. A search that did not see everything proves nothing."""
    stored = re.search(r"(\d+(?:\.\d+)?(?:e\+\d+)?) states, stored", said)
    errors = re.search(r"errors: (\d+)", said)
    if not stored or not errors:
        return f"pan did not finish:\n{said[-2000:]}", 0
    states = int(float(stored[1]))
    first = next((line for line in said.splitlines() if line.startswith("pan:1:")), "")
    if run.bug:
        found = errors[1] != "0" and run.violation in first
        return ("" if found else f"the seeded bug was not found: {first or 'no error'}"), states
    if errors[1] != "0":
        return first, states
    if "Search not completed" in said or "max search depth too small" in said:
        return f"the state space was not searched whole:\n{said[-2000:]}", states
    return "", states


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="the large sizes too")
    parser.add_argument("--only", default="", help="only runs whose name has these words")
    arguments = parser.parse_args()
    is_long = arguments.long or os.environ.get("SBX_PROOF_LONG", "") not in ("", "0")

    runs = [run for run in RUNS if arguments.only in run.name and (is_long or not run.long)]
    if not runs:
        parser.error(f"no run has {arguments.only!r} in its name")
    failed = states = bugs = 0
    for run in runs:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="sbx-spin-") as folder:
            trouble, here = check(run, Path(folder), is_long)
        seconds = time.monotonic() - started
        outcome = trouble or ("found" if run.bug else "holds")
        print(f"{run.name}: {outcome}; {here} states, {seconds:.1f} s", flush=True)
        failed += bool(trouble)
        states += 0 if run.bug else here
        bugs += bool(run.bug and not trouble)
    counts = os.environ.get("SBX_PROOF_COUNTS")
    if counts:
        with Path(counts).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"states": states}) + "\n")
    print(f"{len(runs)} runs, {states} states, {bugs} seeded bugs found, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
