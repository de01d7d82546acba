"""Receives what publish.py publishes: two topics in one event loop, nobody polling.

.venv/bin/python examples/python/subscribe.py [--count N]
"""

import argparse
import asyncio
import contextlib

import signalbox
from publish import PICTURE, POSE


async def show_poses(count: int) -> None:
    with signalbox.Subscriber("example/pose", POSE) as poses:
        async for sample in poses:
            x, y, z = sample.data["xyz"]
            print(f"pose {sample.data['seq']}: {x:.2f} {y:.2f} {z:.2f}", flush=True)
            count -= 1
            if count == 0:
                return


async def show_pictures() -> None:
    with signalbox.Subscriber("example/picture", PICTURE) as pictures:
        async for sample in pictures:
            # These are the publisher's own bytes, read-only, pinned while `gray` lives.
            gray = sample.data["gray"]
            print(f"picture {sample.data['seq']}: mean {gray.mean():.0f}", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=0, help="poses to wait for; 0: all")
    options = parser.parse_args()

    pictures = asyncio.create_task(show_pictures())
    try:
        await show_poses(options.count)
    finally:
        pictures.cancel()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
