"""Many messages in one call: the same ones, in the same order, into the same memory."""

import numpy as np
import pytest
from observing import FRAME, POSE, run_python, start_python
from signalbox import Publisher, SignalboxError, SignalboxTimeoutError, Subscriber


def poses(first: int, count: int) -> np.ndarray:
    batch = np.zeros(count, POSE)
    batch["seq"] = np.arange(first, first + count)
    batch["xyz"] = batch["seq"][:, None] + [0.0, 0.25, 0.5]
    return batch


def test_batch_arrives_whole_and_in_order() -> None:
    with (
        Publisher("poses", POSE, depth=64) as publisher,
        Subscriber("poses", POSE) as subscriber,
    ):
        assert publisher.send_batch(poses(0, 50)) == 50
        batch = subscriber.take_batch()
        assert batch.dtype == POSE
        assert np.array_equal(batch, poses(0, 50))
        assert len(subscriber.take_batch()) == 0


def test_room_cuts_a_batch_and_the_next_goes_on() -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        publisher.send_batch(poses(0, 5))
        assert subscriber.take_batch(2)["seq"].tolist() == [0, 1]
        assert subscriber.take_batch(0)["seq"].tolist() == []
        assert subscriber.take_batch(room=100)["seq"].tolist() == [2, 3, 4]


def test_out_is_filled_in_place() -> None:
    out = poses(100, 4)
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        publisher.send_batch(poses(0, 3))
        batch = subscriber.take_batch(out=out)
        assert np.shares_memory(batch, out)
        assert out["seq"].tolist() == [0, 1, 2, 103]
        publisher.send_batch(poses(3, 4))
        assert subscriber.take_batch(out=out) is out
        assert out["seq"].tolist() == [3, 4, 5, 6]


def test_large_messages_and_those_with_tails() -> None:
    frames = np.zeros(3, FRAME)
    frames["number"] = [7, 8, 9]
    frames["pixels"][:, 59, 79] = [1, 2, 3]
    with (
        Publisher("frames", FRAME, tail_max=16) as publisher,
        Subscriber("frames", FRAME, tail=True) as subscriber,
    ):
        assert publisher.send_batch(frames) == 3
        assert np.array_equal(subscriber.take_batch(), frames)
        publisher.send(frames[0], tail=b"tail")
        publisher.send_batch(frames[1:])
        first = subscriber.take()
        assert first is not None
        assert first.tail.tobytes() == b"tail"
        second = subscriber.take()
        assert second is not None
        assert len(second.tail) == 0
        assert subscriber.take_batch()["number"].tolist() == [9]


def test_short_batch_says_how_many_and_an_empty_one_raises() -> None:
    with (
        Publisher("poses", POSE, depth=8) as publisher,
        Subscriber("poses", POSE, reliable=True) as subscriber,
    ):
        batch = poses(0, 11)
        assert publisher.send_batch(batch) == 8
        with pytest.raises(SignalboxError) as refused:
            publisher.send_batch(batch[8:])
        assert refused.value.code == "would_block"
        with pytest.raises(SignalboxTimeoutError):
            publisher.send_batch(batch[8:], timeout=0.001)
        assert publisher.send_batch(batch[:0]) == 0
        assert subscriber.take_batch()["seq"].tolist() == list(range(8))
        assert publisher.send_batch(batch[8:], timeout=0.001) == 3


def test_frames_that_are_held_end_a_batch_that_may_wait() -> None:
    with (
        Publisher("frames", FRAME, depth=2, held_max=1) as publisher,
        Subscriber("frames", FRAME, start="oldest") as subscriber,
    ):
        held = []
        frames = np.zeros(1, FRAME)
        with pytest.raises(SignalboxError) as refused:
            for _ in range(10):
                publisher.send_batch(frames, timeout=None)
                held.append(subscriber.take())
        assert refused.value.code == "would_block"
        assert "hold" in str(refused.value)


# Takes batches from one topic and sends them on; ends with the message whose seq is `last`.
RELAY = """
import sys, numpy as np, signalbox
POSE = np.dtype([("seq", "u8"), ("xyz", "f8", 3)], align=True)
last = int(sys.argv[1])
with (
    signalbox.Publisher("back", POSE, depth=64) as back,
    signalbox.Subscriber("there", POSE, start="oldest", reliable=True) as there,
):
    print("ready", flush=True)
    out = np.zeros(7, POSE)
    while True:
        there.wait()
        batch = there.take_batch(out=out)
        while len(batch):
            batch = batch[back.send_batch(batch, timeout=None):]
        if out["seq"].max() == last:
            break
    sys.stdin.read()
"""


def test_batches_cross_processes_complete_and_in_order() -> None:
    count = 5000
    with (
        Publisher("there", POSE, depth=32) as there,
        Subscriber("back", POSE, start="oldest", reliable=True) as back,
        start_python("-c", RELAY, str(count - 1)) as relay,
    ):
        assert relay.stdout is not None
        assert relay.stdout.readline() == "ready\n"
        rest, received = poses(0, count), [np.zeros(0, POSE)]
        while sum(map(len, received)) < count:
            if len(rest):
                try:
                    rest = rest[there.send_batch(rest) :]
                except SignalboxError as error:
                    assert error.code == "would_block"
            received.append(back.take_batch(33))
        assert np.array_equal(np.concatenate(received), poses(0, count))
        assert back.lost_count == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros(2, "u8"), "dtype"),
        (np.zeros((2, 2), POSE), "one dimension"),
        (np.zeros(4, POSE)[::2], "no gaps"),
        (np.zeros((), POSE), "one dimension"),
        ([(1, (0.0, 0.0, 0.0))], "not list"),
    ],
)
def test_what_is_no_batch_is_refused(values: np.ndarray, words: str) -> None:
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        with pytest.raises(TypeError, match=f"send_batch: .*{words}"):
            publisher.send_batch(values)
        with pytest.raises(TypeError, match=f"take_batch: .*{words}"):
            subscriber.take_batch(out=values)
        read_only = np.zeros(2, POSE)
        read_only.setflags(write=False)
        with pytest.raises(TypeError, match="read-only"):
            subscriber.take_batch(out=read_only)


def test_plain_bytes_have_no_batches() -> None:
    with (
        Publisher("bytes", None, tail_max=8) as publisher,
        Subscriber("bytes", None, tail=True) as subscriber,
    ):
        with pytest.raises(TypeError, match="plain bytes"):
            publisher.send_batch(np.zeros(1, POSE))
        with pytest.raises(TypeError, match="plain bytes"):
            subscriber.take_batch()


def test_memory_of_batches_is_given_back() -> None:
    # Counted by Python's own allocator in a process of its own: a leaked array would show.
    grown = run_python(
        """
import gc, sys, numpy as np, signalbox
POSE = np.dtype([("seq", "u8"), ("xyz", "f8", 3)], align=True)
with signalbox.Publisher("poses", POSE) as out, signalbox.Subscriber("poses", POSE) as poses:
    def rounds(count):
        for _ in range(count):
            out.send_batch(np.zeros(8, POSE))
            assert len(poses.take_batch()) == 8
            out.send(np.zeros((), POSE))
            assert poses.take().data["seq"] == 0
    rounds(100)
    references = sys.getrefcount(POSE)
    blocks = sys.getallocatedblocks()
    rounds(1000)
    gc.collect()
    print(sys.getallocatedblocks() - blocks, sys.getrefcount(POSE) - references)
"""
    )
    blocks, references = map(int, grown.split())
    assert blocks < 100
    assert references == 0
