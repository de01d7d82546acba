"""The compiled half of the package. Use it through `signalbox`."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

# What is None only for plain bytes: who gave a dtype need not check.
_NoneForBytes: TypeAlias = Any

def library_version() -> str:
    """The version of libsignalbox.so in use, as "major.minor.patch"."""

def python_version() -> str:
    """The version of this package."""

@final
class Region:
    """Memory of one message: the base of the arrays over it."""

@final
class Loan:
    """A message being filled in place, in shared memory. Made by Publisher.loan()."""

    @property
    def data(self) -> NDArray[np.void] | _NoneForBytes:
        """The fixed part to fill: a writable 0-d structured array; None for plain bytes."""
    @property
    def tail(self) -> NDArray[np.uint8]:
        """The bytes behind the fixed part: a writable uint8 array."""
    @property
    def position(self) -> int | None:
        """The message's number once it is published, until then None."""
    def shorten(self, tail_bytes: int) -> None:
        """Publishes fewer tail bytes than were lent."""
    def drop(self) -> None:
        """Gives the loan back unpublished. Nothing if it is finished."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

@final
class Sample:
    """One received message. Its arrays read the publisher's memory without a copy."""

    @property
    def data(self) -> NDArray[np.void] | _NoneForBytes:
        """The fixed part: a read-only 0-d structured array; None for plain bytes."""
    @property
    def tail(self) -> NDArray[np.uint8]:
        """The bytes behind the fixed part: a read-only uint8 array, empty where there are none."""
    @property
    def position(self) -> int:
        """The message's number at its publisher, from 0."""
    @property
    def publisher(self) -> int:
        """Which publisher sent it: a number that changes when the publisher restarts."""
    def release(self) -> None:
        """Lets go of the message; arrays that were taken from it stay valid."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class Publisher:
    """The compiled half of signalbox.Publisher."""

    def __init__(
        self,
        topic: str,
        dtype: np.dtype[np.void] | None,
        description: str,
        depth: int,
        loans_max: int,
        held_max: int,
        tail_max: int,
        grown_tail_max: int,
        domain: str | None,
        when_behind: str,
        wake: bool,
        tier: str,
    ) -> None: ...
    def loan(self, tail_bytes: int = 0) -> Loan:
        """Lends a message with a tail of `tail_bytes`, to be filled in place. Never waits."""
    def loan_batch(self, count: int, tail_bytes: int = 0) -> list[Loan]:
        """Lends up to `count` messages at once. Never waits."""
    def publish_batch(self, loans: Sequence[Loan], timeout: float | None = 0.0) -> int:
        """Publishes each of the loans, in order; returns how many. Sleepers are woken once."""
    def publish(self, loan: Loan, timeout: float | None = 0.0) -> int:
        """Shows the message to every subscriber; returns its position, from 0."""
    def send(self, value: Any, tail: Buffer | None = None, timeout: float | None = 0.0) -> int:
        """Publishes a copy of `value`, and of `tail` behind it; returns its position."""
    def send_batch(self, values: NDArray[np.void], timeout: float | None = 0.0) -> int:
        """Publishes a copy of each message of `values`, in order; returns how many."""
    def close(self) -> None:
        """Leaves the topic; subscribers still receive what was published."""
    @property
    def subscriber_count(self) -> int:
        """How many subscribers are attached now. Cheap."""
    @property
    def dropped_count(self) -> int:
        """Messages given up (when_behind "drop_new")."""
    @property
    def evicted_count(self) -> int:
        """Subscribers left behind (when_behind "evict")."""
    @property
    def topic(self) -> str:
        """The topic's name."""
    @property
    def dtype(self) -> np.dtype[np.void] | None:
        """The numpy dtype of the fixed part; None for plain bytes."""
    @property
    def closed(self) -> bool:
        """True after close()."""

class Subscriber:
    """The compiled half of signalbox.Subscriber."""

    def __init__(
        self,
        topic: str,
        dtype: np.dtype[np.void] | None,
        description: str,
        start: int,
        reliable: bool,
        domain: str | None,
        spin_max_ns: int,
        tier: str,
    ) -> None: ...
    def take(self) -> Sample | None:
        """The next message in publishing order, or None when there is nothing new. Never waits."""
    def take_latest(self) -> Sample | None:
        """The newest message, or None; those passed over are counted in skipped_count."""
    def take_batch(self, room: int = 256, out: NDArray[np.void] | None = None) -> NDArray[np.void]:
        """As many messages as there are, up to `room`, copied in order into one array."""
    def wait(self, timeout: float | None = None) -> bool:
        """Sleeps until a message is there (True) or `timeout` seconds passed (False)."""
    def receive(self, timeout: float | None = None) -> Sample | None:
        """The next message, sleeping until there is one; None when `timeout` seconds passed."""
    def fileno(self) -> int:
        """A descriptor for select, poll or an event loop: readable when a message may be there."""
    def close(self) -> None:
        """Leaves the topic. Samples and their arrays stay valid."""
    @property
    def lost_count(self) -> int:
        """Messages overwritten before this subscriber reached them."""
    @property
    def skipped_count(self) -> int:
        """Messages that take_latest() passed over."""
    @property
    def publisher_count(self) -> int:
        """How many publishers are attached now."""
    @property
    def topic(self) -> str:
        """The topic's name."""
    @property
    def dtype(self) -> np.dtype[np.void] | None:
        """The numpy dtype of the fixed part; None for plain bytes."""
    @property
    def closed(self) -> bool:
        """True after close()."""
