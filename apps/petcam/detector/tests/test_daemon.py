"""The daemon as a process of its own, fed by a camera of the test's and watched on its topics."""

import signal
import subprocess
import sys
import time

import clips
import pytest
import signalbox
from camera import Camera
from test_yolo import CAT, DOG, room

from petcam_detector.messages import (
    DETECTIONS,
    DETECTIONS_TOPIC,
    RUNNING,
    STATS,
    STATS_TOPIC,
    STOPPING,
)

# A watchdog for what never comes, not a limit on speed.
PATIENCE_SECONDS = 60
ANIMALS = room((640, 360), cat=(CAT, 60, 200, 100, 60), dog=(DOG, 400, 100, 120, 80))


class Detector:
    """The daemon's process and what it publishes."""

    def __init__(self, *arguments: str) -> None:
        self.detections = signalbox.Subscriber(DETECTIONS_TOPIC, DETECTIONS, start="oldest")
        self.stats = signalbox.Subscriber(STATS_TOPIC, STATS, start="oldest")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "petcam_detector", *arguments],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []

    def next_detections(self):
        sample = self.detections.receive(PATIENCE_SECONDS)
        assert sample is not None, f"nothing was found; the log ends {self.kill()}"
        return sample.data.copy()

    def stats_until(self, good):
        """The first statistics for which `good` holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            sample = self.stats.receive(PATIENCE_SECONDS)
            if sample is not None and good(sample.data):
                return sample.data.copy()
        pytest.fail(f"the statistics never became so; the log ends {self.kill()}")

    def said(self, words: str) -> str:
        """The first line of the log with these words; blocks until it comes."""
        for line in self.process.stderr:
            self.log.append(line)
            if words in line:
                return line
        pytest.fail(f"the log ended without {words!r}: {self.log}")

    def stop(self, number=signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> list[str]:
        if not self.process.stderr.closed:
            self.process.kill()
            self.log += self.process.communicate()[1].splitlines()
        return self.log[-10:]


@pytest.fixture
def start(topics):
    running: list[Detector] = []

    def begin(*arguments: str) -> Detector:
        running.append(Detector(*arguments))
        return running[-1]

    yield begin
    for detector in running:
        detector.kill()
        detector.detections.close()
        detector.stats.close()


def run_to_end(*arguments):
    """Exit code and log of a daemon that cannot start."""
    done = subprocess.run(
        [sys.executable, "-m", "petcam_detector", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    return done.returncode, done.stderr


def show_and_find(camera, detector, picture, frames):
    """Shows the picture so often, each after the last one was examined; the last detections."""
    found = None
    for _ in range(frames):
        number = camera.show(picture)
        while found is None or found["number"] != number:
            found = detector.next_detections()
    return found


def items(found):
    return {
        item["label"].decode(): tuple(round(float(item[side])) for side in "xywh")
        for item in found["items"][: int(found["count"])]
    }


def test_every_examined_frame_is_answered(start):
    camera, detector = Camera(source=0), start()
    before = time.monotonic_ns()
    found = show_and_find(camera, detector, ANIMALS, 5)
    assert items(found) == {"cat": (60, 200, 100, 60), "dog": (400, 100, 120, 80)}
    assert (found["width"], found["height"]) == (640, 360)
    assert found["detector"] == b"yolo-onnx"
    assert found["demo_scene"] == 1
    assert found["wall_ns"] > 0
    assert before < found["frame_published_ns"] <= found["taken_ns"] <= found["published_ns"]
    tracked = found["items"][:2]
    assert sorted(tracked["track_id"]) == [1, 2]
    assert (tracked["state"] == 1).all()
    assert (tracked["age_frames"] == 5).all()
    assert not found["items"][2:].tobytes().strip(b"\0")


def test_motion_for_what_is_not_the_synthetic_room(start):
    camera, detector = Camera(source=1), start()
    found = None
    for bgr, shown in clips.moving_cat(frames=25):
        found, truth = show_and_find(camera, detector, bgr, 1), shown
    assert found["detector"] == b"motion"
    assert found["demo_scene"] == 0
    [box] = [tuple(item[side] for side in "xywh") for item in found["items"][: int(found["count"])]]
    assert clips.iou(box, truth) >= 0.5


def test_the_statistics_add_up(start):
    camera, detector = Camera(source=0), start()
    show_and_find(camera, detector, ANIMALS, 12)
    said = detector.stats_until(lambda stats: stats["frames_out"] >= 12)
    assert said["daemon"] == b"detector"
    assert said["pid"] == detector.process.pid
    assert said["state"] == RUNNING
    assert said["note"] == b""
    assert said["frames_in"] == said["latency_count"] == 12
    assert said["latency_us_log2"].sum() == 12
    assert 0 < said["latency_max_ns"] <= said["latency_sum_ns"]
    assert 0 < said["work_cpu_ns"] < said["total_cpu_ns"]
    assert said["started_ns"] < said["updated_ns"]
    while said["wakes_ready"] == 0:  # on a busy machine the next frame is there before it sleeps
        before = said["frames_out"].item()
        camera.show(ANIMALS)
        said = detector.stats_until(lambda stats, seen=before: stats["frames_out"] > seen)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told_and_says_so(start, topics, number):
    detector = start()
    detector.said("waiting for frames")
    detector.stats_until(lambda stats: stats["state"] == RUNNING)
    assert detector.stop(number) == 0
    detector.stats_until(lambda stats: stats["state"] == STOPPING)
    assert "stopped" in detector.kill()[-1]


def test_it_stops_also_in_the_middle_of_a_stream(start):
    camera, detector = Camera(source=0), start()
    show_and_find(camera, detector, ANIMALS, 3)
    camera.show(ANIMALS)
    assert detector.stop() == 0


def test_no_camera_is_a_note_and_no_error(start):
    detector = start()
    said = detector.stats_until(lambda stats: b"no frames" in stats["note"].item())
    assert said["state"] == RUNNING
    assert b"petcam-camera" in said["note"].item()
    camera = Camera(source=0)
    show_and_find(camera, detector, ANIMALS, 3)
    detector.stats_until(lambda stats: stats["note"].item() == b"")


def test_a_camera_may_restart_with_another_geometry(start):
    first, detector = Camera(source=0), start()
    show_and_find(first, detector, ANIMALS, 5)
    first.close()
    larger = room((1280, 720), cat=(CAT, 200, 300, 300, 120))
    second = Camera(size=(1280, 720), source=0)
    found = show_and_find(second, detector, larger, 5)
    assert (found["width"], found["height"]) == (1280, 720)
    assert items(found) == {"cat": (200, 300, 300, 120)}
    assert found["items"][0]["track_id"] == 3


def test_a_frame_that_does_not_hold_together_is_counted(start):
    camera, detector = Camera(source=0), start()
    show_and_find(camera, detector, ANIMALS, 1)
    camera.show(ANIMALS, height=2000)
    detector.stats_until(lambda stats: stats["torn"] == 1)
    assert "tail has" in detector.said("a frame was dropped")
    show_and_find(camera, detector, ANIMALS, 1)


def test_a_reader_that_holds_on_costs_messages_and_nothing_else(start):
    camera, detector = Camera(source=0), start()
    show_and_find(camera, detector, ANIMALS, 1)
    held = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    said = detector.stats_until(lambda stats: stats["frames_out"] > 0)
    while said["frames_in"] == said["frames_out"]:  # until one was refused
        assert time.monotonic() < deadline, f"none of {len(held)} held messages is too many"
        camera.show(ANIMALS)
        # Whether it is refused or only slow cannot be told apart here; the statistics know.
        if (sample := detector.detections.receive(0.2)) is not None:
            held.append(sample)
        if (newer := detector.stats.take_latest()) is not None:
            said = newer.data.copy()
    assert held
    held.clear()
    show_and_find(camera, detector, ANIMALS, 1)


def test_hup_reads_the_configuration_again_or_keeps_the_old_one(start, tmp_path):
    path = tmp_path / "petcam.yaml"
    path.write_text("detector: {zone_frames: 1}")
    camera, detector = Camera(source=0), start("--config", str(path))
    found = show_and_find(camera, detector, ANIMALS, 5)
    assert {item["zone"] for item in found["items"]} == {b""}

    path.write_text(
        "detector: {zone_frames: 1, zones: {left: [[0, 0], [0.4, 0], [0.4, 1], [0, 1]]}}"
    )
    detector.process.send_signal(signal.SIGHUP)
    detector.said("read the configuration again")
    found = show_and_find(camera, detector, ANIMALS, 1)
    zones = {item["label"]: item["zone"] for item in found["items"][:2]}
    assert zones == {b"cat": b"left", b"dog": b""}

    path.write_text("detector: {zone: {}}")
    detector.process.send_signal(signal.SIGHUP)
    assert "detector.zone: unknown key" in detector.said("kept the old configuration")
    found = show_and_find(camera, detector, ANIMALS, 1)
    assert {item["label"]: item["zone"] for item in found["items"][:2]} == zones


def test_an_unusable_configuration_is_told_and_nothing_starts(topics, tmp_path):
    path = tmp_path / "petcam.yaml"
    path.write_text("detector: {tipe: motion}")
    code, log = run_to_end("--config", str(path))
    assert code == 3
    assert "detector.tipe: unknown key. Did you mean 'type'?" in log
    assert "Traceback" not in log
    assert run_to_end("--config", str(path), "--check-config")[0] == 3
    path.write_text("detector: {type: motion}")
    assert run_to_end("--config", str(path), "--check-config") == (0, "")


def test_a_missing_model_is_told(topics):
    code, log = run_to_end("--model", "nowhere.onnx")
    assert code == 3
    assert "nowhere.onnx: there is no such file" in log


def test_a_topic_of_another_type_is_told_by_the_name_of_its_field(topics):
    other = [("number", "u8"), ("when_ns", "u8")]
    with signalbox.Publisher("petcam/frames", other, tail_max=64):
        code, log = run_to_end()
    assert code == 4
    assert "petcam/frames" in log
    assert "when_ns" in log or "capture_ns" in log


@pytest.mark.parametrize("missing", ["cv2", "yaml", "signalbox"])
def test_a_missing_package_is_told_with_what_to_install(topics, missing):
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from petcam_detector.__main__ import main; sys.exit(main([]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 5
    assert f"the package {missing} is missing" in done.stderr
    assert "opencv-python-headless<5" in done.stderr
    assert "Traceback" not in done.stderr
