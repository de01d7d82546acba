"""System V message queues by signalbox.SysvQueue."""

from protocol import Operation, Words, key_of, ok, payload, taken, word_of
from signalbox import SysvQueue

sysv_queues: dict[str, SysvQueue] = {}


def queue_create(words: Words) -> str:
    sysv_queues[words[0]] = SysvQueue.create(key_of(words[1]))
    return ok()


def queue_open(words: Words) -> str:
    sysv_queues[words[0]] = SysvQueue.open(key_of(words[1]))
    return ok()


def queue_send(words: Words) -> str:
    sysv_queues[words[0]].send(int(words[1]), payload(words[2]))
    return ok()


def queue_try_send(words: Words) -> str:
    sent = sysv_queues[words[0]].try_send(int(words[1]), payload(words[2]))
    return taken(sent, "EAGAIN")


def filter_of(word: str) -> dict[str, int]:
    """any, =TYPE, <=TYPE or !=TYPE"""
    if word == "any":
        return {}
    if word[0] == "=":
        return {"only": int(word[1:])}
    return {"up_to" if word[0] == "<" else "all_but": int(word[2:])}


def queue_receive(words: Words, *, waits: bool) -> str:
    queue = sysv_queues[words[0]]
    receive = queue.receive if waits else queue.try_receive
    message = receive(**filter_of(words[1]), room=int(words[2]), cut_off="truncate" in words)
    return ok(message.type, word_of(message.data)) if message else "ENOMSG"


def queue_peek(words: Words) -> str:
    message = sysv_queues[words[0]].peek(int(words[1]), room=int(words[2]))
    return ok(message.type, word_of(message.data)) if message else "ENOMSG"


def queue_status(words: Words) -> str:
    facts = sysv_queues[words[0]].facts()
    return ok(facts.messages, facts.bytes, facts.last_sender, facts.last_receiver)


def queue_limit(words: Words) -> str:
    sysv_queues[words[0]].set_capacity(int(words[1]))
    return ok()


def queue_remove(words: Words) -> str:
    sysv_queues[words[0]].remove()
    return ok()


SYSV_QUEUES: dict[str, Operation] = {
    "queue_create": queue_create,
    "queue_open": queue_open,
    "queue_send": queue_send,
    "queue_try_send": queue_try_send,
    "queue_receive": lambda words: queue_receive(words, waits=True),
    "queue_try_receive": lambda words: queue_receive(words, waits=False),
    "queue_peek": queue_peek,
    "queue_status": queue_status,
    "queue_limit": queue_limit,
    "queue_remove": queue_remove,
}
