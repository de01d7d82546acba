"""From a numpy dtype to the canonical description every language computes (see signalbox.h)."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ._errors import DescriptionError

_SCALARS = {
    ("b", 1): "bool",
    ("u", 1): "u8",
    ("u", 2): "u16",
    ("u", 4): "u32",
    ("u", 8): "u64",
    ("i", 1): "i8",
    ("i", 2): "i16",
    ("i", 4): "i32",
    ("i", 8): "i64",
    ("f", 4): "f32",
    ("f", 8): "f64",
}

# What to use instead, by numpy's kind.
_INSTEAD = {
    "O": "it holds pointers, which mean nothing to another process; use numbers or 'S<n>'",
    "U": "other languages have no 4-byte characters; use 'S<n>' and encode the text as UTF-8",
    "M": "use 'i8' nanoseconds",
    "m": "use 'i8' nanoseconds",
    "c": "use two floats",
    "V": "raw bytes have no kind; use ('u1', n)",
    "f": "use 'f4' or 'f8'",
    "S": "its length is 0; use 'S<n>'",
}

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def describe(dtype: npt.DTypeLike | None, tail: bool = False) -> str:
    """The canonical description of messages with this fixed part, as stored in the topic.

    `dtype` is a structured dtype, or None for plain bytes; `tail` says whether bytes of varying
    length follow the fixed part. Raises DescriptionError, naming the field, for what other
    languages cannot share: objects, unicode, dates, complex numbers, foreign byte order.

    >>> describe([("seq", "u8"), ("xyz", "f8", 3)])
    '{seq:u64@0,xyz:f64[3]@8}#32'
    """
    if dtype is None:
        return "+u8[]"
    return _struct(as_structured(dtype), "") + ("+u8[]" if tail else "")


def as_structured(dtype: npt.DTypeLike) -> np.dtype[np.void]:
    """`dtype` as a numpy dtype with named fields."""
    result = np.dtype(dtype)
    if result.names is None:
        raise DescriptionError(
            f"a message needs named fields, but {result} has none. "
            f"Wrap it: np.dtype([('value', {result.str!r})]); for plain bytes pass None.",
            "bad_argument",
        )
    return result


def _struct(dtype: np.dtype, path: str) -> str:
    places: Mapping[str, tuple[Any, ...]] = dtype.fields or {}
    # By name: `dtype.fields` also lists titles, numpy's second names of the same fields.
    fields = [(name, *places[name][:2]) for name in dtype.names or ()]
    if not fields:
        raise _refused(path, dtype, "it has no fields; give it at least one")
    fields.sort(key=lambda field: field[2])
    texts, end, before = [], 0, ""
    for name, kind, offset in fields:
        here = f"{path}.{name}" if path else name
        if not _NAME.match(name):
            raise _refused(here, kind, "use a name that C accepts: letters, digits, underscores")
        if offset < end:
            raise _refused(here, kind, f"it overlaps the field {before!r}; move one of them")
        texts.append(f"{name}:{_type(kind, here)}@{offset}")
        end, before = offset + kind.itemsize, here
    return "{" + ",".join(texts) + f"}}#{dtype.itemsize}"


def _type(dtype: np.dtype, path: str) -> str:
    base, shape = dtype.base, dtype.shape
    if 0 in shape:
        raise _refused(path, dtype, "an array of nothing; give it at least one element")
    # 'S16' is sixteen characters; 'S1' is one, as `char` is in C.
    if base.kind == "S" and base.itemsize > 1:
        shape = (*shape, base.itemsize)
    return _element(base, path) + "".join(f"[{count}]" for count in shape)


def _element(dtype: np.dtype, path: str) -> str:
    if dtype.names is not None:
        return _struct(dtype, path)
    if not dtype.isnative:
        raise _refused(
            path, dtype, "its byte order is not this machine's; use dtype.newbyteorder('=')"
        )
    if dtype.kind == "S" and dtype.itemsize:
        return "char"
    scalar = _SCALARS.get((dtype.kind, dtype.itemsize))
    if scalar is None:
        raise _refused(path, dtype, _INSTEAD.get(dtype.kind, "use a number, bool or 'S<n>'"))
    return scalar


def _refused(path: str, dtype: np.dtype, why: str) -> DescriptionError:
    place = f"field {path!r}" if path else "the dtype"
    return DescriptionError(
        f"cannot describe {place} of kind {dtype} to other languages: {why}.", "bad_argument"
    )
