"""Goal: what the report calls torn, doubled or lost is that, and nothing else is. Method: pictures
and event streams made here, with each fault put in on purpose."""

import cv2
import numpy as np
import pytest

from petcam_launcher.strips import BLOCK, BLOCKS, WIDTH, crc8, read_strips
from petcam_launcher.viewer import HEADER, Events, Video

SIZE = (720, 1280)


def paint_strip(luma: np.ndarray, top: int, left: int, number: int) -> None:
    """As camera/strip.hpp lays it out."""
    word = 0b1010 << 44 | number << 12 | crc8(number) << 4 | 0b0101
    for block in range(BLOCKS):
        value = 235 if word >> (BLOCKS - 1 - block) & 1 else 16
        luma[top : top + BLOCK, left + block * BLOCK :][:, :BLOCK] = value


def picture(first: int, last: int | None = None) -> np.ndarray:
    """A grey picture with a number top-left and bottom-right."""
    luma = np.full(SIZE, 128, np.uint8)
    paint_strip(luma, 0, 0, first)
    paint_strip(luma, SIZE[0] - BLOCK, SIZE[1] - WIDTH, first if last is None else last)
    return luma


def message(number: int, luma: np.ndarray, captured_ns: int = 1) -> bytes:
    """As the server sends it."""
    _, jpeg = cv2.imencode(".jpg", luma)
    header = HEADER.pack(number, captured_ns, captured_ns, SIZE[1], SIZE[0])
    return header + jpeg.tobytes()


@pytest.mark.parametrize("number", [0, 1, 0xDEADBEEF, 0xFFFFFFFF])
def test_strips_are_read(number: int) -> None:
    assert read_strips(picture(number)) == (number, number)


def test_the_check_sum_is_the_camera_s() -> None:
    # The same values stand in camera/strip_test.cpp.
    assert crc8(0) == 0xD1
    assert crc8(0xDEADBEEF) == 0x1B


def test_a_wrong_block_is_noticed() -> None:
    for block in range(BLOCKS):
        luma = picture(12345)
        patch = luma[:BLOCK, block * BLOCK : (block + 1) * BLOCK]
        patch[:] = 251 - patch
        assert read_strips(luma) == (None, 12345), f"block {block}"


def test_good_pictures_are_neither_torn_nor_doubled() -> None:
    video = Video(strips=True)
    for number in range(20):
        video.add(message(number, picture(number), captured_ns=number))
    assert (video.pictures, video.torn, video.doubled) == (20, 0, 0)


def test_two_numbers_in_one_picture_are_torn() -> None:
    video = Video(strips=True)
    video.add(message(7, picture(7, 8)))
    video.add(message(9, picture(10), captured_ns=2))  # whole, but not the one announced
    video.add(message(11, picture(11), captured_ns=3)[:-5000])
    assert video.torn == 3


def test_a_number_that_comes_twice_is_doubled() -> None:
    video = Video(strips=True)
    video.add(message(7, picture(7), captured_ns=1))
    video.add(message(7, picture(7), captured_ns=1))
    video.add(message(7, picture(7), captured_ns=2))  # another camera process counts anew
    assert video.doubled == 1


def stream(*messages: tuple[str, str]) -> Events:
    """Events after these (kind, id)."""
    events = Events()
    for kind, identity in messages:
        events.add((f"id: {identity}\n" if identity else "") + f"event: {kind}\ndata: {{}}")
    return events


def test_a_gapless_stream_is_complete() -> None:
    events = stream(("snapshot", "a-4"), ("event", "a-5"), ("tracks", "a-6"), ("status", "a-7"))
    events.add(": a comment")
    assert (events.messages, events.lost, events.doubled) == (4, 0, 0)


def test_lost_and_doubled_messages_are_counted() -> None:
    events = stream(("event", "a-5"), ("event", "a-8"), ("event", "a-8"))
    assert (events.lost, events.doubled) == (2, 1)


def test_a_new_epoch_and_a_resync_begin_anew() -> None:
    events = stream(("event", "a-5"), ("resync", ""), ("snapshot", "b-2"), ("event", "b-3"))
    assert (events.lost, events.doubled) == (0, 0)


def test_an_event_in_the_snapshot_is_the_first_event() -> None:
    events = Events()
    events.add('event: snapshot\nid: a-1\ndata: {"open": []}')
    assert events.first_event_at is None
    events.add('event: snapshot\nid: a-1\ndata: {"open": [{"id": "e1"}]}')
    assert events.first_event_at is not None
