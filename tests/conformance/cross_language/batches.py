"""The batch program of README.md in Python: `send TOPIC COUNT` and `take TOPIC COUNT`."""

import sys

import numpy as np
import signalbox

COUNTED = np.dtype([("number", "u8"), ("twice", "u8")])

# No divisor of the ring's depth, nor of the other program's batches.
BATCH = 37


def counted(first: int, count: int) -> np.ndarray:
    batch = np.zeros(count, COUNTED)
    batch["number"] = np.arange(first, first + count)
    batch["twice"] = 2 * batch["number"]
    return batch


def send(topic: str, count: int) -> None:
    with signalbox.Publisher(topic, COUNTED, depth=64) as out:
        print("open", flush=True)
        while out.subscriber_count == 0:
            pass
        for first in range(0, count, BATCH):
            rest = counted(first, min(BATCH, count - first))
            while len(rest):
                rest = rest[out.send_batch(rest, timeout=None) :]
        sys.stdin.read()


def take(topic: str, count: int) -> None:
    with signalbox.Subscriber(topic, COUNTED, start="oldest", reliable=True) as messages:
        print("open", flush=True)
        out = np.zeros(BATCH, COUNTED)
        taken = 0
        while taken < count:
            messages.wait()
            batch = messages.take_batch(out=out)
            if not np.array_equal(batch, counted(taken, len(batch))):
                sys.exit(f"wrong from message {taken} on: {batch}")
            taken += len(batch)
    print("received all")


if __name__ == "__main__":
    verb, topic_name, number = sys.argv[1:]
    (send if verb == "send" else take)(topic_name, int(number))
