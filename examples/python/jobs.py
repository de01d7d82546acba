"""Jobs for a worker process in a queue, the most urgent first."""

import os

from signalbox import PosixQueue

name = f"/jobs-{os.getpid()}"
with PosixQueue.create(name, messages_max=4, message_bytes_max=64) as jobs:
    jobs.send(b"sweep", priority=10)
    jobs.send(b"answer the door", priority=20)
    jobs.send(b"put out the fire", priority=30)
    jobs.send(b"")  # the least urgent job of all: go home

if os.fork() == 0:
    with PosixQueue.open(name, access="receive") as jobs:
        while (job := jobs.receive()) and job.data:  # asleep until there is one
            print(f"{job.priority}: {job.data.decode()}", flush=True)
else:
    os.wait()
    PosixQueue.unlink(name)
