"""footprint(): the memory that a topic will take, before anything is created."""

from typing import Literal, NamedTuple

import numpy.typing as npt

from . import _core
from ._topics import described


class Footprint(NamedTuple):
    """Bytes of tmpfs, as `du` counts them on a kernel with pages of 4 KiB.

    All is reserved when a publisher or subscriber is opened, and nothing is allocated later, but
    for the arenas of a publisher that was told to grow. As text, a table with a part a line.

    description_bytes  once for a topic: the type's name and text
    bell_bytes         once for a topic
    control_bytes, ring_bytes, frames, frame_bytes  of each publisher: control + ring + frames *
                       frame_bytes, rounded up to pages. There are depth + loans_max + held_max
                       frames, and none where every message fits its slot
    publisher_bytes    for each publisher, all in all
    arenas, grown_bytes_max  what a publisher with grown_tail_max may take besides: so many further
                       arenas, so many bytes in all
    subscriber_bytes   for each subscriber
    """

    description_bytes: int
    bell_bytes: int
    control_bytes: int
    ring_bytes: int
    frames: int
    frame_bytes: int
    publisher_bytes: int
    arenas: int
    grown_bytes_max: int
    subscriber_bytes: int

    def total_bytes(self, publishers: int, subscribers: int) -> int:
        """All of a topic as opened; grown as far as they may, publishers take grown_bytes_max more
        each."""
        once = self.description_bytes + self.bell_bytes
        return once + publishers * self.publisher_bytes + subscribers * self.subscriber_bytes

    def __str__(self) -> str:
        return _core.footprint_table(self)


def footprint(
    dtype: npt.DTypeLike | None,
    *,
    depth: int = 16,
    loans_max: int = 1,
    held_max: int = 4,
    tail_max: int = 0,
    grown_tail_max: int = 0,
    domain: str | None = None,
    when_behind: Literal["wait", "drop_new", "evict"] = "wait",
    wake: bool = True,
    tier: Literal["plain", "hardened"] = "plain",
) -> Footprint:
    """The memory of a topic whose publishers are opened with this dtype and these options.

    They are those of Publisher, so that one dict of them serves both; what shapes no memory changes
    nothing. Creates nothing and asks nobody. Raises SignalboxError, code "bad_argument", for an
    option outside its range.
    """
    structured, description = described("add up a footprint", dtype, tail_max, grown_tail_max)
    numbers = _core.footprint(
        description,
        structured is not None,
        depth,
        loans_max,
        held_max,
        tail_max,
        grown_tail_max,
        domain,
        when_behind,
        wake,
        tier,
    )
    return Footprint(*numbers)
