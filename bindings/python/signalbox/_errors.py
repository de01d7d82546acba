"""The exceptions of Signalbox."""


class SignalboxError(Exception):
    """A call that failed. The text says what was tried on which object, what was found, what to do.

    `code` is the name of the failure in every language of Signalbox, for example "type_mismatch";
    "in_use" is known to Python alone: another thread or task is inside a call on the same handle.
    `errno` is the number of the system call's error, 0 when no system call is to blame.
    """

    code: str
    errno: int

    def __init__(self, text: str, code: str = "system", errno: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.errno = errno

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[type, tuple[str, str, int]]:
        return type(self), (str(self), self.code, self.errno)


class SignalboxTimeoutError(SignalboxError, TimeoutError):  # type: ignore[misc]
    """The deadline of a publish passed: a reliable subscriber is a whole ring behind."""


class SignalboxPermissionError(SignalboxError, PermissionError):  # type: ignore[misc]
    """The kernel refused access to a topic's files."""


class DescriptionError(SignalboxError, TypeError):
    """A dtype has no canonical description; the text names the field."""


_BY_CODE: dict[str, type[SignalboxError]] = {
    "timed_out": SignalboxTimeoutError,
    "permission_denied": SignalboxPermissionError,
}


def from_code(text: str, code: str, errno: int) -> SignalboxError:
    """The exception for a failure the C library reported. Called by the compiled half."""
    return _BY_CODE.get(code, SignalboxError)(text, code, errno)
