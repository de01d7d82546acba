"""Goal: the launcher tells the living from the dead and removes only what the dead left. Method:
files as Signalbox makes them, with and without the lock that a living process holds."""

import fcntl
import functools
import os
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from petcam_launcher import places
from petcam_launcher.daemon import describe_end, die_with_the_launcher
from petcam_launcher.demo import PORT_BUSY, DemoError, claim_port

_WRITE_LOCK = struct.pack("hh4xqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


@pytest.fixture
def domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIGNALBOX_DIR", str(tmp_path))
    return tmp_path / "petcam-1"


def participant(domain: Path, topic: str, name: str) -> Path:
    file = domain / topic / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def live(file: Path) -> int:
    """Holds the life lock until the descriptor is closed."""
    descriptor = os.open(file, os.O_RDWR)
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WRITE_LOCK)
    return descriptor


def test_who_holds_the_lock_is_alive(domain: Path) -> None:
    file = participant(domain, "petcam+frames", "pub-1")
    assert not places.is_alive(file)
    descriptor = live(file)
    assert places.is_alive(file)
    os.close(descriptor)
    assert not places.is_alive(file)


def test_topics_are_listed_with_their_participants(domain: Path) -> None:
    descriptor = live(participant(domain, "petcam+stats+camera", "pub-1"))
    participant(domain, "petcam+stats+camera", "sub-2")
    participant(domain, "petcam+stats+camera", "sub-2.fifo")
    (topic,) = places.topics(domain)
    os.close(descriptor)
    assert topic.name == "petcam/stats/camera"
    assert (topic.count("pub"), topic.count("sub"), topic.dead) == (1, 0, ["sub-2"])
    assert places.domains() == [domain]


def test_what_the_dead_left_is_removed(domain: Path) -> None:
    participant(domain, "petcam+frames", "pub-1")
    places.clean(domain)
    assert not domain.exists()
    assert domain.parent.exists()  # SIGNALBOX_DIR belongs to the user


def test_what_somebody_uses_stays(domain: Path) -> None:
    descriptor = live(participant(domain, "petcam+frames", "sub-1"))
    participant(domain, "petcam+jpeg", "pub-2")
    places.clean(domain)
    os.close(descriptor)
    assert [path.name for path in domain.iterdir()] == ["petcam+frames"]


def test_a_program_that_was_not_built_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PETCAM_BIN_DIR", "/nonexistent")
    with pytest.raises(places.MissingProgramError, match="/nonexistent/petcam-camera is missing"):
        places.program("petcam-camera")


def test_a_port_in_use_is_refused_and_zero_finds_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(DemoError, match=f"port {port} .* in use") as refused:
            claim_port("127.0.0.1", port)
    assert refused.value.code == PORT_BUSY
    assert claim_port("127.0.0.1", 0) > 0


def test_ends_are_told_in_words() -> None:
    assert describe_end(-9) == "was killed by SIGKILL"
    assert describe_end(4) == "ended with exit code 4"


def test_a_daemon_whose_launcher_died_before_ends_at_once():
    def status(launcher: int) -> int:
        asks = functools.partial(die_with_the_launcher, launcher)
        return subprocess.run(["true"], preexec_fn=asks, check=False).returncode

    assert status(os.getpid()) == 0
    assert status(os.getppid()) == 1, "its parent is somebody else by now"
