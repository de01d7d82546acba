"""The tests of the tests: each seeded bug, alone in a scratch copy of the tree, must turn its suite
red.

A seeded bug is a patch tests/seeded/SUITE/WHAT.patch against src/ or include/. All of them share
one copy and its build folder, so that a bug costs the few files it touches.
"""

import os
import subprocess
import sys
from pathlib import Path

import proof
from proof_suites import Suite


def tracked(tree: Path) -> list[str]:
    """The files of a tree that git tracks or would track, and that exist."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=tree,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\0")
    return [name for name in listed if name and (tree / name).is_file()]


def make_alike(tree: Path, scratch: Path) -> None:
    """Makes the scratch copy hold what the tree holds. Only files that differ are written, so that
    the build sees no others as new."""
    names = set(tracked(tree))
    for name in names:
        source, copy = tree / name, scratch / name
        content = source.read_bytes()
        if copy.is_file() and copy.read_bytes() == content:
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
        copy.chmod(source.stat().st_mode)
    for path in [path for path in scratch.rglob("*") if path.is_file()]:
        name = str(path.relative_to(scratch))
        if name not in names and not name.startswith("build/"):
            path.unlink()


def applies(patch: Path, scratch: Path, only_check: bool = False) -> bool:
    """Applies a patch, or finds that the source it was made for has moved on. git must not take
    the scratch copy for a part of the repository around it."""
    command = ["git", "apply", "-C1", *(["--check"] if only_check else []), str(patch)]
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(scratch.parent)}
    return subprocess.run(command, cwd=scratch, env=environment).returncode == 0


def patches(suite: Suite, tree: Path) -> list[Path]:
    return sorted((tree / "tests" / "seeded" / (suite.bugs_of or suite.name)).glob("*.patch"))


# What a suite answers that has tried nothing, because the machine it needs did not start.
NOT_BEGUN = 125


def verdict_on(suite: Suite, scratch: Path, log_path: Path) -> str:
    """red or green, or why neither could be found out."""
    with log_path.open("ab") as log:
        if proof.build(suite, scratch, log) != 0:
            return "DOES NOT BUILD"
    extra = {"GTEST_FAIL_FAST": "1"} | suite.seeded
    outcome = proof.run(suite, scratch, log_path, extra)
    if outcome.status == NOT_BEGUN:
        return "DOES NOT BEGIN"
    return "green" if outcome.passed else "red"


def judge(suite: Suite, patch: Path | None, tree: Path, logs: Path) -> tuple[str, bool]:
    """What became of one seeded bug, or of none, and whether that is as it must be."""
    scratch = tree / "build" / "seeded"
    make_alike(tree, scratch)
    if patch and not applies(patch, scratch):
        return "DOES NOT APPLY", False
    log_path = logs / f"seeded-{suite.name}-{patch.stem if patch else 'none'}.log"
    log_path.write_bytes(b"")
    verdict = verdict_on(suite, scratch, log_path)
    if patch is None:
        return verdict, verdict == "green"
    return {"red": "caught", "green": "MISSED"}.get(verdict, verdict), verdict == "red"


def main(suites: list[Suite], tree: Path, logs: Path) -> int:
    rows = [["suite", "seeded bug", "result"]]
    all_well = True
    for suite in suites:
        # First without any bug: a suite that is red anyway would catch everything.
        for patch in [None, *patches(suite, tree)]:
            what = patch.stem if patch else "(none)"
            result, well = judge(suite, patch, tree, logs)
            print(f"== {suite.name}: {what}: {result}", file=sys.stderr, flush=True)
            rows.append([suite.name, what, result])
            all_well = all_well and well
    print(proof.table(rows))
    return 0 if all_well else 1
