"""The line protocol of actors, and our errors as the kernel's: what actor.hpp and ours.hpp are to
actors in C++."""

import ctypes
import errno
from collections.abc import Callable

from signalbox import PRIVATE_KEY, SignalboxError

LIBC = ctypes.CDLL(None, use_errno=True)

Words = list[str]
Operation = Callable[[Words], str]


class Interrupted(Exception):  # noqa: N818
    """What the handler of a signal raises, and so ends the wait: Python's way to say EINTR."""


# What an error tells that no call is to blame for, because ours saw it coming: our_errno.hpp.
ERRNO_OF_CODE = {
    "would_block": errno.EAGAIN,
    "timed_out": errno.ETIMEDOUT,
    "bad_argument": errno.EINVAL,
    "bad_name": errno.EINVAL,
    "not_found": errno.ENOENT,
    "already_exists": errno.EEXIST,
    "closed": errno.EPIPE,
    "removed": errno.EIDRM,
}


def named(number: int) -> str:
    return errno.errorcode.get(number, f"errno-{number}")


def told(error: SignalboxError) -> str:
    """The errno's name. That a deadline passed is ETIMEDOUT, whatever the last try was answered."""
    if error.errno != 0 and error.code != "timed_out":
        return named(error.errno)
    number = ERRNO_OF_CODE.get(error.code)
    return f"no-errno-of {error.code}" if number is None else named(number)


def ok(*values: object) -> str:
    return " ".join(["ok", *map(str, values)])


def not_in_language(why: str) -> str:
    return f"not-in-language {why}"


def payload(word: str) -> bytes:
    """The bytes that a text stands for."""
    if word == "-":
        return b""
    if len(word) > 2 and word[1] == "*":
        return word[0].encode() * int(word[2:])
    return word.encode()


def word_of(data: bytes) -> str:
    if not data:
        return "-"
    text = data.decode()
    if len(text) > 8 and text == text[0] * len(text):
        return f"{text[0]}*{len(text)}"
    return text


def seconds(word: str) -> float:
    if word == "past":
        return 0
    digits = word.rstrip("mus")
    return int(digits) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[word[len(digits) :]]


def mode_of(words: Words, index: int) -> int:
    return int(words[index], 8) if len(words) > index else 0o600


def key_of(word: str) -> int:
    return PRIVATE_KEY if word == "private" else int(word)


def taken(is_taken: bool, if_not: str) -> str:
    return ok() if is_taken else if_not
