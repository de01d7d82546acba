"""The follower in Python of bench_bindings: reads what comes and sends 48 bytes back.

The protocol is that of follower.hpp, the exchanges are those of echo_exchange.hpp.
"""

import sys

import numpy as np
import signalbox

PAYLOAD = np.dtype([("words", "u8", 6)])
FRAME = np.dtype([("round", "u8")])
FRAME_BYTES = 1920 * 1080 * 3


class Exchange:
    """The two topics of one exchange, and the number of its last round."""

    def __init__(self, name: str) -> None:
        topic = f"bench/python/{name}"
        self.is_frame = name == "frame"
        self.sleeps = name == "blocked"
        self.back = signalbox.Publisher(f"{topic}/back", PAYLOAD, depth=4)
        self.there = signalbox.Subscriber(
            f"{topic}/there",
            FRAME if self.is_frame else PAYLOAD,
            start="oldest",
            tail=self.is_frame,
            spin_max_ns=0,
        )
        self.last = 0

    def follow(self, rounds: int) -> None:
        rest = range(self.last + 1, self.last + 1 + rounds)
        self.last += rounds
        if self.is_frame:
            self.follow_frames(rest)
        else:
            self.follow_words(rest)

    def follow_words(self, rounds: range) -> None:
        take = self.there.receive if self.sleeps else self.there.take
        send = self.back.send
        for number in rounds:
            while (sample := take()) is None:
                pass
            data = sample.data
            if data["words"].item(0) != number:
                sys.exit(f"message {number} arrived damaged: {data}")
            send(data)

    def follow_frames(self, rounds: range) -> None:
        take, send = self.there.take, self.back.send
        # Made beforehand: it is the frames that are to be measured.
        answers = np.zeros(len(rounds), PAYLOAD)
        answers["words"] = np.array(rounds, "u8")[:, None] + np.arange(6, dtype="u8")
        for number, answer in zip(rounds, list(answers), strict=True):
            while (sample := take()) is None:
                pass
            pixels = sample.tail
            if pixels.item(0) != number & 255 or pixels.item(-1) != number & 255:
                sys.exit(f"frame {number} arrived damaged")
            send(answer)


def main() -> None:
    exchanges = {name: Exchange(name) for name in ("words", "frame", "blocked")}
    print("ready", flush=True)
    for line in sys.stdin:
        name, rounds = line.split()
        exchanges[name].follow(int(rounds))


if __name__ == "__main__":
    main()
