"""The numpy dtypes are the C++ structs.

A tiny C++ program prints Signalbox's own description of each struct in camera/messages.hpp; it must
be the text Signalbox computes from our dtype, to the last offset.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import signalbox

from petcam_detector import messages

ROOT = Path(__file__).resolve().parents[4]
STRUCTS = {
    "Truth": (messages.TRUTH, False),
    "Frame": (messages.FRAME, True),
    "Detection": (messages.DETECTION, False),
    "Detections": (messages.DETECTIONS, False),
    "Stats": (messages.STATS, False),
}
TOPICS = {
    "kFramesTopic": messages.FRAMES_TOPIC,
    "kDetectionsTopic": messages.DETECTIONS_TOPIC,
    "kDetectorStatsTopic": messages.STATS_TOPIC,
}


@pytest.fixture(scope="module")
def cpp(tmp_path_factory) -> dict[str, str]:
    """What the C++ side says, by struct and by constant."""
    folder = tmp_path_factory.mktemp("messages")
    lines = [
        f'  std::printf("{name} %s\\n", signalbox::topic_description<petcam::{name}>().c_str());'
        for name in STRUCTS
    ]
    lines += [f'  std::printf("{name} %s\\n", petcam::{name});' for name in TOPICS]
    source = folder / "print.cpp"
    source.write_text(
        '#include <cstdio>\n#include "messages.hpp"\nint main() {\n' + "\n".join(lines) + "\n}\n"
    )
    program = folder / "print"
    includes = [f"-I{ROOT / 'include'}", f"-I{ROOT / 'apps/petcam/camera'}"]
    subprocess.run(["g++", "-std=c++23", *includes, str(source), "-o", str(program)], check=True)
    output = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
    return dict(line.split(" ", 1) for line in output.splitlines())


@pytest.mark.parametrize("name", STRUCTS)
def test_a_dtype_is_its_cpp_struct(cpp, name):
    dtype, tail = STRUCTS[name]
    assert signalbox.describe(dtype, tail=tail) == cpp[name]


@pytest.mark.parametrize("name", TOPICS)
def test_topics_have_the_names_of_the_camera(cpp, name):
    assert cpp[name] == TOPICS[name]


def test_a_drift_is_refused_by_the_name_of_the_field(topics):
    fields = [(name, messages.STATS[name]) for name in messages.STATS.names]
    drifted = [(name, "u4" if name == "torn" else kind) for name, kind in fields]
    with (
        signalbox.Publisher(messages.STATS_TOPIC, messages.STATS),
        pytest.raises(signalbox.SignalboxError, match="torn") as refused,
    ):
        signalbox.Subscriber(messages.STATS_TOPIC, np.dtype(drifted, align=True))
    assert refused.value.code == "type_mismatch"


def test_text_is_cut_between_characters():
    assert messages.to_bytes("Zoë", 3) == b"Zo"
    assert messages.to_bytes("Zoë", 4) == "Zoë".encode()
