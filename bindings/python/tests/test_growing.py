"""Tails longer than a publisher was opened for, and loans in batches."""

from pathlib import Path

import numpy as np
import pytest
from observing import POSE, start_python
from signalbox import Publisher, SignalboxError, Subscriber

MOST = 1 << 20


def pattern(number: int, size: int) -> np.ndarray:
    return ((np.arange(size) * 7 + number) % 256).astype(np.uint8)


def test_a_publisher_grows() -> None:
    with (
        Publisher("grow", POSE, tail_max=100, grown_tail_max=MOST) as publisher,
        Subscriber("grow", POSE, tail=True) as subscriber,
    ):
        for number, size in enumerate([50, 5_000, 0, MOST, 100, 70_000]):
            with publisher.loan(size) as loan:
                loan.data["seq"] = number
                loan.tail[:] = pattern(number, size)
            sample = subscriber.take()
            assert sample is not None
            assert sample.data["seq"] == number
            assert np.array_equal(sample.tail, pattern(number, size))
        with pytest.raises(SignalboxError, match="grown_tail_bytes_max 1048576") as refused:
            publisher.loan(MOST + 1)
        assert refused.value.code == "too_large"


def test_plain_bytes_may_begin_with_nothing() -> None:
    with (
        Publisher("bytes", None, grown_tail_max=MOST) as publisher,
        Subscriber("bytes", None, tail=True) as subscriber,
    ):
        publisher.send(bytes(pattern(3, 20_000)))
        sample = subscriber.take()
        assert sample is not None
        assert np.array_equal(sample.tail, pattern(3, 20_000))


READER = """
import sys
import numpy as np
from signalbox import Subscriber
from observing import POSE
with Subscriber("grow", POSE, tail=True, reliable=True) as subscriber:
    print("joined", flush=True)
    for number in range(40):
        sample = subscriber.receive(timeout=60)
        size = 10 + number * number * 50
        expected = ((np.arange(size) * 7 + number) % 256).astype(np.uint8)
        assert sample is not None and sample.data["seq"] == number
        assert np.array_equal(sample.tail, expected), number
    print("all", subscriber.lost_count, flush=True)
"""


def test_another_process_reads_what_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    with start_python("-c", READER) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "joined\n"
        with Publisher("grow", POSE, depth=8, loans_max=4, grown_tail_max=MOST) as publisher:
            for first in range(0, 40, 4):
                loans = publisher.loan_batch(4, 10 + (first + 3) ** 2 * 50)
                assert len(loans) == 4
                for number, loan in enumerate(loans, first):
                    size = 10 + number * number * 50
                    loan.shorten(size)
                    loan.data["seq"] = number
                    loan.tail[:] = pattern(number, size)
                assert publisher.publish_batch(loans, timeout=60) == 4
            output, errors = reader.communicate(timeout=60)
        assert output == "all 0\n", errors


def test_fewer_loans_and_a_full_ring_are_told() -> None:
    with (
        Publisher("grow", POSE, depth=4, loans_max=6, tail_max=600) as publisher,
        Subscriber("grow", POSE, tail=True, reliable=True) as subscriber,
    ):
        loans = publisher.loan_batch(8, 600)
        assert len(loans) == 6
        with pytest.raises(SignalboxError) as refused:
            publisher.loan_batch(1)
        assert refused.value.code == "limit_reached"
        for number, loan in enumerate(loans):
            loan.data["seq"] = number
        held = loans[0].data
        assert publisher.publish_batch(loans) == 4
        assert not held.flags.writeable
        with pytest.raises(SignalboxError, match="already published"):
            _ = loans[0].data
        assert loans[4].data["seq"] == 4
        for number in range(4):
            sample = subscriber.take()
            assert sample is not None
            assert sample.data["seq"] == number
            sample.release()
        assert publisher.publish_batch(loans[4:]) == 2
        assert publisher.publish_batch([]) == 0
