"""One of the four programs of README.md: exchanges the message in Python."""

import sys

import numpy as np
import signalbox

TAIL_BYTES = (0, 5, 100_000)

CORNER = np.dtype([("id", "u4"), ("xy", "f4", 2)], align=True)


def message_type(precise: str) -> np.dtype:
    return np.dtype(
        [
            *((f"n_{kind}", code) for kind, code in NUMBERS.items()),
            ("precise", precise),
            ("flag", "?"),
            ("letter", "S1"),
            ("vector", "f8", 3),
            ("matrix", "i4", (2, 3)),
            ("corner", CORNER),
            ("corners", CORNER, 2),
            ("label", "S16"),
        ],
        align=True,
    )


NUMBERS = {
    "u8": "u1",
    "u16": "u2",
    "u32": "u4",
    "u64": "u8",
    "i8": "i1",
    "i16": "i2",
    "i32": "i4",
    "i64": "i8",
    "f32": "f4",
}


def corner(n: int) -> tuple:
    return (7 + n, (n + 0.5, -n - 0.5))


def values(n: int) -> dict:
    return {
        "n_u8": 200 + n,
        "n_u16": 60_000 + n,
        "n_u32": 4_000_000_000 + n,
        "n_u64": 18_000_000_000_000_000_000 + n,
        "n_i8": -100 - n,
        "n_i16": -30_000 - n,
        "n_i32": -2_000_000_000 - n,
        "n_i64": -9_000_000_000_000_000_000 - n,
        "n_f32": n + 0.5,
        "precise": 0.1 * (n + 1),
        "flag": n % 2 == 1,
        "letter": bytes([ord("a") + n]),
        "vector": [n + i / 4 for i in range(3)],
        "matrix": [[100 * n + 10 * row + column for column in range(3)] for row in range(2)],
        "corner": corner(n),
        "corners": [corner(n + 1), corner(n + 2)],
        "label": f"message {n}".encode(),
    }


def tail(n: int) -> np.ndarray:
    return (31 * np.arange(TAIL_BYTES[n]) + n).astype(np.uint8)


def publish(topic: str, dtype: np.dtype) -> None:
    with signalbox.Publisher(topic, dtype, tail_max=max(TAIL_BYTES)) as messages:
        print("open", flush=True)
        for n in range(len(TAIL_BYTES)):
            with messages.loan(TAIL_BYTES[n]) as loan:
                for name, value in values(n).items():
                    loan.data[name] = value
                loan.tail[:] = tail(n)
        sys.stdin.read()


def check(sample: signalbox.Sample, n: int, dtype: np.dtype) -> None:
    expected = np.zeros((), dtype)
    for name, value in values(n).items():
        expected[name] = value
        if not np.array_equal(sample.data[name], expected[name]):
            sys.exit(f"message {n}: {name} is wrong")
    if not np.array_equal(sample.tail, tail(n)):
        sys.exit(f"message {n}: the tail is wrong")


def subscribe(topic: str, dtype: np.dtype) -> None:
    with signalbox.Subscriber(topic, dtype, tail=True, start="oldest") as messages:
        print("open", flush=True)
        for n in range(len(TAIL_BYTES)):
            with messages.receive() as sample:
                check(sample, n, dtype)
    print("received all")


def main() -> int:
    verb, topic, *changed = sys.argv[1:]
    dtype = message_type("f4" if changed else "f8")
    try:
        (publish if verb == "publish" else subscribe)(topic, dtype)
    except signalbox.SignalboxError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
