"""Goal: the main job works on real input. Method: clips composed of real photographs, whose content
is known frame by frame, go through the whole demo, and what the detector publishes is compared."""

from collections.abc import Callable
from pathlib import Path

import pytest
from composed_clips import MovingCat, Portrait, iou
from observing import Examined, examined, stats
from running_demo import RunningDemo

# The detector learns what the scene looks like without the cat while it sees this much of it.
LEARNING_FRAMES = 50


def one_round(demo: RunningDemo, frames: int) -> list[Examined]:
    """One look at each frame of the clip."""
    rounds: dict[int, Examined] = {}
    for count, look in enumerate(examined(demo)):
        if count >= LEARNING_FRAMES:
            rounds.setdefault(look.number % frames, look)
        if len(rounds) == frames or count > 6 * frames:
            break
    return list(rounds.values())


@pytest.mark.parametrize("suffix", [".mp4", ".avi"], ids=["h264", "mjpeg"])
def test_the_cat_is_followed(demo: Callable[..., RunningDemo], tmp_path: Path, suffix: str) -> None:
    cat = MovingCat()
    clip = tmp_path / f"cat{suffix}"
    cat.write(clip)
    running = demo("--video", clip, "--detector", "motion")
    looks = one_round(running, cat.frames)
    assert len(looks) >= 0.95 * cat.frames, "the detector left out many frames"

    hits = [
        any(iou(found.box, cat.truth(look.number)) >= 0.5 for found in look.found) for look in looks
    ]
    print(f"motion box on the cat: {sum(hits)} of {len(hits)} frames")
    assert sum(hits) >= 0.9 * cat.frames
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
    assert len(looks) >= 0.95 * portrait.frames, "the detector left out many frames"

    identities = []
    for look in looks:
        truth = portrait.truth(look.number)
        faces = [found for found in look.found if found.label == "face"]
        best = max(faces, key=lambda found: iou(found.box, truth), default=None)
        if best is not None and iou(best.box, truth) >= 0.4:
            identities.append(best.track)
    switches = sum(a != b for a, b in zip(identities, identities[1:], strict=False))
    print(f"face: {len(identities)} of {len(looks)} frames, {switches} switches of identity")
    assert len(identities) >= 0.7 * portrait.frames
    assert switches <= 2
    assert stats(running, "camera")["frames_dropped"] == 0, "the truth no longer fits the frames"
