"""Goal: `./dev proof` is green only when every suite tried something and nothing broke, and a
seeded bug counts as caught only when it was built and turned a green suite red."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest
from interrupting import SIGNALS, hear_every_signal, told_at_the_start

import proof
import proof_seeded
from proof_suites import SUITES, Suite

ROOT = Path(__file__).resolve().parent.parent.parent


def suite_of(tree: Path, script: str, **options) -> Suite:
    """A suite whose program is this shell script, in a tree that builds by doing nothing."""
    build = tree / "tools" / "dev" / "build.sh"
    build.parent.mkdir(parents=True, exist_ok=True)
    build.write_text("exit 0\n")
    program = tree / "build" / "release" / "prog"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/usr/bin/env bash\n" + script)
    program.chmod(0o755)
    return Suite("a_suite", "It is a test.", ("prog",), "prog", **options)


def outcome_of(tree: Path, script: str) -> proof.Outcome:
    return proof.prove(suite_of(tree, script), tree, tree, long=False)


COUNT = """echo '{"schedules": 3, "torn": 0}' >> $SBX_PROOF_COUNTS\n"""


def test_counts_of_several_lines_add_up(tmp_path):
    outcome = outcome_of(tmp_path, COUNT + COUNT)
    assert outcome.counts == {"schedules": 6, "torn": 0}
    assert outcome.passed


@pytest.mark.parametrize("fault", proof.FAULTS)
def test_any_fault_fails_a_suite_that_says_it_passed(tmp_path, fault):
    more = f"""echo '{{"{fault}": 1}}' >> $SBX_PROOF_COUNTS\n"""
    assert not outcome_of(tmp_path, COUNT + more).passed


def test_a_suite_that_tried_nothing_failed(tmp_path):
    assert not outcome_of(tmp_path, "exit 0").passed


def test_a_failed_program_failed_whatever_it_counted(tmp_path):
    assert not outcome_of(tmp_path, COUNT + "exit 1").passed


def test_a_column_that_does_not_exist_is_an_error(tmp_path):
    more = """echo '{"schedulse": 1}' >> $SBX_PROOF_COUNTS\n"""
    outcome = outcome_of(tmp_path, COUNT + more)
    assert not outcome.passed
    assert "schedulse" in outcome.log.read_text()


def test_a_suite_that_does_not_build_failed(tmp_path):
    suite = suite_of(tmp_path, COUNT)
    (tmp_path / "tools/dev/build.sh").write_text("exit 1\n")
    assert not proof.prove(suite, tmp_path, tmp_path, False).passed


def test_a_suite_that_hangs_is_stopped_and_counted(tmp_path, monkeypatch):
    suite = suite_of(tmp_path, COUNT + "exec sleep 1000")
    outcome = proof.run(suite, tmp_path, tmp_path / "log", {}, seconds_max=0.5)
    assert outcome.counts["hangs"] == 1
    assert not outcome.passed


def test_the_long_form_has_its_environment_and_arguments(tmp_path):
    script = COUNT + 'echo "$KILLS $*"\n'
    suite = suite_of(tmp_path, script, long={"KILLS": "7"}, long_arguments=("--long",))
    assert proof.prove(suite, tmp_path, tmp_path, long=True).log.read_text() == "7 --long\n"
    assert proof.prove(suite, tmp_path, tmp_path, long=False).log.read_text() == " \n"


def test_the_report_holds_every_column(tmp_path):
    outcome = outcome_of(tmp_path, COUNT)
    report = json.loads(json.dumps(proof.report_of([outcome], False, ROOT)))
    assert set(proof.EFFORTS + proof.FAULTS) < set(report["suites"]["a_suite"])
    assert report["commit"] and report["kernel"] and report["machine"]
    assert "schedules" in proof.table_of([outcome])


# ---- the command line ----------------------------------------------------------------------------

# Against hangs only.
WATCHDOG_S = 60


def started(
    tree: Path, script: str, *words: str, build: str = "", before: str = ""
) -> subprocess.Popen[str]:
    """`./dev proof WORDS` over one suite, that script; another one builds it. Before all, it runs
    this piece of Python."""
    suite_of(tree, script)
    (tree / "tools/dev/build.sh").write_text(build)
    program = (
        "import pathlib, sys; import proof; from proof_suites import Suite;"
        "proof.ROOT = pathlib.Path.cwd();"
        "proof.SUITES = (Suite('a_suite', 'It is a test.', ('prog',), 'prog'),);"
        "sys.exit(proof.main())"
    )
    return subprocess.Popen(
        [sys.executable, "-c", before + program, *words],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tools"), "TMPDIR": str(tree)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_every_signal,
    )


def ended(tree: Path, *words: str) -> tuple[int, str, str]:
    """Its status and what it said; the suite leaves a file `ran`."""
    process = started(tree, COUNT + f"touch {tree}/ran\n", *words)
    out, err = process.communicate(timeout=WATCHDOG_S)
    return process.returncode, out, err


def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(tmp_path):
    status, out, err = ended(tmp_path, "--json", "no/such/folder/report.json")
    assert (status, out) == (2, "")
    assert err.endswith("cannot write no/such/folder/report.json: No such file or directory\n")
    assert not (tmp_path / "ran").exists()


def test_a_report_is_written(tmp_path):
    status, _, err = ended(tmp_path, "--json", "report.json")
    assert status == 0, err
    assert json.loads((tmp_path / "report.json").read_text())["suites"]["a_suite"]["passed"]


def test_a_report_whose_folder_went_meanwhile_is_told_in_a_line(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    process = started(tmp_path, COUNT + f"rm -r {folder}\n", "--json", "folder/report.json")
    out, err = process.communicate(timeout=WATCHDOG_S)
    assert process.returncode == 1
    assert "a_suite" in out
    assert err.endswith("proof: cannot write folder/report.json: No such file or directory\n")


@pytest.mark.parametrize(
    "words",
    [
        ["--seeded", "--json", "report.json"],
        ["--seeded", "--long"],
        ["--list", "--json", "report.json"],
        ["--list", "--long"],
        ["--list", "--seeded"],
    ],
)
def test_an_option_that_would_be_ignored_is_refused(tmp_path, words):
    status, out, err = ended(tmp_path, *words)
    assert (status, out) == (2, "")
    assert f"{words[0]} goes without {words[1]}" in err
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("at", ["suite", "build", "the start"])
def test_what_a_terminated_proof_has_begun_ends_with_it(tmp_path, number, at):
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    # Whoever still runs has the pipe open; its end is the end of the last one.
    script = f"exec 3>{fifo}; echo begun >&3; sleep 1000 & wait\n"
    seen = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    if at == "the start":
        process = started(tmp_path, "", build=script, before=told_at_the_start(number))
    else:
        process = started(tmp_path, script if at == "suite" else "", build=script * (at == "build"))
        assert select.select([seen], [], [], WATCHDOG_S)[0], "the suite did not begin"
        assert os.read(seen, 100) == b"begun\n"
        process.send_signal(number)
    _, err = process.communicate(timeout=WATCHDOG_S)
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    assert select.select([seen], [], [], WATCHDOG_S)[0], "something of the suite outlives the proof"
    assert os.read(seen, 100) == b""
    os.close(seen)
    assert not list(tmp_path.glob("sbx-proof-*"))


# ---- seeded bugs --------------------------------------------------------------------------------

# The suite is green exactly while the source says so.
READS_SOURCE = COUNT + 'exec grep -q "all is well" "$(dirname "$0")/../../src/a.cpp"\n'


@pytest.fixture
def tree(tmp_path):
    """A repository with one source and a suite that reads it, and the scratch copy's build."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("/build/\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.cpp").write_text("// one\n// all is well\n// three\n")
    (tmp_path / "tests" / "seeded" / "a_suite").mkdir(parents=True)
    suite_of(tmp_path / "build" / "seeded", READS_SOURCE)
    return tmp_path


