"""topics() and TopicWatcher: which topics there are, who is in them, and who comes and goes."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, Self, TypeAlias

from . import _core
from ._async_sleep import AsyncSleep
from ._errors import SignalboxError, from_code

EventKind: TypeAlias = Literal[
    "topic_appeared",
    "topic_vanished",
    "publisher_joined",
    "publisher_left",
    "publisher_died",
    "subscriber_joined",
    "subscriber_left",
    "subscriber_died",
]


class PublisherInfo(NamedTuple):
    """What a publisher's page says of it.

    `incarnation`, `uid` and `alive` are told by the kernel and do not depend on its honesty; with
    `error` (its page is damaged, or not for us to read) the rest is 0.
    """

    incarnation: int
    pid: int
    """In the name space of that process."""
    uid: int
    """The owner of its file."""
    program: str
    alive: bool
    """Told by the lock on its file."""
    error: SignalboxError | None
    depth: int
    tail_max: int
    published: int
    """Messages so far."""
    dropped: int
    evicted: int


class SubscriberInfo(NamedTuple):
    """What a subscriber's page says of it; up to `error` as of a publisher."""

    incarnation: int
    pid: int
    uid: int
    program: str
    alive: bool
    error: SignalboxError | None
    reliable: bool
    held: int
    """Large samples it holds."""
    lag: int | None
    """Messages published and not taken, over all living publishers it has met. None for lossy ones:
    how far those have come, and what they lost, no shared page says."""


class TopicInfo(NamedTuple):
    """A topic and who is in it. With `error` it is damaged, or not for us to read."""

    name: str
    type_name: str
    """For people."""
    type_description: str
    """The canonical one, as describe() writes it."""
    publishers: list[PublisherInfo]
    subscribers: list[SubscriberInfo]
    error: SignalboxError | None


class TopicEvent(NamedTuple):
    """What changed. `pid` and `incarnation` are 0 for topics.

    A publisher that left has closed, and what it published may still be there to be taken; one that
    died ended without closing.
    """

    kind: EventKind
    topic: str
    pid: int
    incarnation: int


def topics(domain: str | None = None) -> list[TopicInfo]:
    """Every topic of the domain, by name; empty if nobody is there. None: that of Publisher.

    A look at something that moves: each number is as old as its own reading. Nothing is joined,
    written or locked. Other threads run meanwhile; in the hardened tier it waits up to a second for
    those who do not answer. Raises SignalboxError: bad_name, permission_denied (the domain itself),
    limit_reached.
    """
    return [
        TopicInfo(
            name,
            type_name,
            type_description,
            [PublisherInfo(*who[:5], _error(who[5]), *who[6:]) for who in publishers],
            [SubscriberInfo(*who[:5], _error(who[5]), *who[6:]) for who in subscribers],
            _error(trouble),
        )
        for name, type_name, type_description, publishers, subscribers, trouble in (
            _core.list_topics(domain)
        )
    ]


class TopicWatcher(_core.TopicWatcher):
    """Tells who comes and goes, without polling: of one topic, or of all of a domain.

    topic    the one to watch, which need not exist yet; None: all, present and future. Of topics
             that may not be read only appearing and vanishing is told
    domain   as for Publisher; it need not exist yet either

    It begins with who is there, so nothing can be missed between topics() and the first event. Each
    participant that lives at one look is told joined once and left or died once. One that came and
    went between two looks may be missed. Memory of the dead is only free once a look has found
    them: a program that has a watcher takes from it.

    Threads  one thread at a time, checked (code "in_use")
    Crash    nothing to lose
    Fork     belongs to the process that opened it, checked (code "wrong_process")
    Limits   four descriptors and one for each participant it knows, and those of inotify in
             /proc/sys/fs/inotify

        with TopicWatcher() as watcher:
            for event in watcher:  # sleeps; Ctrl-C works
                print(event.kind, event.topic)

    `for event in watcher.events(1.0)` ends when nothing came for a second, `async for` sleeps in
    asyncio, and fileno() is for a WaitSet or any other loop.
    """

    def __init__(self, topic: str | None = None, *, domain: str | None = None) -> None:
        self._sleep = AsyncSleep(
            "topic watcher" if topic is None else f"topic watcher of topic {topic!r}"
        )
        super().__init__(topic, domain)

    def take(self) -> TopicEvent | None:
        """The next event, or None when there is nothing new. Never waits.

        Raises SignalboxError: limit_reached (descriptors: what could not be looked at is told by a
        later call), permission_denied.
        """
        event = self._take()
        return None if event is None else TopicEvent(*event)

    def receive(self, timeout: float | None = None) -> TopicEvent | None:
        """The next event, sleeping until there is one; None when `timeout` seconds passed."""
        event = self._receive(timeout)
        return None if event is None else TopicEvent(*event)

    def events(self, timeout: float | None = None) -> Iterator[TopicEvent]:
        """Each event as it comes, until none came for `timeout` seconds, or until close(). With 0
        those that are there."""
        while not self.closed:
            try:
                event = self.receive(timeout)
            except SignalboxError as error:
                if error.code == "closed":  # while it slept
                    return
                raise
            if event is None:
                return
            yield event

    async def receive_async(self) -> TopicEvent:
        """The next event, letting other tasks run until there is one. One task at a time."""
        self._sleep.refuse_second_task()
        while (event := self.take()) is None:
            await self._sleep.until_readable(self.fileno())
        return event

    def close(self) -> None:
        """Stops watching. A task that waits gets code "closed"."""
        self._sleep.end(self)
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[TopicEvent]:
        return self.events()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TopicEvent:
        """As receive_async(); the iteration ends with close()."""
        try:
            return await self.receive_async()
        except SignalboxError as error:
            if error.code == "closed":
                raise StopAsyncIteration from None
            raise


def _error(trouble: tuple[str, str, int] | None) -> SignalboxError | None:
    return None if trouble is None else from_code(*trouble)
