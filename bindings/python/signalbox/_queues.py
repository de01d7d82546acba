"""SysvQueue and PosixQueue: the compiled handles, with messages as named tuples."""

from typing import Literal, NamedTuple, Self

from . import _core
from ._errors import SignalboxError
from ._semaphores import SysvAccess

_ANY, _EXACT, _UP_TO, _ALL_BUT = range(4)


class SysvMessage(NamedTuple):
    """A message of a System V queue."""

    type: int
    data: bytes
    was_cut_off: bool


class SysvQueueFacts(NamedTuple):
    """What the kernel knows of a System V queue. Times are seconds since 1970; 0: never."""

    id: int
    access: SysvAccess
    messages: int
    bytes: int
    bytes_max: int
    last_sender: int
    last_receiver: int
    last_send: int
    last_receive: int
    last_change: int


class SysvQueue(_core.SysvQueue):
    """A System V queue: whole messages with a type of 1 or more, received by type.

    Lives    until remove() or the machine restarts, with the messages in it
    Threads  any number at a time
    Crash    a message is in the queue whole or not at all; those of the dead stay
    Fork     a child may use it
    Limits   /proc/sys/kernel/msgmax (bytes of a message), msgmnb (of a queue), msgmni (queues)

    Without a timeout a wait sleeps in the kernel; with one it looks up to 100 times a second,
    because the kernel has no timed call. A Ctrl-C that comes in the very moment before it falls
    asleep for ever is noticed with the next message; a second one ends it. PosixQueue has none of
    these costs.
    """

    @classmethod
    def create(cls, key: int, *, mode: int = 0o600) -> Self:
        """A new queue. Raises: already_exists, no_space."""
        return cls(_core.create_sysv_queue(key, mode))

    @classmethod
    def open(cls, key: int) -> Self:
        """One that exists. Raises: not_found."""
        return cls(_core.open_sysv_queue(key))

    @classmethod
    def open_or_create(cls, key: int, *, mode: int = 0o600) -> Self:
        """Opens it or creates it."""
        return cls(_core.open_or_create_sysv_queue(key, mode))

    @classmethod
    def attach(cls, id: int) -> Self:
        """The queue of this id, for example a private one of one's parent. Raises: not_found."""
        return cls(_core.attach_sysv_queue(id))

    def receive(
        self,
        *,
        only: int | None = None,
        up_to: int | None = None,
        all_but: int | None = None,
        timeout: float | None = None,
        room: int = 8192,
        cut_off: bool = False,
    ) -> SysvMessage | None:
        """Takes the oldest message, or the oldest that a filter lets through; sleeps until there is
        one, or until `timeout` seconds passed: None.

        only     of this type
        up_to    of the lowest type that is there and not above this one: types as priorities
        all_but  of any type but this one
        room     what is longer is refused with code "too_large" and stays, or with `cut_off` is cut
        """
        kind, type = _filter(only, up_to, all_but)
        message = self._receive(kind, type, room, cut_off, timeout)
        return None if message is None else SysvMessage(*message)

    def try_receive(
        self,
        *,
        only: int | None = None,
        up_to: int | None = None,
        all_but: int | None = None,
        room: int = 8192,
        cut_off: bool = False,
    ) -> SysvMessage | None:
        """As receive(), but never waits."""
        kind, type = _filter(only, up_to, all_but)
        message = self._try_receive(kind, type, room, cut_off)
        return None if message is None else SysvMessage(*message)

    def peek(self, place: int = 0, *, room: int = 8192) -> SysvMessage | None:
        """A copy of the message at this place, 0 for the oldest, which stays there."""
        message = self._peek(place, room)
        return None if message is None else SysvMessage(*message)

    def facts(self) -> SysvQueueFacts:
        """What the kernel knows of the queue."""
        id, *rest = self._facts()
        return SysvQueueFacts(id, SysvAccess(*rest[:6]), *rest[6:])


class PriorityMessage(NamedTuple):
    """A message of a POSIX queue."""

    data: bytes
    priority: int


class PosixQueueFacts(NamedTuple):
    """How large a POSIX queue is, and how many messages wait in it."""

    messages_max: int
    message_bytes_max: int
    messages: int


class PosixQueue(_core.PosixQueue):
    """A POSIX queue: whole messages, the most urgent first, found by a name such as "/jobs".

    Lives    until unlink() and the last handle, or the machine restarts
    Threads  any number at a time
    Crash    a message is in the queue whole or not at all; those of the dead stay
    Fork     a child shares the handle
    Limits   /proc/sys/fs/mqueue, RLIMIT_MSGQUEUE; priorities 0 to 32767

    fileno() is for a WaitSet or any event loop.
    """

    @classmethod
    def create(
        cls,
        name: str,
        *,
        messages_max: int = 0,
        message_bytes_max: int = 0,
        mode: int = 0o600,
        access: Literal["receive", "send", "both"] = "both",
    ) -> Self:
        """A new queue. 0: the machine's usual. Raises: already_exists, bad_name, bad_argument (a
        limit of /proc/sys/fs/mqueue), limit_reached, no_space."""
        made = _core.create_posix_queue(name, messages_max, message_bytes_max, mode, access)
        return cls(made)

    @classmethod
    def open(cls, name: str, *, access: Literal["receive", "send", "both"] = "both") -> Self:
        """One that exists. Raises: not_found, permission_denied."""
        return cls(_core.open_posix_queue(name, access))

    @classmethod
    def open_or_create(
        cls,
        name: str,
        *,
        messages_max: int = 0,
        message_bytes_max: int = 0,
        mode: int = 0o600,
        access: Literal["receive", "send", "both"] = "both",
    ) -> Self:
        """Opens it, or creates it with these options. Who opens takes its size as it is."""
        made = _core.open_or_create_posix_queue(name, messages_max, message_bytes_max, mode, access)
        return cls(made)

    def receive(self, timeout: float | None = None) -> PriorityMessage | None:
        """Takes the oldest of the most urgent messages; None when `timeout` seconds passed."""
        message = self._receive(timeout)
        return None if message is None else PriorityMessage(*message)

    def try_receive(self) -> PriorityMessage | None:
        """As receive(), but never waits."""
        message = self._try_receive()
        return None if message is None else PriorityMessage(*message)

    def facts(self) -> PosixQueueFacts:
        """How large it is and how many messages wait in it."""
        return PosixQueueFacts(*self._facts())


def _filter(only: int | None, up_to: int | None, all_but: int | None) -> tuple[int, int]:
    asked = [
        (kind, type)
        for kind, type in ((_EXACT, only), (_UP_TO, up_to), (_ALL_BUT, all_but))
        if type is not None
    ]
    if len(asked) > 1:
        raise SignalboxError(
            "cannot receive by two filters at once: give one of only, up_to and all_but",
            "bad_argument",
        )
    return asked[0] if asked else (_ANY, 1)
