"""The memory of a topic before it is made is what its files take then."""

from pathlib import Path

import pytest
from observing import FRAME, POSE, refused
from signalbox import Publisher, Subscriber, footprint


def taken_by(directory: Path) -> int:
    """As du counts."""
    return sum(file.stat().st_blocks * 512 for file in directory.iterdir())


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        (POSE, {}),
        (FRAME, {"depth": 8, "held_max": 9, "when_behind": "evict", "wake": False}),
        (FRAME, {"tail_max": 5000, "loans_max": 3}),
        (None, {"tail_max": 100}),
    ],
)
def test_it_is_what_a_topic_takes(
    dtype: object, options: dict[str, object], domain_directory: Path
) -> None:
    sum = footprint(dtype, **options)
    assert list(domain_directory.iterdir()) == []
    has_tail = "tail_max" in options
    with (
        Publisher("p", dtype, **options),
        Publisher("p", dtype, **options),
        Subscriber("p", dtype, tail=has_tail),
    ):
        assert taken_by(domain_directory / "default" / "p") == sum.total_bytes(2, 1)


def test_its_parts_are_named() -> None:
    sum = footprint(FRAME, depth=8, loans_max=2, held_max=3)
    assert sum.frames == 8 + 2 + 3
    assert sum.frame_bytes >= FRAME.itemsize
    assert sum.publisher_bytes >= sum.control_bytes + sum.ring_bytes + sum.frames * sum.frame_bytes
    assert sum.arenas == sum.grown_bytes_max == 0
    assert footprint(POSE).frames == 0
    growing = footprint(None, tail_max=4096, grown_tail_max=16384)
    assert growing.arenas == 2 and growing.grown_bytes_max > growing.publisher_bytes


def test_it_prints_as_a_table() -> None:
    sum = footprint(FRAME)
    lines = str(sum).splitlines()
    assert any(line.startswith("publisher: 21 frames of ") for line in lines)
    (whole,) = (line for line in lines if line.startswith("with one publisher and one subscriber"))
    assert int(whole.split()[-1]) == sum.total_bytes(1, 1)
    assert repr(sum).startswith("Footprint(description_bytes=")


def test_options_are_checked_as_at_open() -> None:
    with refused("bad_argument") as error:
        footprint(POSE, depth=3)
    assert "depth is 3" in str(error.value)
    for options, says in (
        ({"depth": -1}, "footprint: depth is -1. Use a number from 0 to 4294967295."),
        ({"tier": "armoured"}, "footprint: tier is 'armoured'."),
        ({"when_behind": "weep"}, "footprint: when_behind is 'weep'."),
    ):
        with refused("bad_argument") as error:
            footprint(POSE, **options)
        assert str(error.value).startswith(says)
    with refused("bad_argument") as error:
        footprint(None)
    assert "Give tail_max" in str(error.value)
