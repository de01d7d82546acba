"""Runs two of the exchange programs of README.md against each other, in a domain of their own.

    run_exchange.py values  PUBLISHER SUBSCRIBER   every value must arrive
    run_exchange.py batches PUBLISHER SUBSCRIBER   every message must arrive, in order
    run_exchange.py refused UNCHANGED CHANGED      CHANGED, whose struct differs in one field, must
                                                   be refused in both roles, with the field's name

A program is given as one string, words apart; {verb} in it is replaced. The last word is the topic.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading

# A watchdog against hangs, generous because it is no test of speed.
SECONDS_MAX = 60

TOPIC = "conformance/exchange"
REFUSED = 3

# Many times round the ring of the batch programs, which has 64 slots.
BATCHED = "20000"


def start(program: str, verb: str, *more: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [*program.split(), verb, TOPIC, *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(SECONDS_MAX, process.kill)
    watchdog.daemon = True
    watchdog.start()
    return process


def opened(process: subprocess.Popen) -> bool:
    return process.stdout.readline() == "open\n"


def end(process: subprocess.Popen) -> tuple[int, str]:
    """Lets a publisher end by closing its input. Returns the status and all it printed."""
    output, errors = process.communicate()
    return process.returncode, output + errors


def check_values(publisher_program: str, subscriber_program: str) -> str | None:
    return check_arrival((publisher_program, "publish"), (subscriber_program, "subscribe"))


def check_batches(publisher_program: str, subscriber_program: str) -> str | None:
    return check_arrival(
        (publisher_program, "send", BATCHED), (subscriber_program, "take", BATCHED)
    )


def check_arrival(publishing: tuple[str, ...], subscribing: tuple[str, ...]) -> str | None:
    subscriber = start(*subscribing)
    if not opened(subscriber):
        return f"the subscriber did not open: {end(subscriber)}"
    publisher = start(*publishing)
    if not opened(publisher):
        subscriber.kill()
        return f"the publisher did not open: {end(publisher)}"
    received = end(subscriber)
    published = end(publisher)
    if received != (0, "received all\n") or published != (0, ""):
        return f"the subscriber ended with {received}, the publisher with {published}"
    return None


def check_refused(unchanged_program: str, changed_program: str) -> str | None:
    for role, other_role in (("publish", "subscribe"), ("subscribe", "publish")):
        unchanged = start(unchanged_program, role)
        if not opened(unchanged):
            return f"the unchanged program did not open: {end(unchanged)}"
        status, text = end(start(changed_program, other_role, "changed"))
        unchanged.kill()
        end(unchanged)
        expected = ("type_mismatch", "field 'precise' is f64", "in the topic, f32", TOPIC)
        missing = [part for part in expected if part not in text]
        if status != REFUSED or missing:
            return f"{other_role} ended with {status}, without {missing}: {text}"
        print(text, end="")
    return None


CHECKS = {"values": check_values, "batches": check_batches, "refused": check_refused}


def main() -> int:
    what, first, second = sys.argv[1:]
    domain = tempfile.mkdtemp(prefix="sbx-conformance-", dir="/dev/shm")
    os.environ["SIGNALBOX_DIR"] = domain
    try:
        problem = CHECKS[what](first, second)
    finally:
        shutil.rmtree(domain, ignore_errors=True)
    if problem:
        print(problem, file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
