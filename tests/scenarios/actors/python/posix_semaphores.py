"""Named POSIX semaphores by signalbox.NamedSemaphore."""

from protocol import Operation, Words, mode_of, not_in_language, ok, seconds, taken
from signalbox import NamedSemaphore

semaphores: dict[str, NamedSemaphore] = {}


def sem_create(words: Words) -> str:
    made = NamedSemaphore.create(words[1], int(words[2]), mode=mode_of(words, 3))
    semaphores[words[0]] = made
    return ok()


def sem_open(words: Words) -> str:
    semaphores[words[0]] = NamedSemaphore.open(words[1])
    return ok()


def sem_open_or_create(words: Words) -> str:
    semaphores[words[0]] = NamedSemaphore.open_or_create(words[1], int(words[2]))
    return ok()


def sem_post(words: Words) -> str:
    semaphores[words[0]].post()
    return ok()


def sem_close(words: Words) -> str:
    semaphores.pop(words[0]).close()
    return ok()


def sem_unlink(words: Words) -> str:
    NamedSemaphore.unlink(words[0])
    return ok()


POSIX_SEMAPHORES: dict[str, Operation] = {
    "sem_create": sem_create,
    "sem_open": sem_open,
    "sem_open_or_create": sem_open_or_create,
    "sem_unnamed": lambda _words: not_in_language("unnamed semaphores are for C++ alone"),
    "sem_wait": lambda words: taken(semaphores[words[0]].wait(), "not taken"),
    "sem_timed": lambda words: taken(semaphores[words[0]].wait(seconds(words[1])), "ETIMEDOUT"),
    "sem_try": lambda words: taken(semaphores[words[0]].try_wait(), "EAGAIN"),
    "sem_post": sem_post,
    "sem_value": lambda words: ok(semaphores[words[0]].value()),
    "sem_close": sem_close,
    "sem_unlink": sem_unlink,
}