def seed(tree: Path, old: str, new: str) -> Path:
    patch = tree / "tests" / "seeded" / "a_suite" / "bug.patch"
    patch.write_text(
        "--- a/src/a.cpp\n+++ b/src/a.cpp\n@@ -1,3 +1,3 @@\n // one\n"
        f"-// {old}\n+// {new}\n // three\n"
    )
    return patch


def verdict(tree: Path, patch: Path | None) -> tuple[str, bool]:
    suite = suite_of(tree, READS_SOURCE)
    return proof_seeded.judge(suite, patch, tree, tree)


def test_a_bug_that_turns_the_suite_red_is_caught(tree):
    assert verdict(tree, seed(tree, "all is well", "all is lost")) == ("caught", True)
    assert "all is well" in (tree / "src" / "a.cpp").read_text()


def test_a_bug_that_leaves_the_suite_green_is_missed(tree):
    assert verdict(tree, seed(tree, "all is well", "all is well now")) == ("MISSED", False)


def test_one_bug_does_not_stay_for_the_next(tree):
    verdict(tree, seed(tree, "all is well", "all is lost"))
    assert verdict(tree, None) == ("green", True)


def test_a_suite_that_is_red_without_any_bug_is_told(tree):
    (tree / "src" / "a.cpp").write_text("// one\n// nothing\n// three\n")
    assert verdict(tree, None) == ("red", False)


