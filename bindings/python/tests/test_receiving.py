"""take, take_latest, where a subscriber starts, what it counts, and who is refused."""

import ast
import errno
import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import signalbox
from observing import FRAME, POSE, WATCHDOG_S, run_python, start_python
from signalbox import Publisher, SignalboxError, SignalboxPermissionError, Subscriber, _core


def seqs(subscriber: Subscriber) -> list[int]:
    found = []
    while (sample := subscriber.take()) is not None:
        found.append(int(sample.data["seq"]))
    return found


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("next", []),
        ("latest", [4]),
        ("oldest", [0, 1, 2, 3, 4]),
        (0, []),
        (1, [4]),
        (3, [2, 3, 4]),
        (100, [0, 1, 2, 3, 4]),
    ],
)
def test_where_a_subscriber_starts(start: str | int, expected: list[int]) -> None:
    with Publisher("poses", POSE) as publisher:
        for seq in range(5):
            publisher.send((seq, 0))
        with Subscriber("poses", POSE, start=start) as subscriber:
            assert seqs(subscriber) == expected
            publisher.send((5, 0))
            assert seqs(subscriber) == [5]


@pytest.mark.parametrize("start", ["first", -1, True, 1.5, None, 2**64])
def test_bad_start(start: object) -> None:
    with pytest.raises(SignalboxError, match="start is") as refused:
        Subscriber("poses", POSE, start=start)
    assert refused.value.code == "bad_argument"


def test_latest_is_the_default() -> None:
    with Publisher("poses", POSE) as publisher:
        publisher.send((1, 0))
        publisher.send((2, 0))
        with Subscriber("poses", POSE) as subscriber:
            assert seqs(subscriber) == [2]


@pytest.mark.parametrize("dtype", [POSE, FRAME], ids=["inline", "frame"])
def test_lost_messages_are_counted(dtype: np.dtype) -> None:
    with (
        Publisher("topic", dtype, depth=4) as publisher,
        Subscriber("topic", dtype, start="next") as subscriber,
    ):
        publisher.send((0, 0))
        assert subscriber.take().position == 0
        for number in range(1, 11):
            publisher.send((number, 0))
        found = [int(sample.data[dtype.names[0]]) for sample in iter(subscriber.take, None)]
        assert found == [7, 8, 9, 10]
        assert subscriber.lost_count == 6
        assert subscriber.skipped_count == 0


def test_messages_lost_before_the_first_take_are_counted() -> None:
    with (
        Publisher("poses", POSE, depth=4) as publisher,
        Subscriber("poses", POSE, start="next") as subscriber,
    ):
        for seq in range(10):
            publisher.send((seq, 0))
        assert seqs(subscriber) == [6, 7, 8, 9]
        assert subscriber.lost_count == 6


def test_take_latest_counts_what_it_skips() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        for seq in range(5):
            publisher.send((seq, 0))
        sample = subscriber.take_latest()
        assert sample is not None
        assert sample.data["seq"] == 4
        assert sample.position == 4
        assert subscriber.skipped_count == 4
        assert subscriber.lost_count == 0
        assert subscriber.take_latest() is None
        assert subscriber.take() is None


def test_publishers_come_and_go() -> None:
    with Subscriber("poses", POSE, start="oldest") as subscriber:
        assert subscriber.publisher_count == 0
        with Publisher("poses", POSE) as publisher:
            assert subscriber.publisher_count == 1
            publisher.send((1, 0))
            first = subscriber.receive(10)
        with Publisher("poses", POSE) as publisher:
            publisher.send((2, 0))
            second = subscriber.receive(10)
        assert [first.data["seq"], second.data["seq"]] == [1, 2]
        assert first.publisher != second.publisher
        assert first.position == second.position == 0
        assert subscriber.publisher_count == 0


def test_message_of_another_process() -> None:
    with Subscriber("poses", POSE, start="oldest") as subscriber:
        code = (
            "import signalbox, sys\n"
            "with signalbox.Publisher('poses', [('seq', 'u8'), ('xyz', 'f8', 3)]) as poses:\n"
            "    poses.send((42, (1, 2, 3)))\n"
            "    sys.stdin.read()\n"
        )
        with start_python("-c", code):
            sample = subscriber.receive(WATCHDOG_S)
        assert sample.data["seq"] == 42
        assert sample.data["xyz"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ([("seq", "u8"), ("xyz", "f4", 3)], "xyz"),
        ([("seq", "u4"), ("xyz", "f8", 3)], "seq"),
        ([("seq", "u8"), ("xyz", "f8", 4)], "xyz"),
        ([("seq", "u8"), ("pos", "f8", 3)], "xyz"),
    ],
)
def test_mismatch_names_the_field(other: list[tuple], field: str) -> None:
    with Publisher("poses", POSE):
        for join in (Subscriber, Publisher):
            with pytest.raises(SignalboxError, match=f"'{field}'") as refused:
                join("poses", other)
            assert refused.value.code == "type_mismatch"
            assert "poses" in str(refused.value)


def test_mismatch_of_the_tail() -> None:
    with Publisher("poses", POSE, tail_max=10):
        with pytest.raises(SignalboxError, match="tail") as refused:
            Subscriber("poses", POSE)
        assert refused.value.code == "type_mismatch"


