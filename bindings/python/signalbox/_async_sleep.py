"""How a task sleeps on a descriptor in asyncio: what Subscriber and TopicWatcher have in common."""

import asyncio

from ._errors import SignalboxError
from ._file_lock import HasDescriptor


class AsyncSleep:
    """The sleep of one task at a time. `owner` is whose descriptor it is, for messages."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._waiting: asyncio.Future[None] | None = None

    def refuse_second_task(self) -> None:
        if self._waiting is not None:
            raise SignalboxError(
                f"another task already waits on the {self._owner}. Open one for each task.",
                "in_use",
            )

    async def until_readable(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        self._waiting = waiting = loop.create_future()
        # A reader stays only while somebody waits: the descriptor remains readable until a take()
        # found nothing, and the loop would spin on it while what was taken is being worked on.
        loop.add_reader(descriptor, _finish, waiting)
        try:
            await waiting
        finally:
            if self._waiting is waiting:
                self._waiting = None
                loop.remove_reader(descriptor)

    def end(self, source: HasDescriptor) -> None:
        """The task that sleeps gets code "closed". To be called before the source closes: the
        number of its descriptor may be another file's a moment later."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        waiting.get_loop().remove_reader(source.fileno())
        if not waiting.done():
            waiting.set_exception(
                SignalboxError(f"the {self._owner} was closed while waiting", "closed")
            )


def _finish(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
