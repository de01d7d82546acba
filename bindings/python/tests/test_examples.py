"""The examples run as they are shown."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from observing import WATCHDOG_S, refused, run_python, start_python
from signalbox import FileLock, PosixQueue, SignalboxError

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "python"


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=WATCHDOG_S)
    assert "KeyboardInterrupt" in errors or errors == ""


def test_subscribe_hears_publish() -> None:
    with start_python(str(EXAMPLES / "publish.py"), "--period", "0.02") as publisher:
        with start_python(str(EXAMPLES / "subscribe.py"), "--count", "20") as subscriber:
            output, errors = subscriber.communicate(timeout=WATCHDOG_S)
        end(publisher)
    assert subscriber.returncode == 0, errors
    assert output.count("pose ") == 20
    assert "picture " in output


def test_readme_program() -> None:
    with (
        start_python(str(EXAMPLES / "readme.py")) as subscriber,
        start_python(str(EXAMPLES / "readme.py"), "publish") as publisher,
    ):
        publisher.stdin.write("1 2 3\n")
        publisher.stdin.flush()
        assert subscriber.stdout.readline() == "0 [1. 2. 3.]\n"
        publisher.stdin.close()
        publisher.wait(WATCHDOG_S)
        end(subscriber)


def test_exclusive_brackets_are_never_torn() -> None:
    lines = run_python((EXAMPLES / "exclusive.py").read_text()).splitlines()
    assert lines.pop() == "done"
    assert sorted(lines) == [f"({who} {i})" for who in ("child", "parent") for i in (1, 2, 3)]


def test_jobs_are_done_by_urgency() -> None:
    assert run_python((EXAMPLES / "jobs.py").read_text()).splitlines() == [
        "30: put out the fire",
        "20: answer the door",
        "10: sweep",
    ]


def test_discover_tells_who_is_there_and_who_goes() -> None:
    with start_python(str(EXAMPLES / "discover.py")) as program:
        output, errors = program.communicate(timeout=WATCHDOG_S)
    assert program.returncode == 0, errors
    lines = output.splitlines()
    assert any(re.fullmatch(r"arm/pose: \S+ has published 1", line) for line in lines)
    assert any(
        re.fullmatch(r"leg/pose: \S+, which is dead, has published 1", line) for line in lines
    )
    for event in ("topic_appeared", "publisher_joined", "publisher_left", "topic_vanished"):
        assert f"{event} arm/pose" in lines


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a spool whose lock is in this folder."""
    monkeypatch.chdir(tmp_path)
    name = f"spool-{os.getpid()}"
    yield name
    with suppress(SignalboxError):  # it is gone already, unless the test failed
        PosixQueue.unlink(f"/{name}")


def test_spool_outlives_its_workers(spool: str) -> None:
    command = [str(EXAMPLES / "spool.py"), spool]
    with start_python(*command, "30", "fire") as client:
        assert client.wait(WATCHDOG_S) == 0, client.stderr.read()
    with PosixQueue.open(f"/{spool}") as jobs:
        # More jam than there are printers: a unit that did not come back would hang the rest.
        for urgency, job in [(20, b"jam")] * 3 + [(10, b"sweep"), (0, b"go home")]:
            jobs.send(job, urgency)
    with Path(f"{spool}.lock").open("a") as file, FileLock(file):
        with start_python(*command) as second:
            assert "somebody spools there already" in second.communicate(timeout=WATCHDOG_S)[1]
        assert second.returncode == 1
    with start_python(*command) as first:
        output, errors = first.communicate(timeout=WATCHDOG_S)
    assert first.returncode == 0, errors
    dead = ["a worker was killed"] * 3
    assert sorted(output.splitlines()) == [*dead, "printed fire", "printed sweep"]
    with refused("not_found"):
        PosixQueue.open(f"/{spool}")


def test_examples_are_short() -> None:
    for example in EXAMPLES.glob("*.py"):
        assert len(example.read_text().splitlines()) < 60, example
    assert len((EXAMPLES / "readme.py").read_text().splitlines()) <= 20
