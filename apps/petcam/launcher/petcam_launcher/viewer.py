"""What a browser would see, measured: the video by WebSocket and the events by SSE."""

import asyncio
import contextlib
import json
import struct
import time
from dataclasses import dataclass, field

import cv2
import numpy as np
import websockets

from .strips import read_strips

# Frame number, captured and published on CLOCK_MONOTONIC, width, height; the JPEG follows.
HEADER = struct.Struct("<QQQII")
_RETRY_SECONDS = 0.05


@dataclass
class Video:
    """Pictures as they came. Torn: not whole, or two numbers in one. Doubled: one number twice.

    `strips`: the pictures carry their number, so that both can be seen in the pixels; without, torn
    is what cannot be decoded, and doubled is judged by the number beside the picture.
    """

    strips: bool
    pictures: int = 0
    torn: int = 0
    doubled: int = 0
    first_at: float | None = None
    last_at: float = 0.0
    _last: tuple[int, int] = (-1, 0)

    def add(self, message: bytes) -> None:
        """One message of the WebSocket."""
        number, captured_ns, _, width, height = HEADER.unpack_from(message)
        luma = cv2.imdecode(
            np.frombuffer(message, np.uint8, offset=HEADER.size), cv2.IMREAD_GRAYSCALE
        )
        whole = luma is not None and luma.shape == (height, width)
        if whole and self.strips:
            whole = read_strips(luma) == (number & 0xFFFFFFFF,) * 2
        self.torn += not whole
        # A camera that was started again counts from 0, with later times.
        self.doubled += (number, captured_ns) == self._last
        self._last = (number, captured_ns)
        self.pictures += 1
        self.last_at = time.monotonic()
        if self.first_at is None:
            self.first_at = self.last_at

    def frames_per_s(self) -> float | None:
        """Between the first picture and the last."""
        if self.first_at is None or self.pictures < 2:
            return None
        return (self.pictures - 1) / (self.last_at - self.first_at)


@dataclass
class Events:
    """The event stream: how much came, and whether any message was lost or doubled."""

    messages: int = 0
    bytes: int = 0
    lost: int = 0
    doubled: int = 0
    reconnects: int = -1
    first_event_at: float | None = None
    connected_at: float | None = None
    kinds: dict[str, int] = field(default_factory=dict)
    last_id: str = ""

    def add(self, block: str) -> None:
        """One message of the stream, without the empty line that ends it."""
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        kind = lines.get("event")
        if kind is None:
            return  # a comment, or the hint how soon to come back
        self.messages += 1
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        # An event that began before we connected is told by the snapshot.
        shown = kind == "event" or (kind == "snapshot" and json.loads(lines["data"]).get("open"))
        if shown and self.first_event_at is None:
            self.first_event_at = time.monotonic()
        if "id" in lines:
            self._follow(kind, lines["id"])

    def _follow(self, kind: str, identity: str) -> None:
        epoch, _, number = identity.rpartition("-")
        last_epoch, _, last_number = self.last_id.rpartition("-")
        # A snapshot tells where the stream is, it is no message of its own; and after a resync
        # the server has said itself that there is a gap.
        if epoch == last_epoch and kind not in ("snapshot", "resync"):
            step = int(number) - int(last_number)
            self.doubled += step <= 0
            self.lost += max(0, step - 1)
        self.last_id = identity


async def watch_video(url: str, video: Video) -> None:
    """Receives pictures until cancelled, through any number of server restarts."""
    while True:
        with contextlib.suppress(OSError, websockets.WebSocketException):
            await _receive_pictures(url, video)
        await asyncio.sleep(_RETRY_SECONDS)


async def _receive_pictures(url: str, video: Video) -> None:
    address = url.replace("http", "ws", 1) + "ws"
    async with websockets.connect(address, max_size=None, compression=None) as socket:
        async for message in socket:
            if isinstance(message, bytes):
                video.add(message)


async def watch_events(host: str, port: int, events: Events) -> None:
    """Receives events until cancelled, and resumes like a browser's EventSource."""
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await _stream(host, port, events)
        await asyncio.sleep(_RETRY_SECONDS)


async def _stream(host: str, port: int, events: Events) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        resume = f"Last-Event-ID: {events.last_id}\r\n" if events.last_id else ""
        # HTTP/1.0, because then the body comes as it is and not in chunks.
        writer.write(
            f"GET /events HTTP/1.0\r\nHost: {host}:{port}\r\nAccept: text/event-stream\r\n{resume}"
            "\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            return
        events.reconnects += 1
        if events.connected_at is None:
            events.connected_at = time.monotonic()
        while True:
            block = await reader.readuntil(b"\n\n")
            events.bytes += len(block)
            events.add(block.decode().rstrip("\n"))
    finally:
        writer.close()
