"""Publishes a walking point ten times a second, and one picture to look at without a copy.

.venv/bin/python examples/python/publish.py [--count N]
.venv/bin/python examples/python/subscribe.py      in another terminal
"""

import argparse
import contextlib
import math
import time

import numpy as np
import signalbox

POSE = np.dtype([("seq", "u8"), ("xyz", "f8", 3), ("frame", "S16")], align=True)
PICTURE = np.dtype([("seq", "u8"), ("gray", "u1", (480, 640))], align=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="messages to publish")
    parser.add_argument("--period", type=float, default=0.1, help="seconds between two")
    options = parser.parse_args()

    with (
        signalbox.Publisher("example/pose", POSE) as poses,
        signalbox.Publisher("example/picture", PICTURE, depth=2) as pictures,
    ):
        for seq in range(options.count):
            angle = seq / 10
            # A value at hand is sent as it is ...
            position = poses.send(
                {"seq": seq, "xyz": (math.cos(angle), math.sin(angle), 0.0), "frame": "map"}
            )
            # ... a large one is made where its readers will read it, and only if there is one.
            if pictures.subscriber_count > 0:
                with pictures.loan() as loan:
                    loan.data["seq"] = seq
                    loan.data["gray"][:] = seq % 256
            print(f"published {position} to {poses.subscriber_count} subscribers", flush=True)
            time.sleep(options.period)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
