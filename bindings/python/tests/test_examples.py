"""The examples run as they are shown."""

import signal
import subprocess
from pathlib import Path

from observing import WATCHDOG_S, run_python, start_python

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


def test_examples_are_short() -> None:
    for example in EXAMPLES.glob("*.py"):
        assert len(example.read_text().splitlines()) < 60, example
    assert len((EXAMPLES / "readme.py").read_text().splitlines()) <= 20
