"""Goal: one command runs the demo and leaves nothing; whatever is wrong is named with what to do,
and the rest goes on. Method: the command as a user types it, with one fault each."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from observing import examined, stats, truths
from running_demo import PATIENCE, PETCAM, RunningDemo

PORT_BUSY = 5
TOPIC = 4


def petcam(*arguments: object, **options) -> subprocess.CompletedProcess:
    """Runs the command to its end."""
    return subprocess.run(
        [sys.executable, str(PETCAM / "petcam"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **options,
    )


def get_json(url: str) -> dict:
    """What the server answers."""
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return json.load(answer)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_and_stopping_is_quick(
    demo: Callable[..., RunningDemo], root: Path, number: signal.Signals
) -> None:
    running = demo()
    next(examined(running))
    children = running.children()
    assert set(children) == {"camera", "detector", "server"}
    taken = running.stop(number)
    assert running.process.returncode == 0
    assert taken < 2
    assert list(root.iterdir()) == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in children.values())


def test_the_report_says_what_was_seen(demo: Callable[..., RunningDemo], tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    running = demo("--seconds", 12, "--report", target)
    assert running.process.wait(timeout=PATIENCE) == 0
    report = json.loads(target.read_text())
    print(json.dumps(report))
    assert report["first_picture_s"] > 0
    assert report["first_event_s"] > 0
    assert report["pictures"] > 100
    assert report["torn"] == report["doubled"] == 0
    assert 0 < report["latency_ms"]["mean"] <= report["latency_ms"]["p99"]
    assert report["sse"]["events_per_s"] <= 2.3
    assert report["sse"]["kb_per_s"] <= 2.5
    assert set(report["cpu_percent"]) == {"camera", "detector", "server"}
    assert report["left_behind"] == []


def test_a_launcher_that_is_killed_takes_its_daemons_along(
    demo: Callable[..., RunningDemo], root: Path
) -> None:
    running = demo()
    next(examined(running))
    children = running.children()
    watched = select.poll()
    for pid in children.values():
        watched.register(os.pidfd_open(pid), select.POLLIN)  # readable once it has ended
    running.process.kill()
    ended: set[int] = set()
    while len(ended) < len(children):
        ready = watched.poll(PATIENCE * 1e3)
        assert ready, "a daemon outlived its launcher"
        for descriptor, _ in ready:
            watched.unregister(descriptor)
            os.close(descriptor)
            ended.add(descriptor)
    assert sorted(map(str, root.rglob("*"))) == [], running.tail()


def test_a_port_in_use_is_named(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = petcam("demo", "--port", port)
    assert done.returncode == PORT_BUSY
    assert f"port {port} on 127.0.0.1 cannot be used: Address already in use" in done.stderr
    assert "petcam demo --port" in done.stderr
    assert list(root.iterdir()) == []


def test_a_broken_video_is_named_and_the_rest_runs(
    demo: Callable[..., RunningDemo], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("this is no video")
    running = demo("--video", broken)
    running.wait_for_line(r"cannot read video .*broken.mp4: ffmpeg said .Invalid data")
    assert "Invalid data" in stats(running, "camera")["note"]
    status = get_json(running.url + "api/v1/status")
    assert status["daemons"]["camera"]["state"] == "degraded"
    assert set(running.children()) == {"camera", "detector", "server"}


def test_a_missing_camera_is_named_and_the_rest_runs(demo: Callable[..., RunningDemo]) -> None:
    running = demo("--device", "/dev/video_of_nobody")
    running.wait_for_line(r"there is no camera at /dev/video_of_nobody; plug it in")
    assert "there is no camera" in stats(running, "camera")["note"]
    assert set(running.children()) == {"camera", "detector", "server"}


def test_without_onnxruntime_the_detector_uses_motion(
    demo: Callable[..., RunningDemo], tmp_path: Path
) -> None:
    running = demo(environment=without_package("onnxruntime", tmp_path))
    assert next(examined(running)).detector == "motion"
    assert "onnxruntime" in stats(running, "detector")["note"]


def test_without_opencv_the_rest_runs(demo: Callable[..., RunningDemo], tmp_path: Path) -> None:
    running = demo(environment=without_package("cv2", tmp_path))
    running.wait_for_line(r"detector \| .*the package cv2 is missing")
    running.wait_for_line(r"petcam +\| detector ended with exit code 5; starting it again")
    with truths(running) as frames:
        assert frames.receive(PATIENCE) is not None
    assert get_json(running.url + "api/v1/status")["daemons"]["camera"]["state"] == "running"


def without_package(name: str, folder: Path) -> dict[str, str]:
    """An environment in which Python does not find this package, as if it were not installed."""
    (folder / f"{name}.py").write_text(f"raise ModuleNotFoundError('no {name}', name='{name}')\n")
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path}


@pytest.fixture
def small_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Shared memory with 4 MB free."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root may mount a small tmpfs")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode().strip()}")
    monkeypatch.setenv("SIGNALBOX_DIR", str(folder))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_too_little_shared_memory_is_refused(small_root: Path) -> None:
    done = petcam("demo", "--port", 0)
    assert done.returncode == TOPIC, done.stderr
    assert "No space left on device" in done.stderr
    assert "SIGBUS" not in done.stderr
    assert list(small_root.iterdir()) == []


def test_a_new_size_is_taken_up_by_all_on_sighup(
    demo: Callable[..., RunningDemo], tmp_path: Path
) -> None:
    config = tmp_path / "petcam.yaml"
    config.write_text("camera: {width: 1280, height: 720}\n")
    running = demo("--config", config)
    next(examined(running))
    before = running.children()

    config.write_text("camera: {width: 641}\n")
    os.kill(before["camera"], signal.SIGHUP)
    running.wait_for_line(r"the old configuration stays in force")

    config.write_text("camera: {width: 640, height: 360}\n")
    os.kill(before["camera"], signal.SIGHUP)
    with truths(running) as frames:
        while True:
            sample = frames.receive(PATIENCE)
            assert sample is not None, "no frame of the new size came"
            if int(sample.data["width"]) == 640:
                break
    running.wait_for_line(r"detector \| .*640 x 360")
    assert running.children() == before


def test_the_reference_configuration_is_accepted_by_all_three() -> None:
    done = petcam("check-config", PETCAM / "petcam.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_misspelt_key_is_refused_with_the_right_one(tmp_path: Path) -> None:
    wrong = tmp_path / "petcam.yaml"
    wrong.write_text("camera:\n  widht: 640\n")
    done = petcam("check-config", wrong)
    assert done.returncode == 3
    assert 'did you mean "width"?' in done.stderr


def test_doctor_finds_what_the_dead_left(root: Path) -> None:
    assert petcam("doctor").returncode == 0
    topic = root / "petcam-1" / "petcam+frames"
    topic.mkdir(parents=True)
    (topic / "pub-0123456789abcdef").write_bytes(b"")
    done = petcam("doctor")
    assert done.returncode == 1
    assert f"left behind: {topic}/pub-0123456789abcdef" in done.stdout
