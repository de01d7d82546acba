"""Where petcam's programs are, and where its topics live in shared memory."""

import fcntl
import os
import shutil
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

PETCAM = Path(__file__).resolve().parents[2]
REPOSITORY = PETCAM.parents[1]

# struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = struct.Struct("hh4xqqi4x")


class MissingProgramError(Exception):
    """A daemon that was not built."""


def program(name: str) -> Path:
    """The daemon's binary: in $PETCAM_BIN_DIR, else where `./dev build` puts it."""
    folder = os.environ.get("PETCAM_BIN_DIR")
    build = REPOSITORY / "build" / os.environ.get("SBX_PRESET", "dev")
    built = {
        "petcam-camera": build / "apps/petcam/camera/petcam-camera",
        "petcam-server": build / "petcam-server",
    }
    path = Path(folder) / name if folder else built[name]
    if not os.access(path, os.X_OK):
        raise MissingProgramError(
            f"{path} is missing: build it with `./dev build`, or name the folder of the built "
            "programs in PETCAM_BIN_DIR."
        )
    return path


def detector_command() -> list[str]:
    """The detector runs in the launcher's own Python."""
    return [sys.executable, "-m", "petcam_detector"]


def detector_environment() -> dict[str, str]:
    """Lets Python find the detector without installing it."""
    path = [str(PETCAM / "detector"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1"}


def environment(extra: dict[str, str]) -> dict[str, str]:
    """Our own environment with more in it."""
    return os.environ | extra


def topic_root() -> Path:
    """Where domains live, as Signalbox decides it."""
    return Path(os.environ.get("SIGNALBOX_DIR") or f"/dev/shm/signalbox-{os.geteuid()}")


def root_is_ours() -> bool:
    """Whether Signalbox made the root, so that it may go when it is empty."""
    return not os.environ.get("SIGNALBOX_DIR")


@dataclass
class Topic:
    """One topic's directory and who has a file in it."""

    path: Path
    living: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.name.replace("+", "/")

    def count(self, role: str) -> int:
        """How many living publishers ("pub") or subscribers ("sub") it has."""
        return sum(file.startswith(role + "-") for file in self.living)


def is_alive(participant: Path) -> bool:
    """Whether somebody holds the life lock on the file: the kernel drops it with its process."""
    try:
        descriptor = os.open(participant, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        question = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, question)
        return _FLOCK.unpack(answer)[0] != fcntl.F_UNLCK
    finally:
        os.close(descriptor)


def topics(domain: Path) -> list[Topic]:
    """The topics of a domain, each with its participants."""
    found = []
    for directory in sorted(path for path in _entries(domain) if path.is_dir()):
        topic = Topic(directory)
        for file in sorted(_entries(directory)):
            if file.name.startswith(("pub-", "sub-")) and not file.name.endswith(".fifo"):
                (topic.living if is_alive(file) else topic.dead).append(file.name)
        found.append(topic)
    return found


def domains() -> list[Path]:
    """The domains in which petcam is or was."""
    return [path for path in sorted(_entries(topic_root())) if any(path.glob("petcam+*"))]


def files(domain: Path) -> list[str]:
    """Every file in the domain."""
    return [str(path) for path in sorted(domain.rglob("*")) if not path.is_dir()]


def clean(domain: Path) -> None:
    """Removes what daemons that were killed left in the domain, unless somebody lives in it."""
    for topic in topics(domain):
        if not topic.living:
            shutil.rmtree(topic.path, ignore_errors=True)
    for directory in [domain, *([topic_root()] if root_is_ours() else [])]:
        try:
            directory.rmdir()
        except OSError:
            return  # somebody else's topics are there, or it is gone already


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []
