"""System V semaphore sets by signalbox.SemaphoreSet."""

from protocol import Operation, Words, key_of, mode_of, named, ok, seconds
from signalbox import SemaphoreSet, SemOp, SignalboxTimeoutError

sets: dict[str, SemaphoreSet] = {}


def set_create(words: Words) -> str:
    zeroes = [0] * int(words[2])
    made = SemaphoreSet.create(key_of(words[1]), zeroes, mode=mode_of(words, 3))
    sets[words[0]] = made
    return ok()


def set_open(words: Words) -> str:
    """Who may not read a set cannot learn either whether it is ready: it opens it as it is."""
    key = key_of(words[1])
    if len(words) > 2:
        sets[words[0]] = SemaphoreSet.open(key, int(words[2]), timeout=10)
    else:
        sets[words[0]] = SemaphoreSet.open_as_is(key)
    return ok()


def operations_of(words: Words) -> list[SemOp]:
    """ "0:-1~" takes one of semaphore 0, with undo; "x501" repeats the last up to so many."""
    operations: list[SemOp] = []
    for word in words:
        if word[0] == "x":
            operations += operations[-1:] * (int(word[1:]) - len(operations))
        else:
            index, delta = word.rstrip("~").split(":")
            operations.append(SemOp(int(index), int(delta), word[-1] == "~"))
    return operations


def set_apply(words: Words) -> str:
    sets[words[0]].apply(*operations_of(words[1:]))
    return ok()


def set_timed(words: Words) -> str:
    try:
        sets[words[0]].apply(*operations_of(words[2:]), timeout=seconds(words[1]))
    except SignalboxTimeoutError as passed:
        # Of all calls that take a deadline the kernel's semtimedop() alone says EAGAIN.
        return named(passed.errno)
    return ok()


def set_try(words: Words) -> str:
    return ok() if sets[words[0]].try_apply(*operations_of(words[1:])) else "EAGAIN"


def set_put(words: Words) -> str:
    sets[words[0]].set_value(int(words[1]), int(words[2]))
    return ok()


def set_put_all(words: Words) -> str:
    sets[words[0]].set_values([int(word) for word in words[1:]])
    return ok()


def set_waiters(words: Words) -> str:
    of, index = sets[words[0]], int(words[1])
    return ok(of.waiting_to_take(index), of.waiting_for_zero(index))


def set_status(words: Words) -> str:
    facts = sets[words[0]].facts()
    return ok(facts.count, f"{facts.access.mode:03o}")


def set_remove(words: Words) -> str:
    sets[words[0]].remove()
    return ok()


SEMAPHORE_SETS: dict[str, Operation] = {
    "set_create": set_create,
    "set_open": set_open,
    "set_apply": set_apply,
    "set_timed": set_timed,
    "set_try": set_try,
    "set_put": set_put,
    "set_put_all": set_put_all,
    "set_all": lambda words: ok(*sets[words[0]].values()),
    "set_at": lambda words: ok(sets[words[0]].value(int(words[1]))),
    "set_last_pid": lambda words: ok(sets[words[0]].last_pid(int(words[1]))),
    "set_waiters": set_waiters,
    "set_status": set_status,
    "set_remove": set_remove,
}
