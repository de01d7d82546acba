"""For tests of what a program that is told to end leaves behind."""

import signal

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def hear_every_signal() -> None:
    """Before a program starts (preexec_fn): whoever runs the tests in the background, or under
    nohup, may have told them to ignore some, and a program goes on ignoring them."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def told_at_the_start(number: int) -> str:
    """Python that runs before a program of ours: from then on whatever that starts is let get as
    far as to say "begun" into the FIFO `alive`, and then the program is told to end, before it can
    know what it has started."""
    return f"""
import os, subprocess
class Popen(subprocess.Popen):
    def __init__(self, *words, **options):
        super().__init__(*words, **options)
        begun = os.open("alive", os.O_RDONLY)
        assert os.read(begun, 100) == b"begun\\n"
        os.kill(os.getpid(), {int(number)})
        os.close(begun)
subprocess.Popen = Popen
"""
