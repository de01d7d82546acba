"""No copies, read-only memory, and pins that live exactly as long as the arrays."""

import gc
import json
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from observing import FRAME, POSE, descriptor_count, mapping_count, place_of, run_python
from signalbox import Publisher, SignalboxError, Subscriber

PICTURE = np.dtype([("number", "u8"), ("pixels", "u1", (1080, 1920, 3))], align=True)


def test_subscriber_reads_the_very_bytes_the_publisher_wrote(domain_directory: Path) -> None:
    with Publisher("frames", FRAME) as publisher, Subscriber("frames", FRAME) as subscriber:
        with publisher.loan() as loan:
            written = place_of(loan.data)
            loan.data["number"] = 1
        sample = subscriber.take()
        read = place_of(sample.data)
        assert written is not None
        assert read is not None
        assert read.path.startswith(str(domain_directory))
        assert (read.inode, read.offset) == (written.inode, written.offset)
        assert written.permissions.startswith("rw")
        assert read.permissions.startswith("r-")
        assert np.shares_memory(sample.data, sample.data["pixels"])


def writable_mappings() -> int:
    """Of publishers' files that were opened by their name."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return sum("/pub-" in line and "rw-s" in line for line in lines)


def test_ring_is_mapped_writable_where_it_is_asked_for() -> None:
    with Publisher("poses", POSE) as publisher:
        for writable in (False, True):
            with Subscriber("poses", POSE, writable_ring=writable) as subscriber:
                assert writable_mappings() == writable
                publisher.send((7, 0))
                assert subscriber.take().data["seq"] == 7
        assert writable_mappings() == 0


def test_tail_is_not_copied_either(domain_directory: Path) -> None:
    with (
        Publisher("frames", POSE, tail_max=10_000) as publisher,
        Subscriber("frames", POSE, tail=True) as subscriber,
    ):
        with publisher.loan(10_000) as loan:
            written = place_of(loan.tail)
        sample = subscriber.take()
        read = place_of(sample.tail)
        assert read.path.startswith(str(domain_directory))
        assert (read.inode, read.offset) == (written.inode, written.offset)
        assert read.offset % 64 == 0


def test_another_process_reads_the_very_bytes_too(domain_directory: Path) -> None:
    code = """
