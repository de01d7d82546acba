"""Frames come by waiting; when waiting fails, by polling; and then by waiting again."""

import os
import threading

import clips
import numpy as np
import pytest
from camera import Camera

from petcam_detector import inbox
from petcam_detector.inbox import FrameInbox, Wake

PICTURE = clips.cover(clips.photograph("coffee"), (640, 360))


@pytest.fixture
def signals():
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    yield readable, writable
    os.close(readable)
    os.close(writable)


@pytest.fixture
def frames(topics, signals):
    box = FrameInbox(signals[0])
    yield box
    box.close()


def break_descriptor(box: FrameInbox) -> None:
    """Puts a pipe whose reader has gone in the place of the descriptor: poll reports an error."""
    readable, writable = os.pipe()
    os.close(readable)
    os.dup2(writable, box._frames.fileno(), inheritable=False)
    os.close(writable)


def take_all(box):
    while (sample := box.take()) is not None:
        yield int(sample.data["number"])


def test_a_frame_wakes_and_the_newest_is_taken(frames):
    camera = Camera()
    list(take_all(frames))
    for _ in range(3):
        camera.show(PICTURE)
    assert frames.wait(5) is Wake.READY
    assert list(take_all(frames)) == [2]
    assert frames.dropped_count == 2
    assert frames.wait(0) is Wake.TIMED_OUT


def test_a_sleeper_is_woken(frames):
    camera = Camera()
    list(take_all(frames))
    thread = threading.Timer(0.05, camera.show, [PICTURE])
    thread.start()
    assert frames.wait(60) is Wake.READY
    thread.join()
    assert list(take_all(frames)) == [0]


def test_a_signal_wakes(frames, signals):
    os.write(signals[1], b"\x0f")
    assert frames.wait(60) is Wake.INTERRUPTED
    assert frames.wait(0) is Wake.TIMED_OUT


def test_a_camera_that_restarts_is_found(frames):
    first = Camera()
    first.show(PICTURE)
    assert list(take_all(frames)) == [0]
    first.close()
    second = Camera(size=(640, 480))
    second.show(clips.cover(PICTURE, (640, 480)))
    while not (numbers := list(take_all(frames))):
        assert frames.wait(10) is Wake.READY
    assert numbers == [0]


def test_ten_errors_make_it_poll_and_a_fresh_subscription_ends_that(frames, monkeypatch, caplog):
    caplog.set_level("INFO")
    camera = Camera()
    list(take_all(frames))
    break_descriptor(frames)
    for _ in range(inbox.ERRORS_MAX):
        assert not frames.polling
        assert frames.wait(5) is Wake.TIMED_OUT
    assert frames.polling
    assert "polls every 10 ms" in frames.note

    camera.show(PICTURE)  # frames still come
    assert frames.wait(5) is Wake.TIMED_OUT
    assert list(take_all(frames)) == [0]

    # The next try comes at once instead of in five seconds.
    frames._retry_at = 0.0
    assert frames.wait(5) is Wake.READY
    assert (frames.polling, frames.note) == (False, "")
    list(take_all(frames))
    camera.show(PICTURE)
    assert frames.wait(5) is Wake.READY
    assert list(take_all(frames)) == [1]
    said = [record.message for record in caplog.records]
    assert len([line for line in said if "waits for frames failed" in line]) == 1
    assert len([line for line in said if "works again" in line]) == 1


def test_polling_heeds_signals_and_goes_on_while_nothing_better_works(frames, signals, monkeypatch):
    break_descriptor(frames)
    for _ in range(inbox.ERRORS_MAX):
        frames.wait(0)

    def refused(self):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(FrameInbox, "_open", refused)
    frames._retry_at = 0.0
    assert frames.wait(5) is Wake.TIMED_OUT
    assert frames.polling
    assert "Too many open files" in frames.note
    os.write(signals[1], b"\x0f")
    assert frames.wait(5) is Wake.INTERRUPTED


def test_one_error_is_not_ten(frames):
    camera = Camera()
    list(take_all(frames))
    for _ in range(inbox.ERRORS_MAX - 1):
        frames._failed(OSError(5, "made up"))
    camera.show(PICTURE)
    assert frames.wait(5) is Wake.READY
    frames._failed(OSError(5, "made up"))
    assert not frames.polling


def test_the_pixels_are_the_publishers_memory(frames):
    camera = Camera()
    list(take_all(frames))
    camera.show(PICTURE)
    sample = frames.take()
    tail = sample.tail
    assert not tail.flags.writeable
    assert not tail.flags.owndata
    assert (tail == clips.i420(PICTURE)).all()
    assert np.shares_memory(tail, sample.tail)
