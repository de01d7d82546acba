"""Reads one section of a configuration strictly: unknown keys and wrong kinds are refused."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class ConfigError(Exception):
    """A configuration that cannot be used; the text names the key and what it may have."""


class Section:
    """Take every key you know, then call done(): it refuses what is left."""

    def __init__(self, name: str, values: Any) -> None:
        if values is None:
            values = {}
        if not isinstance(values, Mapping):
            raise ConfigError(f"{name}: must be a section of `key: value` lines, not {values!r}.")
        self.name = name
        self._values = dict(values)
        self._known: list[str] = []

    def key(self, key: str) -> str:
        """The key with its section in front, for messages."""
        return f"{self.name}.{key}" if self.name else key

    def take(self, key: str, default: Any = None) -> Any:
        """The value as it stands."""
        self._known.append(key)
        return self._values.pop(key, default)

    def take_as(self, key: str, default: T, what: str, read: Callable[[Any], T | None]) -> T:
        """The value as `read` turns it; None from `read` says it is not `what`."""
        if key not in self._values:
            self._known.append(key)
            return default
        raw = self.take(key)
        value = read(raw)
        if value is None:
            raise ConfigError(f"{self.key(key)}: must be {what}, not {raw!r}.")
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number in [low, high]."""

        def read(raw: Any) -> float | None:
            good = isinstance(raw, int | float) and not isinstance(raw, bool) and low <= raw <= high
            return float(raw) if good else None

        return self.take_as(key, default, f"a number from {low:g} to {high:g}", read)

    def truth(self, key: str, default: bool) -> bool:
        """true or false"""
        return self.take_as(
            key, default, "true or false", lambda raw: raw if isinstance(raw, bool) else None
        )

    def text(self, key: str, default: str, bytes_max: int = 4096) -> str:
        """Text of at most `bytes_max` bytes of UTF-8."""

        def read(raw: Any) -> str | None:
            good = isinstance(raw, str) and len(raw.encode()) <= bytes_max
            return raw if good else None

        return self.take_as(key, default, f"text of at most {bytes_max} bytes", read)

    def choice(self, key: str, default: str, choices: tuple[str, ...]) -> str:
        """One of the named choices."""
        return self.take_as(
            key,
            default,
            "one of " + ", ".join(choices),
            lambda raw: raw if raw in choices else None,
        )

    def texts(self, key: str, choices: tuple[str, ...] | None = None) -> list[str]:
        """A list of texts, each one of `choices` if given."""

        def read(raw: Any) -> list[str] | None:
            good = isinstance(raw, list) and all(isinstance(item, str) for item in raw)
            if not good or (choices and set(raw) - set(choices)):
                return None
            return list(raw)

        what = "a list of text" + (" out of " + ", ".join(choices) if choices else "")
        return self.take_as(key, [], what, read)

    def section(self, key: str) -> "Section":
        """The section below this key; empty when it is missing."""
        return Section(self.key(key), self.take(key))

    def items(self) -> list[tuple[str, Any]]:
        """Everything left, for sections whose keys are names of the user's choice."""
        left = list(self._values.items())
        for key, _ in left:
            self.take(key)
        return left

    def done(self) -> None:
        """Raises ConfigError for the first key nobody took."""
        for key in self._values:
            close = difflib.get_close_matches(str(key), self._known, 1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            known = ", ".join(sorted(self._known)) or "no keys"
            raise ConfigError(
                f"{self.key(str(key))}: unknown key.{hint} This section knows {known}."
            )
