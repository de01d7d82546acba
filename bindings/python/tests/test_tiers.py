"""Topics of the hardened tier: the same API, and a partner that is another process."""

import numpy as np
import pytest
from observing import POSE, WATCHDOG_S, start_python
from signalbox import Publisher, SignalboxError, Subscriber

PUBLISH = """
import sys, numpy as np, signalbox
POSE = np.dtype([("seq", "u8"), ("xyz", "f8", 3)], align=True)
with signalbox.Publisher("poses", POSE, tier="hardened") as poses:
    for line in sys.stdin:
        poses.send((int(line), 0))
"""


def test_messages_of_another_process_arrive() -> None:
    with (
        Subscriber("poses", POSE, start="oldest", tier="hardened") as subscriber,
        start_python("-c", PUBLISH) as child,
    ):
        for seq in range(20):
            child.stdin.write(f"{seq}\n")
            child.stdin.flush()
            assert subscriber.receive(WATCHDOG_S).data["seq"] == seq


def test_arrays_are_read_where_they_lie() -> None:
    picture = np.dtype([("seq", "u8"), ("pixels", "u1", 4096)], align=True)
    with (
        Publisher("pictures", picture, tier="hardened") as publisher,
        Subscriber("pictures", picture, tier="hardened") as subscriber,
    ):
        with publisher.loan() as loan:
            loan.data["pixels"][:] = 7
        sample = subscriber.take()
        assert sample is not None
        assert (sample.data["pixels"] == 7).all()
        with pytest.raises(ValueError, match="read-only"):
            sample.data["pixels"][0] = 1


def test_another_tier_is_refused() -> None:
    with Publisher("poses", POSE, tier="hardened"):
        with pytest.raises(SignalboxError, match="hardened") as refused:
            Subscriber("poses", POSE)
        assert refused.value.code == "layout_mismatch"


def test_a_word_that_is_no_tier_is_refused() -> None:
    for open_one in (Publisher, Subscriber):
        with pytest.raises(SignalboxError, match="tier is 'armoured'") as refused:
            open_one("poses", POSE, tier="armoured")  # type: ignore[arg-type]
        assert refused.value.code == "bad_argument"
