"""A handle belongs to the process that opened it."""

from observing import run_python

# Runs in a process of its own, because forking one that has had threads is deprecated.
SCRIPT = """
import os, sys
import signalbox
from signalbox import Publisher, SignalboxError, Subscriber

FRAME = [("number", "u8"), ("pixels", "u1", 1000)]
publisher = Publisher("frames", FRAME, depth=1, loans_max=2, held_max=1)
subscriber = Subscriber("frames", FRAME)
publisher.send((1, 5))
sample = subscriber.take()
pixels = sample.data["pixels"]
loan = publisher.loan()
"""

CHILD_CALLS = """
def code_of(call):
    try:
        call()
    except SignalboxError as error:
        return error.code
    return "nothing"

calls = {
    "loan": publisher.loan,
    "publish": lambda: publisher.publish(loan),
    "send": lambda: publisher.send((2, 2)),
    "subscriber_count": lambda: publisher.subscriber_count,
    "loan.data": lambda: loan.data,
    "sample.data": lambda: sample.data,
    "take": subscriber.take,
    "take_latest": subscriber.take_latest,
    "wait": lambda: subscriber.wait(0),
    "receive": lambda: subscriber.receive(0),
    "fileno": subscriber.fileno,
    "lost_count": lambda: subscriber.lost_count,
    "publisher_count": lambda: subscriber.publisher_count,
}
child = os.fork()
if child == 0:
    for name, call in calls.items():
        print(name, code_of(call))
    sys.stdout.flush()
    os._exit(0)
os.waitpid(child, 0)
"""

CHILD_ENDS = """
child = os.fork()
if child == 0:
    # Everything the child inherited is destroyed here, as it is when a program ends.
    subscriber.close()
    publisher.close()
    del sample, pixels, loan, publisher, subscriber
    with Publisher("other", FRAME) as mine:
        mine.send((1, 1))
    sys.exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
assert subscriber.publisher_count == 1
assert publisher.subscriber_count == 1
# The loan is still ours and the frame is still pinned: it can be told by its bytes.
loan.data["number"] = 7
loan.data["pixels"] = 7
publisher.publish(loan)
for number in range(8, 20):
    publisher.send((number, number))
    assert (pixels == 5).all()
assert subscriber.take().data["number"] == 19
print("well")
"""


def test_every_call_in_a_child_is_refused() -> None:
    lines = run_python(SCRIPT + CHILD_CALLS).split("\n")
    answers = dict(line.split() for line in lines if line)
    assert len(answers) == 13
    assert set(answers.values()) == {"wrong_process"}


def test_end_of_a_child_does_nothing_to_its_parent() -> None:
    assert run_python(SCRIPT + CHILD_ENDS) == "well\n"
