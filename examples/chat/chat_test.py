"""Goal: in the chat every client gets every line, whatever becomes of the others.
Method: a server and fifty clients, real processes. Some are killed, one is stopped until the server
drops it, one leaves; each round waits until everybody else has heard every line, so that nobody who
is well can ever be too slow, however loaded the machine is.

    chat_test.py SERVER CLIENT
"""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

SECONDS_MAX = 100  # a watchdog against hangs
CLIENTS = 50
LINES_MAX = 200  # that may wait for a client, before the server drops it; more than one round's
ROUNDS_MAX = 60  # each of some 45 lines: far more than a queue and a socket's buffer hold


class Member:
    """A client, and the lines it has printed."""

    def __init__(self, program: str, path: Path, name: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [program, str(path), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.pending = b""
        self.at_end = False  # of what it prints

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def read(self) -> None:
        assert self.process.stdout is not None
        got = os.read(self.process.stdout.fileno(), 65536)
        *lines, self.pending = (self.pending + got).split(b"\n")
        self.lines += [line.decode() for line in lines]
        self.at_end = not got

    def has_left(self) -> str:
        return f"* {self.name} has left"

    def talk(self) -> list[str]:
        return [line for line in self.lines if not line.startswith("* ")]


class Room:
    """A server in a folder of its own, and who is in the chat."""

    def __init__(self, server: str, client: str, folder: str) -> None:
        self.path = Path(folder) / "chat.sock"
        self.client = client
        self.started = time.monotonic()
        self.selector = selectors.DefaultSelector()
        self.members: list[Member] = []  # who is well
        self.everybody: list[Member] = []
        self.server = subprocess.Popen(
            [server, str(self.path), str(LINES_MAX)], stdout=subprocess.PIPE
        )
        assert self.server.stdout is not None
        assert self.server.stdout.readline() == b"ready\n"

    def enter(self, name: str) -> Member:
        member = Member(self.client, self.path, name)
        self.selector.register(member.process.stdout, selectors.EVENT_READ, member)
        self.members.append(member)
        self.everybody.append(member)
        return member

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Listens to all clients until it is so."""
        while not is_so():
            left = self.started + SECONDS_MAX - time.monotonic()
            assert left > 0, f"never so: {what}"
            for key, _ in self.selector.select(left):
                key.data.read()
                if key.data.at_end:
                    self.selector.unregister(key.fileobj)

    def until_all(self, is_so: Callable[[Member], bool], what: str) -> None:
        """The same of each who is well."""
        for member in self.members:
            self.until(partial(is_so, member), what)

    def until_all_heard(self, line: str) -> None:
        self.until_all(lambda member: line in member.lines, line)

    def round(self, word: str) -> None:
        """Everybody says something, and everybody has heard it."""
        for member in self.members:
            member.say(word)
        said = {f"{member.name}: {word}" for member in self.members}
        self.until_all(lambda member: said <= set(member.lines[-10 * CLIENTS :]), f"{word} of all")

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.server.pid}/fd").iterdir()))

    def end(self) -> None:
        for process in [self.server, *(member.process for member in self.everybody)]:
            process.kill()
            process.wait()


def check_chat(room: Room) -> None:
    first = room.enter("first")
    room.until_all_heard("* first has joined")
    descriptors_alone = room.descriptors()
    for number in range(1, CLIENTS):
        room.enter(f"client-{number}")
    room.until_all(lambda member: f"* {member.name} has joined" in first.lines, "all have joined")
    room.round("hello")

    # A name that is taken is refused, and a line cannot move other people's cursors.
    twin = room.enter("first")
    room.members.remove(twin)
    assert twin.process.wait() == 1
    first.say("\x1b[2Jred")
    room.until_all_heard("first: ?[2Jred")

    killed = [room.members.pop() for _ in range(5)]
    for member in killed:
        member.process.kill()
    for member in killed:
        room.until_all_heard(member.has_left())
    room.round("after the kills")

    stopped = room.members.pop()
    stopped.process.send_signal(signal.SIGSTOP)
    dropped = f"* {stopped.name} was too slow and is dropped"
    rounds = 0
    while dropped not in first.lines:
        assert rounds < ROUNDS_MAX, "one who does not read is never dropped"
        room.round(f"round {rounds}")
        rounds += 1
    room.until_all_heard(dropped)
    room.round("after the drop")
    stopped.process.send_signal(signal.SIGCONT)
    room.until(lambda: stopped.at_end, "the dropped one ends")
    assert stopped.process.wait() == 1

    leaver = room.members.pop()
    assert leaver.process.stdin is not None
    leaver.process.stdin.close()
    room.until_all_heard(leaver.has_left())
    assert leaver.process.wait() == 0
    assert room.descriptors() == descriptors_alone + len(room.members) - 1

    # All have heard the same, in the same order, and nothing twice.
    assert first.talk() == [
        line for index, line in enumerate(first.talk()) if line not in first.talk()[:index]
    ]
    for member in room.members:
        assert member.talk() == first.talk(), f"{member.name} heard something else than first"

    room.server.terminate()
    room.until_all_heard("* the server ends")
    assert room.server.wait() == 0
    assert not room.path.exists()
    print(f"{CLIENTS} clients, {len(first.talk())} lines to each; dropped after {rounds} rounds")


def main() -> None:
    server, client = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="sbx-chat-") as folder:
        room = Room(server, client, folder)
        try:
            check_chat(room)
        finally:
            room.end()


if __name__ == "__main__":
    main()
