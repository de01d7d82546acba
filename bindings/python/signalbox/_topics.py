"""Publisher and Subscriber: the compiled handles, with dtypes in front and asyncio behind."""

import asyncio
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from . import _core
from ._async_sleep import AsyncSleep
from ._core import Sample
from ._describe import as_structured, describe
from ._errors import SignalboxError

_BACK = {"next": 0, "latest": 1, "oldest": 2**64 - 1}

# So many messages may be received without a pause before other tasks get a turn.
_RECEIVED_IN_A_ROW_MAX = 64


def described(
    act: str, dtype: npt.DTypeLike | None, tail_max: int, grown_tail_max: int
) -> tuple["np.dtype[np.void] | None", str]:
    """What a publisher's messages are made of; `act` is what cannot be done without, for errors."""
    structured = None if dtype is None else as_structured(dtype)
    has_tail = tail_max > 0 or grown_tail_max > 0
    if structured is None and not has_tail:
        raise SignalboxError(
            f"cannot {act}: messages of plain bytes (dtype None) are all tail. "
            "Give tail_max, the largest message in bytes.",
            "bad_argument",
        )
    return structured, describe(structured, tail=has_tail)


class Publisher(_core.Publisher):
    """Publishes messages of one dtype on a topic, creating the topic if nobody has.

    dtype      a structured numpy dtype, or None for plain bytes
    depth      messages kept for late and slow subscribers; a power of two, 1 to 65536
    loans_max  messages being filled at once, 1 to 64
    held_max   messages subscribers may hold, all together, before loan() finds no room
    tail_max   the largest tail in bytes that has memory from the start; more than 0 says that
               messages have one
    grown_tail_max  the largest tail at all: loan() makes room for one above tail_max when it is
               asked for it, and it stays; 0: no memory is taken after opening
    domain     where the topic lives; None: $SIGNALBOX_DIR, else $SIGNALBOX_DOMAIN, else "default"
    when_behind  what publishing does when a reliable subscriber is a whole ring behind. "wait": for
               it, until the timeout; "drop_new": gives this message up at once, for all, with code
               "would_block", and counts it in dropped_count here and at every subscriber; "evict":
               leaves the subscriber behind, which is told by code "evicted", takes no more of this
               publisher, and goes on counting what it does not get in lost_count. Opened again it
               begins with new counts: what it missed on the way is told by the positions of its
               last sample and of its new first
    wake       False: publishing never enters the kernel to wake who sleeps; he finds the message
               when he next looks by himself, after at most 100 ms
    tier       "plain": in files that whoever may write the domain can open; "hardened": in memory
               sealed by the kernel, which participants hand each other over sockets when they have
               checked who they are. All users of a topic say the same

    A subscriber must state the same dtype, and a tail if and only if there is one here; otherwise
    it is refused with SignalboxError, code "type_mismatch", and a text that names the field.
    """

    def __init__(
        self,
        topic: str,
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
    ) -> None:
        structured, description = described(
            f"open topic {topic!r}", dtype, tail_max, grown_tail_max
        )
        super().__init__(
            topic,
            structured,
            description,
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


class Subscriber(_core.Subscriber):
    """Receives the messages of one dtype from a topic, creating the topic if nobody has.

    dtype     a structured numpy dtype, or None for plain bytes
    start     "next": what is published from now on; "latest": the newest message there is, then all
              that follow; "oldest": everything still kept; a number: so many messages back; with
              several publishers, of each
    tail      True where messages carry bytes behind the fixed part (always with dtype None)
    reliable  True: publishers wait for this subscriber instead of overwriting what it has not seen
    domain    as for Publisher
    spin_max_ns  how long receive() and wait() may look again and again before they sleep, without
              the GIL; they look less long where that does not pay. 0: they sleep at once, which
              saves power and costs a wake-up's latency
    tier      as for Publisher
    writable_ring  True: maps the rings of publishers writable, though nothing here writes them. On
              some processors (AMD's EPYC) small messages come a tenth sooner then. The price: a
              stray write of this process may spoil messages, or the page before them by which their
              publisher works, for everybody. Frames stay read-only, and so does all where it may
              not be opened for writing, and in the hardened tier

    Three ways to use it: `for sample in subscriber` (sleeps), `async for sample in subscriber`
    (asyncio), or take() and wait() by hand. Publishers may come, die and return in the meantime.
    """

    def __init__(
        self,
        topic: str,
        dtype: npt.DTypeLike | None,
        *,
        start: str | int = "latest",
        tail: bool = False,
        reliable: bool = False,
        domain: str | None = None,
        spin_max_ns: int = 30_000,
        tier: Literal["plain", "hardened"] = "plain",
        writable_ring: bool = False,
    ) -> None:
        structured = None if dtype is None else as_structured(dtype)
        self._sleep = AsyncSleep(f"subscriber of topic {topic!r}")
        self._received_in_a_row = 0
        super().__init__(
            topic,
            structured,
            describe(structured, tail=tail),
            _messages_back(topic, start),
            reliable,
            domain,
            spin_max_ns,
            tier,
            writable_ring,
        )

    async def receive_async(self) -> Sample:
        """The next message, letting other tasks run until there is one. One task at a time."""
        if self._received_in_a_row >= _RECEIVED_IN_A_ROW_MAX:
            # Before taking: a task that is cancelled here must not take a message with it.
            self._received_in_a_row = 0
            await asyncio.sleep(0)
        self._sleep.refuse_second_task()
        # Before the first take(): it is a take() that finds nothing which arms the descriptor.
        descriptor = self.fileno()
        while (sample := self.take()) is None:
            self._received_in_a_row = 0
            await self._sleep.until_readable(descriptor)
        self._received_in_a_row += 1
        return sample

    def close(self) -> None:
        """Leaves the topic. Samples and arrays stay valid. A task that waits gets code "closed"."""
        self._sleep.end(self)
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Sample:
        """The next message, sleeping until there is one; the iteration ends with close()."""
        if self.closed:
            raise StopIteration
        try:
            sample = self.receive()
        except SignalboxError as error:
            if error.code == "closed":  # while it slept
                raise StopIteration from None
            raise
        assert sample is not None, "receive() without a timeout returned nothing"
        return sample

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Sample:
        """As receive_async(); the iteration ends with close()."""
        try:
            return await self.receive_async()
        except SignalboxError as error:
            if error.code == "closed":
                raise StopAsyncIteration from None
            raise


def _messages_back(topic: str, start: str | int) -> int:
    if isinstance(start, str) and start in _BACK:
        return _BACK[start]
    if isinstance(start, int) and not isinstance(start, bool) and 0 <= start < 2**64:
        return start
    raise SignalboxError(
        f"cannot open topic {topic!r}: start is {start!r}. "
        'Use "next", "latest", "oldest" or how many messages back, from 0.',
        "bad_argument",
    )