def test_a_bug_whose_source_moved_on_is_told(tree):
    assert verdict(tree, seed(tree, "something else", "all is lost")) == ("DOES NOT APPLY", False)


def test_a_bug_that_does_not_build_is_told(tree):
    suite = suite_of(tree, READS_SOURCE)
    (tree / "tools/dev/build.sh").write_text("exit 1\n")
    patch = seed(tree, "all is well", "all is lost")
    assert proof_seeded.judge(suite, patch, tree, tree) == ("DOES NOT BUILD", False)


def test_a_bug_under_which_the_suite_did_not_begin_is_told(tree):
    suite_of(tree / "build" / "seeded", "exit 125\n")
    patch = seed(tree, "all is well", "all is lost")
    assert proof_seeded.judge(suite_of(tree, ""), patch, tree, tree) == ("DOES NOT BEGIN", False)


def test_every_seeded_bug_applies_to_this_tree(tmp_path):
    """Else a bug would rot until somebody runs `./dev proof --seeded`."""
    proof_seeded.make_alike(ROOT, tmp_path / "copy")
    every = [patch for suite in SUITES for patch in proof_seeded.patches(suite, ROOT)]
    moved_on = [
        patch.name
        for patch in every
        if not proof_seeded.applies(patch, tmp_path / "copy", only_check=True)
    ]
    assert not moved_on


# Their own run, without --seeded, plants bugs and demands that each is found.
PLANTS_ITS_OWN = {"spin"}


def test_every_suite_has_three_seeded_bugs():
    few = {suite.name for suite in SUITES if len(proof_seeded.patches(suite, ROOT)) < 3}
    assert few == PLANTS_ITS_OWN


def test_the_table_of_the_documents_names_every_seeded_bug():
    text = (ROOT / "docs" / "reliability.md").read_text()
    for folder in sorted(path for path in (ROOT / "tests" / "seeded").glob("*") if path.is_dir()):
        bugs = sorted(path.stem.replace("_", " ") for path in folder.glob("*.patch"))
        assert f"| `{folder.name}` | {len(bugs)} | {'; '.join(bugs)} |" in text


def test_every_folder_of_seeded_bugs_belongs_to_a_suite():
    folders = {path.name for path in (ROOT / "tests" / "seeded").glob("*") if path.is_dir()}
    assert folders <= {suite.name for suite in SUITES}
