"""Two processes that write their brackets in pieces, and never inside each other's."""

import os

from signalbox import PRIVATE_KEY, SemaphoreSet

terminal = SemaphoreSet.create(PRIVATE_KEY, [1])  # one place; more: so many at once
child = os.fork()
for i in range(1, 4):
    with terminal.guard(0):  # a process that dies inside has left
        who = "parent" if child else "child"
        print(f"({who} ", end="", flush=True)
        print(f"{i})", flush=True)
if child:
    os.waitpid(child, 0)
    terminal.remove()
    print("done")
