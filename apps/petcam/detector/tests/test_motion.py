"""Motion on real photographs that move, with their placement as the truth.

The cat's photograph moves over the coffee's; a box counts where it overlaps the truth by half. The
detector is what the daemon runs, with its tracker, and what is asked is what the page shows.
"""

import math

import clips
import pytest
from conftest import frame_of

from petcam_detector.detectors.motion import MotionDetector
from petcam_detector.tracker import Tracker


def follow(clip):
    """Per frame: the truth and the tracks."""
    detector, tracker = MotionDetector({}), Tracker()
    for number, (bgr, truth) in enumerate(clip):
        frame = frame_of(bgr, number)
        yield truth, tracker.update(detector.detect(frame), frame.capture_ns, frame.size)


def hits(clip):
    """Frames with the subject, of these followed, frames with anything else, ids of the subject."""
    shown = followed = others = 0
    ids = set()
    for truth, tracks in follow(clip):
        if truth is None:
            others += bool(tracks)
            continue
        shown += 1
        good = [track for track in tracks if clips.iou(track.box, truth) >= 0.5]
        followed += bool(good)
        others += len(tracks) > len(good)
        ids |= {track.id for track in good}
    return shown, followed, others, ids


CLIPS = {
    "round trip": {},
    "through the picture": {"path": clips.crossing},
    "cut out": {"oval": True},
    "small": {"cat_width": 80},
    "fast": {"path": lambda n, size, cat: clips.circle(n, size, cat, turns=4)},
    "noisy": {"noise": 6.0},
    "into an empty room": {"empty_first": 30},
    "640 x 480": {"size": (640, 480), "cat_width": 220},
    "1280 x 720": {"size": (1280, 720), "cat_width": 400},
    "another background": {"background": "brick"},
    "clouds": {"light": lambda i: 1 - 0.3 * math.sin(i / 60) ** 2},
}


@pytest.mark.parametrize("name", CLIPS)
def test_the_moving_cat_is_followed_in_nine_of_ten_frames(name):
    shown, followed, others, ids = hits(clips.moving_cat(**CLIPS[name]))
    assert followed >= 0.9 * shown, f"{followed} of {shown}"
    assert len(ids) <= 3
    assert others <= 0.2 * shown


def test_jpeg_and_chroma_loss_do_not_matter():
    clip = ((clips.recompress(bgr, 60), truth) for bgr, truth in clips.moving_cat(frames=120))
    shown, followed, _, _ = hits(clip)
    assert followed >= 0.9 * shown, f"{followed} of {shown}"


def test_a_lamp_is_not_motion_and_does_not_hide_the_cat():
    clip = clips.moving_cat(light=lambda i: 0.65 if 80 <= i < 160 else 1.0, empty_first=20)
    shown, followed, others, ids = hits(clip)
    assert followed >= 0.95 * shown, f"{followed} of {shown}"
    assert ids == {1}
    assert others <= 0.1 * shown


def test_a_lamp_in_an_empty_room_is_nothing():
    room = clips.cover(clips.photograph("coffee"), (640, 480))
    clip = (((room * (0.6 if i >= 60 else 1.0)).astype("uint8"), None) for i in range(150))
    assert hits(clip)[2] == 0


def test_noise_alone_is_nothing():
    clip = clips.moving_cat(frames=1, empty_first=120, noise=6.0)
    assert hits(clip)[2] == 0


def test_the_floor_a_cat_uncovers_is_no_second_cat():
    """The cat is there from the first frame on, so its place is learnt as background.

    A pure background model would show its ghost there for a minute.
    """

    def leaves(n, size, cat):
        for i in range(n):
            yield round(50 + (size[0] - cat[0] - 100) * min(1.0, i / 60)), 100

    clip = clips.moving_cat(frames=140, path=leaves)
    for number, (truth, tracks) in enumerate(follow(clip)):
        if number >= 120:  # two seconds after the cat stopped
            assert len(tracks) == 1
            assert clips.iou(tracks[0].box, truth) >= 0.5


def test_a_cat_that_stops_stays():
    """Not for ever: it becomes background in time. But no pause of some seconds ends it."""

    def stops(n, size, cat):
        for i in range(n):
            yield round((size[0] - cat[0]) * min(1.0, i / 60) * 0.7), 100

    ids = set()
    for number, (truth, tracks) in enumerate(
        follow(clips.moving_cat(frames=180, path=stops, empty_first=30))
    ):
        if number >= 40:
            best = max(tracks, key=lambda track: clips.iou(track.box, truth))
            assert clips.iou(best.box, truth) >= 0.5, f"frame {number}"
            ids.add(best.id)
    assert len(ids) == 1


def test_another_geometry_starts_anew():
    detector = MotionDetector({})
    large = clips.cover(clips.photograph("coffee"), (1280, 720))
    small = clips.cover(clips.photograph("brick"), (640, 480))
    for number in range(5):
        detector.detect(frame_of(large, number))
    detector.reset()
    for number in range(5, 10):
        assert detector.detect(frame_of(small, number)) == []


def test_a_clock_that_jumps_back_is_a_new_beginning():
    detector = MotionDetector({})
    pictures = [bgr for bgr, _ in clips.moving_cat(frames=10)]
    for number, bgr in enumerate(pictures, start=100):
        detector.detect(frame_of(bgr, number))
    assert detector.detect(frame_of(pictures[0], 0)) == []