import json, sys
sys.path.insert(0, sys.argv[1])
from observing import FRAME, place_of
from signalbox import Subscriber
sample = Subscriber("frames", FRAME).receive(60)
place = place_of(sample.data)
print(json.dumps([place.inode, place.offset, int(sample.data["number"])]))
"""
    with Publisher("frames", FRAME) as publisher:
        with publisher.loan() as loan:
            written = place_of(loan.data)
            loan.data["number"] = 77
        answer = json.loads(run_python(code, str(Path(__file__).parent)))
    assert answer == [written.inode, written.offset, 77]


def test_taking_a_large_message_allocates_next_to_nothing() -> None:
    with (
        Publisher("pictures", PICTURE, depth=2) as publisher,
        Subscriber("pictures", PICTURE) as subscriber,
    ):
        publisher.publish(publisher.loan())
        subscriber.take().data["pixels"]  # what is made once is made
        publisher.publish(publisher.loan())
        tracemalloc.start()
        try:
            sample = subscriber.take()
            pixels = sample.data["pixels"]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert pixels.nbytes == 1080 * 1920 * 3
        assert peak < 10_000


@pytest.mark.parametrize("dtype", [POSE, FRAME], ids=["inline", "frame"])
def test_received_arrays_are_read_only(dtype: np.dtype) -> None:
    with (
        Publisher("topic", dtype, tail_max=64) as publisher,
        Subscriber("topic", dtype, tail=True) as subscriber,
    ):
        publisher.send((1, 0), tail=b"tail")
        publisher.send((2, 0))
        for sample in (subscriber.take(), subscriber.take()):
            for array in (sample.data, sample.tail):
                assert not array.flags.writeable
                with pytest.raises(ValueError, match="WRITEABLE"):
                    array.flags.writeable = True
            with pytest.raises(ValueError, match="read-only"):
                sample.data[dtype.names[0]] = 1
            assert memoryview(sample.tail).readonly


def test_arrays_are_made_once_per_sample() -> None:
    with Publisher("frames", FRAME) as publisher, Subscriber("frames", FRAME) as subscriber:
        publisher.send((1, 0))
        sample = subscriber.take()
        assert sample.data is sample.data
        assert sample.tail is sample.tail


@pytest.mark.parametrize("dtype", [POSE, FRAME], ids=["inline", "frame"])
def test_array_outlives_sample_subscriber_and_publisher(dtype: np.dtype) -> None:
    publisher = Publisher("topic", dtype, depth=2)
    subscriber = Subscriber("topic", dtype)
    publisher.send((7, 3))
    sample = subscriber.take()
    field = sample.data[dtype.names[1]]
    del sample
    subscriber.close()
    del subscriber
    for number in range(20):
        publisher.send((number, 9))
    assert (field == 3).all()
    publisher.close()
    del publisher
    gc.collect()
    assert (field == 3).all()


def held_until_would_block(publisher: Publisher, subscriber: Subscriber) -> list[np.ndarray]:
    """Views of pixels, as many as may be held."""
    views = []
    with pytest.raises(SignalboxError) as refused:
        for number in range(100):
            publisher.send((number, 0))
            views.append(subscriber.take().data["pixels"][10:20, 5])
    assert refused.value.code == "would_block"
    return views


def test_pin_ends_with_the_last_view() -> None:
    with (
        Publisher("frames", FRAME, depth=1, held_max=2) as publisher,
        Subscriber("frames", FRAME) as subscriber,
    ):
        views = held_until_would_block(publisher, subscriber)
        other = views[0][::2]
        views.pop(0)
        # The slice of the view still holds the frame.
        with pytest.raises(SignalboxError):
            publisher.loan()
        del other
        publisher.publish(publisher.loan())


def test_pin_may_end_in_another_thread() -> None:
    with (
        Publisher("frames", FRAME, depth=1, held_max=1) as publisher,
        Subscriber("frames", FRAME) as subscriber,
    ):
        views = held_until_would_block(publisher, subscriber)
        thread = threading.Thread(target=views.clear)
        thread.start()
        thread.join()
        publisher.publish(publisher.loan())


def test_small_messages_are_copied_and_pin_nothing() -> None:
    with (
        Publisher("poses", POSE, depth=2, held_max=0) as publisher,
        Subscriber("poses", POSE, start="oldest") as subscriber,
    ):
        held = []
        for seq in range(200):
            publisher.send((seq, (seq, 0, 0)))
            held.append(subscriber.take().data)
        assert place_of(held[0]) is None or "heap" in place_of(held[0]).path
        assert [int(data["seq"]) for data in held] == list(range(200))
        assert held[150]["xyz"][0] == 150


def test_samples_survive_shuffling_and_copying() -> None:
    with Publisher("frames", FRAME) as publisher, Subscriber("frames", FRAME) as subscriber:
        publisher.send((5, 1))
        data = subscriber.take().data
        copy = data.copy()
        assert copy.flags.writeable
        assert not np.shares_memory(copy, data)
        assert place_of(copy) is None
        whole = np.asarray(data)
        assert np.shares_memory(whole, data)


def use_once(topic: str) -> None:
    with (
        Publisher(topic, FRAME) as publisher,
        Subscriber(topic, FRAME) as subscriber,
    ):
        publisher.send((1, 0))
        subscriber.fileno()
        sample = subscriber.take()
        assert sample.data["number"] == 1


def test_two_thousand_handles_leave_nothing(domain_directory: Path) -> None:
    for _ in range(20):
        use_once("leak")
    gc.collect()
    files = sorted(path.name for path in domain_directory.rglob("*"))
    descriptors, mappings = descriptor_count(), mapping_count()
    for _ in range(2000):
        use_once("leak")
    gc.collect()
    assert descriptor_count() == descriptors
    # The allocator may map or merge a few pieces of its own.
    assert mapping_count() <= mappings + 5
    assert sorted(path.name for path in domain_directory.rglob("*")) == files
