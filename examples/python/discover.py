"""Which topics there are and who is in them, and who comes and goes from then on.

Here the program watches itself: it joins a topic, looks at it, and leaves. A child of it was killed
on another topic, where its page is seen until somebody comes there."""

import os
import signal

import numpy as np
from signalbox import Publisher, TopicWatcher, topics

POSE = np.dtype([("seq", "u8"), ("xyz", "f8", 3)], align=True)


def have_a_child_killed() -> None:
    if os.fork() == 0:
        with Publisher("leg/pose", POSE) as poses:
            poses.send((1, 0))
            os.kill(os.getpid(), signal.SIGKILL)
    os.wait()


def tell_who_is_there() -> None:
    for topic in topics():
        for who in topic.publishers:
            dead = "" if who.alive else ", which is dead,"
            print(f"{topic.name}: {who.program}{dead} has published {who.published}")


have_a_child_killed()
with TopicWatcher() as watcher:  # it has a descriptor for your event loop
    with Publisher("arm/pose", POSE) as poses:
        poses.send((1, 0))
        tell_who_is_there()
        for event in watcher.events(0):  # those that there are; without the 0 it sleeps
            print(event.kind, event.topic)
    for event in watcher.events(0):
        print(event.kind, event.topic)
