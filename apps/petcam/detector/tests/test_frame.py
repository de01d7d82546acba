"""A frame is a view of shared memory: nothing is copied until somebody asks for a small picture."""

import clips
import numpy as np
import pytest
from conftest import frame_of, header_of

from petcam_detector.frame import Frame, FrameError


def test_planes_are_views_of_the_tail():
    picture = clips.cover(clips.photograph("coffee"), (640, 480))
    tail = clips.i420(picture)
    frame = Frame.from_message(header_of(picture), tail)
    for plane in (frame.y, frame.u, frame.v):
        assert np.shares_memory(plane, tail)
    assert frame.size == (640, 480)
    assert frame.u.shape == frame.v.shape == (240, 320)


def test_a_stride_is_skipped():
    picture = clips.cover(clips.photograph("chelsea"), (300, 200))
    dense = frame_of(picture)
    padded = frame_of(picture, stride=384)
    for name in ("y", "u", "v"):
        assert (getattr(dense, name) == getattr(padded, name)).all()


@pytest.mark.parametrize(
    ("size", "small"),
    [((1280, 720), (320, 180)), ((640, 480), (320, 240)), ((720, 1280), (180, 320)),
     ((1000, 562), (320, 180)), ((200, 100), (200, 100))],
)  # fmt: skip
def test_the_small_picture_keeps_the_shape_and_the_brightness(size, small):
    frame = frame_of(clips.cover(clips.photograph("coffee"), size))
    assert frame.small.shape[::-1] == small
    assert frame.small.mean() == pytest.approx(frame.y.mean(), abs=1.5)
    assert frame.small_scale == pytest.approx(size[0] / small[0])


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("width", 641, "even"),
        ("height", 0, "even"),
        ("stride", 630, "stride of 630"),
        ("height", 4000, "but its tail has"),
    ],
)
def test_a_frame_that_does_not_fit_its_tail_is_refused_in_words(field, value, says):
    picture = clips.cover(clips.photograph("coffee"), (640, 480))
    header = header_of(picture, number=7)
    header[field] = value
    with pytest.raises(FrameError, match=says) as refused:
        Frame.from_message(header, clips.i420(picture))
    assert "frame 7" in str(refused.value)
