"""petcam doctor: which daemons live, what is in shared memory, and what the dead left there."""

import os
import shutil
import time
from pathlib import Path

from . import places

# What the demo's topics take at 1280 x 720.
DEMO_BYTES = 30_000_000
_STATES = ("starting", "running", "degraded", "stopping")


def examine() -> int:
    """Prints what there is; answers 1 if something is left of the dead, else 0."""
    left: list[Path] = []
    domains = places.domains()
    if not domains:
        print(f"no petcam is running: no topic of it is in {places.topic_root()}")
    for domain in domains:
        left += _examine_domain(domain)
    _tell_space()
    for path in left:
        print(f"left behind: {path}")
    if left:
        print("the next petcam in that domain removes it; or remove it by hand with rm -r")
    return 1 if left else 0


def _examine_domain(domain: Path) -> list[Path]:
    print(f"{domain}")
    left = []
    for topic in places.topics(domain):
        print(
            f"  {topic.name:24} {topic.count('pub')} publisher(s), "
            f"{topic.count('sub')} subscriber(s)"
        )
        left += [topic.path / name for name in topic.dead]
        if not topic.living and not topic.dead:
            left.append(topic.path)
        if topic.name.startswith("petcam/stats/") and topic.count("pub"):
            print(f"    {_health(topic.name, domain.name)}")
    return left


def _health(name: str, domain: str) -> str:
    try:
        import signalbox

        from petcam_detector.messages import STATS
    except ImportError as error:
        return f"how it is cannot be read without the package {error.name}"
    with signalbox.Subscriber(name, STATS, start="latest", domain=domain) as stats:
        sample = stats.receive(1.5)
        if sample is None:
            return "has not reported for 1.5 s"
        report = sample.data
        state = _STATES[min(int(report["state"]), len(_STATES) - 1)]
        age = time.monotonic() - int(report["updated_ns"]) / 1e9
        note = bytes(report["note"]).rstrip(b"\0").decode(errors="replace")
        return (
            f"{state}, process {int(report['pid'])}, {int(report['frames_out'])} frames, "
            f"reported {age:.1f} s ago{'; ' + note if note else ''}"
        )


def _tell_space() -> None:
    root = places.topic_root()
    while not root.exists():
        root = root.parent
    free = shutil.disk_usage(root).free
    verdict = "enough" if free >= DEMO_BYTES else "too little"
    print(f"{root}: {free / 1e6:.0f} MB free, the demo takes {DEMO_BYTES / 1e6:.0f}: {verdict}")
    if not os.access(root, os.W_OK):
        print(f"{root} may not be written: topics cannot be made there")
