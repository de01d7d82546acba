"""Goal: `./dev test` never adds up to green when something failed, whatever a runner prints."""

import os
import pathlib
import platform
import select
import signal
import subprocess
import sys
import time

import pytest
from interrupting import hear_every_signal, told_at_the_start

import stages
from stages import Stage

# Against hangs only.
WATCHDOG_S = 60


@pytest.fixture(autouse=True)
def logs(tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "LOGS", tmp_path)
    monkeypatch.setattr(stages, "ROOT", tmp_path)
    return tmp_path


def shell(text: str, **options) -> Stage:
    return Stage("stage", ["bash", "-c", text], folder=stages.ROOT, **options)


def test_a_command_counts_as_one(logs):
    total = stages.run_all([shell("true"), shell("false")])
    assert (total.passed, total.failed) == (1, 1)


def test_a_build_counts_only_when_it_fails(logs):
    total = stages.run_all([shell("true", count=stages.count_only_failure)])
    assert (total.passed, total.failed) == (0, 0)


def test_nothing_runs_after_a_failed_build(logs):
    build = shell("false", count=stages.count_only_failure, needed_by_all=True)
    total = stages.run_all([build, shell("true")])
    assert (total.passed, total.failed) == (0, 1)


def named(name: str, text: str, **options) -> Stage:
    return Stage(name, ["bash", "-c", text], folder=stages.ROOT, **options)


def test_what_runs_beside_begins_early_and_is_reported_in_its_turn(logs, capsys):
    needed = named("needed", "[ ! -e beside ] && touch built", needed_by_all=True)
    alone = named("alone", "sleep 0.2; [ ! -e beside ]", alone=True)
    # Neither ends without the other.
    first = named("first", "until [ -e beside ]; do sleep 0.01; done; touch first")
    beside = named(
        "beside",
        "[ -e built ] && touch beside; until [ -e first ]; do sleep 0.01; done; "
        "chrt -p $$ | grep -q IDLE",
        beside=True,
    )
    total = stages.run_all([needed, alone, first, beside])
    assert (total.passed, total.failed) == (4, 0)
    heads = [line for line in capsys.readouterr().out.splitlines() if line.startswith("==")]
    assert heads == ["== needed", "== alone", "== first", "== beside"]


def test_what_fails_beside_fails_in_its_turn(logs):
    total = stages.run_all([named("first", "true"), named("beside", "exit 3", beside=True)])
    assert (total.passed, total.failed) == (1, 1)


def test_nothing_begins_beside_when_a_needed_build_fails(logs):
    build = named("build", "false", needed_by_all=True)
    stages.run_all([build, named("beside", "touch beside", beside=True)])
    assert not (logs / "beside").exists()


def test_what_was_just_begun_does_not_outlive_an_interruption(logs):
    os.mkfifo(logs / "alive")
    # Whoever still runs has the pipe open; its end is the end of the last one.
    seen = os.open(logs / "alive", os.O_RDONLY | os.O_NONBLOCK)
    script = told_at_the_start(signal.SIGTERM) + (
        "import pathlib, sys, stages; stages.LOGS = stages.ROOT = pathlib.Path('.')\n"
        "stages.all_stages = lambda quick: [stages.Stage('a', ['bash', '-c',"
        " 'exec 3>alive; echo begun >&3; exec sleep 1000'], folder=stages.ROOT)]\n"
        "sys.exit(stages.main())"
    )
    assert ended(script, logs).returncode == 128 + signal.SIGTERM
    assert select.select([seen], [], [], WATCHDOG_S)[0], "what was just begun goes on"
    assert os.read(seen, 100) == b""
    os.close(seen)


def ended(script: str, folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={"PYTHONPATH": stages.__file__.rsplit("/", 1)[0], "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=WATCHDOG_S,
        preexec_fn=hear_every_signal,
    )


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_nothing_beside_outlives_an_interruption(logs, name):
    script = (
        "import stages, pathlib, sys; stages.LOGS = stages.ROOT = pathlib.Path('.');"
        "from stages import Stage;"
        "stages.all_stages = lambda quick: ("
        "[Stage('a', ['bash', '-c', 'until [ -s pid ]; do sleep 0.01; done;"
        f" kill -{name} $PPID; sleep 1000'], folder=stages.ROOT),"
        " Stage('b', ['bash', '-c', 'echo $$ > pid; exec sleep 1000'], folder=stages.ROOT,"
        " beside=True)]);"
        "sys.exit(stages.main())"
    )
    ran = ended(script, logs)
    assert ran.returncode == 128 + getattr(signal, f"SIG{name}")
    assert ran.stderr == ""
    pid = (logs / "pid").read_text().strip()
    assert not pathlib.Path(f"/proc/{pid}").exists()


def test_a_report_is_counted_by_kind(logs):
    report = '<testsuite tests="5" failures="1" errors="1" skipped="1"/>'
    stage = shell(f"echo '{report}' > stage.xml; exit 1", count=stages.count_junit)
    assert stages.run_all([stage]) == stages.Tally(passed=2, failed=2, skipped=1)


def test_a_failed_case_is_shown_by_name_and_with_its_words(logs, capsys):
    report = (
        '<testsuite tests="2" failures="1"><testcase name="Ring.Laps" status="fail">'
        "<failure/><system-out>expected 3</system-out></testcase>"
        '<testcase name="Ring.Joins" status="run"/></testsuite>'
    )
    (logs / "text").write_text(report)
    stages.run_all([shell("cp text stage.xml; exit 8", count=stages.count_junit)])
    shown = capsys.readouterr().out
    assert "Ring.Laps" in shown
    assert "expected 3" in shown
    assert "Ring.Joins" not in shown


def test_a_runner_that_dies_without_a_report_failed(logs):
    (logs / "stage.xml").write_text('<testsuite tests="5"/>')  # of an earlier run
    assert stages.run_all([shell("kill -9 $$", count=stages.count_junit)]).failed == 1


def test_a_runner_that_fails_after_a_good_report_failed(logs):
    stage = shell("echo '<testsuite tests=\"5\"/>' > stage.xml; exit 1", count=stages.count_junit)
    assert stages.run_all([stage]).failed == 1


def test_go_events_are_counted_and_the_log_is_readable(logs):
    events = [
        '{"Action":"output","Test":"TestA","Output":"hello\\n"}',
        '{"Action":"pass","Test":"TestA"}',
        '{"Action":"fail","Test":"TestB"}',
        '{"Action":"skip","Test":"TestC"}',
        '{"Action":"fail","Package":"p"}',
    ]
    (logs / "events").write_text("\n".join(events))
    stage = shell("cat events; exit 1", count=stages.count_go)
    assert stages.run_all([stage]) == stages.Tally(passed=1, failed=1, skipped=1)
    assert stage.log.read_text() == "hello\n"


def test_a_go_stage_without_a_test_failed(logs):
    event = '{"Action":"output","Package":"p","Output":"ok p [no tests to run]\\n"}'
    (logs / "events").write_text(event)
    assert stages.run_all([shell("cat events", count=stages.count_go)]).failed == 1


def test_a_go_package_that_does_not_build_failed(logs):
    assert stages.run_all([shell("echo broken; exit 1", count=stages.count_go)]).failed == 1


def test_the_closing_lines_of_node_are_counted(logs):
    stage = shell("printf '# pass 3\\n# fail 1\\n# skipped 2\\n'; exit 1", count=stages.count_node)
    assert stages.run_all([stage]) == stages.Tally(passed=3, failed=1, skipped=2)


def test_a_stage_that_hangs_is_stopped_with_its_children(logs, monkeypatch):
    monkeypatch.setattr(stages, "STAGE_SECONDS_MAX", 0.5)
    marker = f"sleep 98{os.getpid()}"

    def is_left() -> bool:
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
        return marker in listed

    assert stages.run_all([shell(f"{marker} & wait")]).failed == 1
    # It was killed, and need not have run yet to end of that.
    limit = time.monotonic() + WATCHDOG_S
    while is_left():
        assert time.monotonic() < limit, "a child of the stage goes on"
        time.sleep(0.01)  # its parent is dead, and only a parent is told of an end


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the driver steps through x86-64")
def test_the_kill_driver_runs_in_both_release_builds_but_not_quickly():
    for preset in ("release", "clang-release"):
        named = {stage.name: stage for stage in stages.all_stages(quick=False)}
        assert named[f"build-{preset}"].command[-1] == "crash_kill_driver_test"
        assert named[f"ctest-{preset}"].command[-2:] == ["-R", "KillDriver"]
        quick = {stage.name for stage in stages.all_stages(quick=True)}
        assert quick.isdisjoint({f"build-{preset}", f"ctest-{preset}"})
