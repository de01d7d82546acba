"""From the values people write (dicts, tuples, scalars) to the bytes of a message."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def pack(dtype: np.dtype, value: Any) -> np.ndarray | np.void:
    """`value` as one message of `dtype`. Called by the compiled half for Publisher.send().

    Arrays and structured scalars must have exactly this dtype: numpy would otherwise match fields
    by their order and not by their names. A dict or tuple must give every field.
    """
    if isinstance(value, np.ndarray | np.void):
        _check_same(value, dtype, (), "the value")
        return value
    message = np.zeros((), dtype)
    _fill(message, value, "")
    return message


def _check_same(
    value: np.ndarray | np.void, dtype: np.dtype, shape: tuple[int, ...], path: str
) -> None:
    if value.dtype != dtype:
        raise TypeError(f"send: {path} is of dtype {value.dtype}, the topic has {dtype} there")
    if value.shape != shape:
        raise TypeError(f"send: {path} has the shape {value.shape}, the topic has {shape} there")


def _fill(target: np.ndarray, value: Any, path: str) -> None:
    """Writes `value` into the 0-d structured array `target`."""
    if isinstance(value, np.ndarray | np.void):
        _check_same(value, target.dtype, (), path)
        target[()] = value
        return
    names = target.dtype.names or ()
    if isinstance(value, Mapping):
        missing = [name for name in names if name not in value]
        unknown = [str(name) for name in value if name not in names]
        if missing or unknown:
            wrong = [f"lacks {name!r}" for name in missing]
            wrong += [f"has an unknown {name!r}" for name in unknown]
            raise ValueError(f"send: {path or 'the value'} {', '.join(wrong)}")
        values = [value[name] for name in names]
    elif isinstance(value, tuple):
        if len(value) != len(names):
            raise ValueError(
                f"send: {path or 'the value'} has {len(value)} items for {len(names)} fields "
                f"({', '.join(names)})"
            )
        values = list(value)
    else:
        raise TypeError(
            f"send: {path or 'the value'} must be a dict, tuple or structured scalar, "
            f"not {type(value).__name__}"
        )
    for name, item in zip(names, values, strict=True):
        _fill_field(target, name, item, f"{path}.{name}" if path else name)


def _fill_field(target: np.ndarray, name: str, value: Any, path: str) -> None:
    field = target[name]
    if field.dtype.names is None:
        _fill_plain(field, value, path)
    elif field.shape == ():
        _fill(field, value, path)
    elif isinstance(value, np.ndarray):
        _check_same(value, field.dtype, field.shape, path)
        field[...] = value
    else:
        _fill_each(field, value, path)


def _fill_each(field: np.ndarray, value: Any, path: str) -> None:
    if len(value) != len(field):
        raise ValueError(f"send: {path} has {len(field)} elements, the value has {len(value)}")
    for i, item in enumerate(value):
        # A slice keeps a view where an index would give a scalar.
        element = field[i : i + 1].reshape(field.shape[1:])
        if element.shape == ():
            _fill(element, item, f"{path}[{i}]")
        else:
            _fill_each(element, item, f"{path}[{i}]")


def _fill_plain(field: np.ndarray, value: Any, path: str) -> None:
    if field.dtype.kind == "S" and isinstance(value, str | bytes):
        value = value.encode() if isinstance(value, str) else value
        if len(value) > field.dtype.itemsize:
            # numpy would cut it off without a word.
            raise ValueError(
                f"send: {path} holds {field.dtype.itemsize} bytes, the text has {len(value)}"
            )
    try:
        field[...] = value
    except OverflowError as error:
        raise OverflowError(f"send: {path}: {error}") from None
    except ValueError as error:
        raise ValueError(f"send: {path}: {error}") from None
    except TypeError as error:
        raise TypeError(f"send: {path}: {error}") from None