@pytest.mark.parametrize("topic", ["", "/poses", "po ses", "a//b", "../poses", "a" * 1000])
def test_bad_name(topic: str) -> None:
    with pytest.raises(SignalboxError) as refused:
        Subscriber(topic, POSE)
    assert refused.value.code == "bad_name"


@pytest.fixture
def two_domains(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    # SIGNALBOX_DIR goes before any domain, so topics of different domains need it unset.
    monkeypatch.delenv("SIGNALBOX_DIR")
    names = [f"python-test-{os.getpid()}-{i}" for i in range(2)]
    yield names
    for name in names:
        shutil.rmtree(f"/dev/shm/signalbox-{os.getuid()}/{name}", ignore_errors=True)


def test_domains_are_apart(two_domains: list[str]) -> None:
    here, elsewhere = two_domains
    with (
        Publisher("poses", POSE, domain=here) as publisher,
        Subscriber("poses", POSE, domain=here) as same,
        Subscriber("poses", POSE, domain=elsewhere) as other,
    ):
        publisher.send((1, 0))
        assert same.take() is not None
        assert other.take() is None
        assert publisher.subscriber_count == 1


def test_no_permission(domain_directory: Path) -> None:
    code = """
import os, pickle, sys
from signalbox import SignalboxError, Subscriber
if os.geteuid() == 0:
    os.setuid(65534)  # root may enter every directory
try:
    Subscriber("poses", [("seq", "u8")])
except SignalboxError as error:
    sys.stdout.buffer.write(pickle.dumps(error).hex().encode())
"""
    domain_directory.chmod(0)
    try:
        refused = pickle.loads(bytes.fromhex(run_python(code)))
    finally:
        domain_directory.chmod(0o700)
    assert isinstance(refused, SignalboxPermissionError)
    assert isinstance(refused, PermissionError)
    assert refused.code == "permission_denied"
    assert refused.errno == errno.EACCES
    assert str(domain_directory) in str(refused)


def test_released_sample() -> None:
    with Publisher("frames", FRAME) as publisher, Subscriber("frames", FRAME) as subscriber:
        publisher.send((3, 9))
        sample = subscriber.take()
        assert repr(sample) == "<signalbox.Sample 0>"
        pixels = sample.data["pixels"]
        with sample:
            assert sample.data["number"] == 3
        assert repr(sample) == "<signalbox.Sample 0 released>"
        with pytest.raises(SignalboxError, match="was released") as refused:
            _ = sample.data
        assert refused.value.code == "closed"
        sample.release()
        assert sample.position == 0
        assert (pixels == 9).all()


def test_too_many_samples_held() -> None:
    with (
        Publisher("frames", FRAME, depth=128, held_max=128) as publisher,
        Subscriber("frames", FRAME, start="oldest") as subscriber,
    ):
        for number in range(100):
            publisher.send((number, 0))
        held = [subscriber.take() for _ in range(64)]
        with pytest.raises(SignalboxError) as refused:
            subscriber.take()
        assert refused.value.code == "limit_reached"
        held.clear()
        assert subscriber.take().data["number"] == 64


def test_what_a_subscriber_says_of_itself() -> None:
    with Subscriber("robot/pose", POSE) as subscriber:
        assert subscriber.topic == "robot/pose"
        assert subscriber.dtype == POSE
        assert repr(subscriber) == "<signalbox.Subscriber 'robot/pose'>"
    assert subscriber.closed
    subscriber.close()
    assert repr(subscriber) == "<signalbox.Subscriber 'robot/pose' closed>"
    for call in (
        subscriber.take,
        subscriber.take_latest,
        subscriber.wait,
        subscriber.receive,
        subscriber.fileno,
        lambda: subscriber.lost_count,
        lambda: subscriber.skipped_count,
        lambda: subscriber.publisher_count,
    ):
        with pytest.raises(SignalboxError) as refused:
            call()
        assert refused.value.code == "closed"
    assert list(subscriber) == []


def test_iteration_receives_until_the_subscriber_is_closed() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        for seq in range(3):
            publisher.send((seq, 0))
        found = []
        for sample in subscriber:
            found.append(int(sample.data["seq"]))
            if len(found) == 3:
                subscriber.close()
        assert found == [0, 1, 2]


def test_errors_can_be_pickled_and_versions_agree() -> None:
    error = pickle.loads(pickle.dumps(SignalboxError("text", "no_space", 28)))
    assert (str(error), error.code, error.errno) == ("text", "no_space", 28)
    assert signalbox.__version__ == signalbox.library_version()


def test_every_public_name_has_a_docstring() -> None:
    public = [getattr(signalbox, name) for name in signalbox.__all__ if not name.startswith("_")]
    for thing in public:
        assert thing.__doc__, thing
        if not isinstance(thing, type) or issubclass(thing, Exception):
            continue
        for name in dir(thing):
            if not name.startswith("_"):
                assert getattr(thing, name).__doc__, f"{thing.__name__}.{name}"


def test_stub_names_what_the_compiled_half_has() -> None:
    stub = ast.parse(Path(signalbox.__file__).with_name("_core.pyi").read_text())
    for thing in stub.body:
        if isinstance(thing, ast.ClassDef):
            stated = {part.name for part in thing.body if isinstance(part, ast.FunctionDef)}
            found = {name for name in vars(getattr(_core, thing.name)) if not name.startswith("_")}
            assert {name for name in stated if not name.startswith("_")} == found
        elif isinstance(thing, ast.FunctionDef):
            assert hasattr(_core, thing.name)
