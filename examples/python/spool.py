"""A spool: `spool.py NAME 20 TEXT` puts a job in, `spool.py NAME` has them printed, the most urgent
first, until one says "go home". One spooler at a time, three workers, two printers; whoever is
killed gives back what he held. The example in Go of that name is the same spool."""

import os
import signal
import sys
from pathlib import Path

from signalbox import FileLock, PosixQueue, Semaphore

NAME = sys.argv[1]
GO_HOME = b"go home"


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # in one call: others write to the same place


def work(jobs: PosixQueue) -> None:
    with Semaphore(f"{NAME}/printers", 2) as printers:
        while (job := jobs.receive().data) != GO_HOME:
            with printers.acquire():  # asleep while both are taken
                if job == b"jam":
                    os.kill(os.getpid(), signal.SIGKILL)
                say(f"printed {job.decode()}")
        jobs.send(GO_HOME)  # for the next worker


def start_worker() -> None:
    if os.fork() == 0:
        with PosixQueue.open(f"/{NAME}") as jobs:
            work(jobs)
        os._exit(0)


def spool() -> None:
    workers = 3
    for _ in range(workers):
        start_worker()
    while workers:
        _, status = os.wait()
        if os.WIFSIGNALED(status):  # its printer is free by now, its job is lost
            say("a worker was killed")
            start_worker()
        else:
            workers -= 1


with PosixQueue.open_or_create(f"/{NAME}", messages_max=8, message_bytes_max=64) as jobs:
    if len(sys.argv) > 2:
        jobs.send(sys.argv[3].encode(), priority=int(sys.argv[2]))
        sys.exit()
with Path(f"{NAME}.lock").open("a") as file:
    if FileLock.try_take(file) is None:  # it goes with the last process that has the file
        sys.exit("somebody spools there already")
    spool()
PosixQueue.unlink(f"/{NAME}")
