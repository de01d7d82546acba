"""The still gate lets changes through and noise not."""

import clips
import cv2
import numpy as np
import pytest
from conftest import frame_of

from petcam_detector.gate import StillGate

ROOM = clips.cover(clips.photograph("coffee"), (1280, 720))


def noisy(picture, sigma, seed):
    grain = np.random.default_rng(seed).normal(0, sigma, picture.shape[:2])[..., None]
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def test_the_first_frame_and_the_first_after_a_reset_count():
    gate = StillGate()
    assert gate.changed(frame_of(ROOM))
    assert not gate.changed(frame_of(ROOM))
    gate.reset()
    assert gate.changed(frame_of(ROOM))


@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_noise_is_still(sigma):
    gate = StillGate()
    gate.changed(frame_of(noisy(ROOM, sigma, 0)))
    passed = sum(gate.changed(frame_of(noisy(ROOM, sigma, seed))) for seed in range(1, 31))
    assert passed <= 1


@pytest.mark.parametrize("sigma", [0.0, 3.0])
def test_a_small_animal_that_takes_a_step_is_a_change(sigma):
    gate = StillGate()
    cat = cv2.resize(clips.photograph("chelsea"), (64, 43))
    for x in range(200, 1000, 80):
        picture = ROOM.copy()
        clips.paste(picture, cat, x, 500, None)
        assert gate.changed(frame_of(noisy(picture, sigma, x)))


def test_slow_changes_add_up():
    gate = StillGate()
    gate.changed(frame_of(ROOM))
    passed = []
    for step in range(60):
        picture = ROOM.copy()
        picture[100:300, 100:300] = np.clip(picture[100:300, 100:300].astype(int) + step, 0, 255)
        passed.append(gate.changed(frame_of(picture)))
    assert 2 <= sum(passed) <= 6


def test_another_size_is_a_change():
    gate = StillGate()
    gate.changed(frame_of(ROOM))
    assert gate.changed(frame_of(clips.cover(ROOM, (640, 480))))


def test_it_holds_no_view_of_the_frame():
    gate = StillGate()
    frame = frame_of(ROOM)
    gate.changed(frame)
    assert not np.shares_memory(gate._reference, frame.y)
