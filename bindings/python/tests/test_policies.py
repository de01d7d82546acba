"""What happens to a reliable subscriber that is behind: it is waited for, or messages are dropped,
or it is evicted; and a publisher that wakes nobody."""

import select

import numpy as np
import pytest
from observing import POSE, start_python
from signalbox import Publisher, SignalboxError, Subscriber

# Joins as a reliable subscriber and says what take() tells, once for each line it is sent.
SLOW = """
import sys, numpy as np, signalbox
POSE = np.dtype([("seq", "u8"), ("xyz", "f8", 3)], align=True)
with signalbox.Subscriber("poses", POSE, start="oldest", reliable=True) as poses:
    print("ready", flush=True)
    for _ in sys.stdin:
        try:
            sample = poses.take()
            print(None if sample is None else int(sample.data["seq"]), flush=True)
        except signalbox.SignalboxError as error:
            print(error.code, poses.lost_count, flush=True)
"""


def pose(seq: int) -> np.ndarray:
    return np.array((seq, (1.0, 2.0, 3.0)), POSE)


def test_evicted_process_is_told_and_counted() -> None:
    with (
        Publisher("poses", POSE, depth=4, when_behind="evict") as publisher,
        start_python("-c", SLOW) as slow,
    ):
        assert slow.stdout is not None
        assert slow.stdin is not None
        assert slow.stdout.readline() == "ready\n"
        for seq in range(4):
            publisher.send(pose(seq))
        assert publisher.evicted_count == 0
        publisher.send(pose(4))
        assert publisher.evicted_count == 1
        assert publisher.dropped_count == 0
        for _ in range(2):
            slow.stdin.write("\n")
            slow.stdin.flush()
            assert slow.stdout.readline() == "evicted 5\n"


def test_evicted_is_raised_also_by_receive_and_batches() -> None:
    with (
        Publisher("poses", POSE, depth=2, when_behind="evict") as publisher,
        Subscriber("poses", POSE, reliable=True) as subscriber,
    ):
        for seq in range(3):
            publisher.send(pose(seq))
        for call in (subscriber.receive, subscriber.wait, subscriber.take_batch):
            with pytest.raises(SignalboxError) as told:
                call()
            assert told.value.code == "evicted"
        publisher.send(pose(3))
        assert subscriber.lost_count == 4


@pytest.mark.parametrize("timeout", [0.0, 30.0, None])
def test_drop_new_never_waits_and_counts_each_message_once(timeout: float | None) -> None:
    with (
        Publisher("poses", POSE, depth=2, when_behind="drop_new") as publisher,
        Subscriber("poses", POSE, reliable=True) as subscriber,
    ):
        for seq in range(2):
            publisher.send(pose(seq), timeout=timeout)
        for count in (1, 2, 3):
            with pytest.raises(SignalboxError) as dropped:
                publisher.send(pose(99), timeout=timeout)
            assert dropped.value.code == "would_block"
            assert publisher.dropped_count == count
        loan = publisher.loan()
        loan.data[...] = pose(2)
        with pytest.raises(SignalboxError):
            publisher.publish(loan, timeout=timeout)
        assert publisher.dropped_count == subscriber.dropped_count == 4
        assert subscriber.take_batch()["seq"].tolist() == [0, 1]
        publisher.publish(loan)
        assert subscriber.take_batch()["seq"].tolist() == [2]
        assert (subscriber.dropped_count, subscriber.lost_count) == (4, 0)


def test_unknown_policy_is_refused_by_name() -> None:
    with pytest.raises(SignalboxError, match="when_behind is 'later'") as refused:
        Publisher("poses", POSE, when_behind="later")  # type: ignore[arg-type]
    assert refused.value.code == "bad_argument"


def test_negative_spin_is_refused() -> None:
    with pytest.raises(SignalboxError, match="spin_max_ns"):
        Subscriber("poses", POSE, spin_max_ns=-1)


def test_silent_publisher_signals_no_descriptor_and_is_found_all_the_same() -> None:
    with (
        Publisher("poses", POSE, wake=False) as publisher,
        Subscriber("poses", POSE, spin_max_ns=0) as subscriber,
    ):
        publisher.loan().drop()  # meets the subscriber
        door = subscriber.fileno()
        assert subscriber.take() is None  # arms it
        loan = publisher.loan()
        loan.data[...] = pose(5)
        publisher.publish(loan)
        assert select.select([door], [], [], 0)[0] == []
        sample = subscriber.receive()
        assert sample is not None
        assert sample.data["seq"] == 5
