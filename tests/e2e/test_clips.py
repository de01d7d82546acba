"""Goal: the main job works on real input. Method: clips composed of real photographs, whose content
is known frame by frame, go through the whole demo, and what the detector publishes is compared."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from composed_clips import MovingCat, Portrait, iou
from observing import STALL_SECONDS, Examined, examined, stats
from running_demo import LONG, RunningDemo

# The detector learns what the scene looks like without the cat while it sees this much of it.
LEARNING_FRAMES = 50
# So much of a clip is enough, and so many rounds of it. On a busy machine the detector is not given
# every frame; it sees the rest in later rounds, but those after costly frames seldom.
COVERAGE = 0.95
ROUNDS_MAX = 6
COVERAGE_MIN = COVERAGE if LONG else 0.75


def one_round(demo: RunningDemo, frames: int) -> list[Examined]:
    """One look at nearly each frame of the clip."""
    rounds: dict[int, Examined] = {}
    for count, look in enumerate(examined(demo)):
        if count >= LEARNING_FRAMES:
            rounds.setdefault(look.number % frames, look)
        if len(rounds) >= COVERAGE * frames or count > ROUNDS_MAX * frames:
            break
    assert len(rounds) >= COVERAGE_MIN * frames, "the detector left out many frames"
    return list(rounds.values())


@pytest.mark.parametrize("suffix", [".mp4", ".avi"], ids=["h264", "mjpeg"])
def test_the_cat_is_followed(demo: Callable[..., RunningDemo], tmp_path: Path, suffix: str) -> None:
    cat = MovingCat()
    clip = tmp_path / f"cat{suffix}"
    cat.write(clip)
    running = demo("--video", clip, "--detector", "motion")
    looks = one_round(running, cat.frames)

    hits = [
        any(iou(found.box, cat.truth(look.number)) >= 0.5 for found in look.found) for look in looks
    ]
    print(f"motion box on the cat: {sum(hits)} of {len(hits)} frames")
    assert sum(hits) >= 0.9 * len(hits)
    assert stats(running, "camera")["frames_dropped"] == 0, "the truth no longer fits the frames"


def test_the_face_is_found_and_keeps_its_identity(
    demo: Callable[..., RunningDemo], tmp_path: Path
) -> None:
    portrait = Portrait()
    clip = tmp_path / "portrait.mp4"
    portrait.write(clip)
    config = tmp_path / "petcam.yaml"
    config.write_text("detector: {type: motion, motion: {cascades: [face]}}\n")
    running = demo("--video", clip, "--config", config)
    looks = one_round(running, portrait.frames)

    found = [look for look in looks if face_of(look, portrait) is not None]
    switches = switches_of(looks, portrait)
    print(f"face: {len(found)} of {len(looks)} frames, {switches} switches of identity")
    assert len(found) >= 0.7 * len(looks)
    assert switches <= 2
    assert stats(running, "camera")["frames_dropped"] == 0, "the truth no longer fits the frames"


def face_of(look: Examined, portrait: Portrait) -> int | None:
    """The identity of the face, if it was found where it is."""
    truth = portrait.truth(look.number)
    faces = [found for found in look.found if found.label == "face"]
    best = max(faces, key=lambda found: iou(found.box, truth), default=None)
    return best.track if best is not None and iou(best.box, truth) >= 0.4 else None


def switches_of(looks: list[Examined], portrait: Portrait) -> int:
    """How often the face got another identity though the detector did not stop looking."""
    switches, identity = 0, face_of(looks[0], portrait)
    for before, look in pairwise(looks):
        if look.captured_s - before.captured_s > STALL_SECONDS:
            identity = None
        now = face_of(look, portrait)
        switches += None not in (now, identity) and now != identity
        identity = identity if now is None else now
    return switches
