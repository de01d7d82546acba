"""Semaphore sets and named semaphores: each promise that Python can break, on the kernel's own
objects, which are private or named after the test's process."""

import ctypes
import errno
import os
import threading
from collections.abc import Iterator

import pytest
from observing import WATCHDOG_S, eventually, refused, run_python, start_python
from signalbox import (
    PRIVATE_KEY,
    NamedSemaphore,
    SemaphoreSet,
    SemOp,
    SignalboxError,
    SignalboxTimeoutError,
    sysv_key,
)
from test_waiting import interrupt, signal_in


@pytest.fixture
def pair() -> Iterator[SemaphoreSet]:
    """Two semaphores: one unit, and none."""
    made = SemaphoreSet.create(PRIVATE_KEY, [1, 0])
    yield made
    if not made.closed:
        made.remove()


@pytest.fixture
def half_made() -> Iterator[int]:
    """The key of a set whose creator never set its counts, as if it had died before."""
    key = 0x5B200000 ^ os.getpid()
    assert ctypes.CDLL(None, use_errno=True).semget(key, 1, 0o3600) >= 0, ctypes.get_errno()
    yield key
    SemaphoreSet.open_as_is(key).remove()


@pytest.fixture
def name() -> Iterator[str]:
    name = f"/sbx-python-{os.getpid()}"
    yield name
    try:
        NamedSemaphore.unlink(name)
    except SignalboxError as error:
        assert error.code == "not_found"


def test_operations_are_one_step(pair: SemaphoreSet) -> None:
    both = SemOp.take(0), SemOp.take(1)
    assert pair.try_apply(*both) is False
    assert pair.values() == [1, 0]
    with pytest.raises(SignalboxTimeoutError) as late:
        pair.apply(*both, timeout=0.01)
    assert late.value.errno == errno.EAGAIN
    pair.apply(SemOp.give(1, 3))
    pair.apply(*both)
    assert pair.values() == [0, 2]
    pair.apply(SemOp.until_zero(0), timeout=0)
    assert pair.last_pid(1) == os.getpid()
    pair.set_value(0, 7)
    assert pair.value(0) == 7
    pair.set_values([4, 5])
    assert pair.values() == [4, 5]


def test_tuples_are_operations_and_other_things_are_not(pair: SemaphoreSet) -> None:
    pair.apply((1, 2, False))
    assert pair.value(1) == 2
    for wrong in [(1, 2), "take", (1, "x", False)]:
        with pytest.raises(TypeError, match="SemOp"):
            pair.apply(wrong)


def test_fewer_than_one_unit_is_no_operation(pair: SemaphoreSet) -> None:
    for count in (0, -2):
        for make in (SemOp.take, SemOp.give):
            with pytest.raises(ValueError, match="until_zero"):
                make(0, count)


def test_errors_name_the_limit(pair: SemaphoreSet) -> None:
    with refused("out_of_range"):
        pair.apply(SemOp.give(0, 40000))
    with refused("out_of_range"):
        pair.apply(SemOp.take(9))
    with refused("out_of_range"):
        pair.set_value(0, -1)
    with refused("too_large") as many:
        pair.apply(*[SemOp.give(0)] * 501)
    assert "SEMOPM" in str(many.value)
    with refused("bad_argument"):
        pair.apply()
    with refused("out_of_range"):
        SemaphoreSet.create(PRIVATE_KEY, [70000])


def test_who_waits_is_counted_and_woken_by_removing(pair: SemaphoreSet) -> None:
    codes = []

    def take(*ops: SemOp) -> None:
        try:
            pair.apply(*ops)
        except SignalboxError as error:
            codes.append(error.code)

    taker = threading.Thread(target=take, args=(SemOp.take(1),))
    zero = threading.Thread(target=take, args=(SemOp.until_zero(0),))
    taker.start()
    zero.start()
    eventually(lambda: pair.waiting_to_take(1) == 1 and pair.waiting_for_zero(0) == 1)
    pair.remove()
    taker.join(WATCHDOG_S)
    zero.join(WATCHDOG_S)
    assert codes == ["removed", "removed"]
    with refused("removed"):
        pair.value(0)
    pair.close()
    with refused("closed"):
        pair.value(0)


def test_others_find_it_by_key_and_by_id() -> None:
    key = 0x5B100000 ^ os.getpid()
    with refused("not_found"):
        SemaphoreSet.open(key)
    with SemaphoreSet.create(key, [3], mode=0o640) as made:
        with refused("already_exists"):
            SemaphoreSet.create(key, [3])
        with SemaphoreSet.open_or_create(key, [9]) as opened:
            assert opened.values() == [3]
            assert isinstance(opened, SemaphoreSet)
        assert SemaphoreSet.attach(made.id).id == made.id
        assert SemaphoreSet.open_as_is(key).value(0) == 3
        facts = made.facts()
        assert (facts.count, facts.access.key, facts.access.mode) == (1, key, 0o640)
        code = (
            "import signalbox, sys; print(signalbox.SemaphoreSet.open(int(sys.argv[1])).values())"
        )
        assert run_python(code, str(key)) == "[3]\n"
        made.remove()


def test_half_made_set_is_abandoned_in_the_end(half_made: int) -> None:
    with refused("abandoned"):
        SemaphoreSet.open(half_made, timeout=0)
    with refused("abandoned"):
        SemaphoreSet.open_or_create(half_made, [1], timeout=0.01)


def test_key_of_a_file(tmp_path) -> None:
    file = tmp_path / "key"
    with refused("not_found"):
        sysv_key(str(file), 1)
    file.touch()
    assert sysv_key(str(file), 1) != sysv_key(str(file), 2)


def test_guard_is_a_section_that_the_dead_have_left(pair: SemaphoreSet) -> None:
    with pair.guard(0):
        assert pair.value(0) == 0
        with pytest.raises(SignalboxTimeoutError), pair.guard(0, timeout=0):
            pass
    assert pair.value(0) == 1
    with pytest.raises(LookupError), pair.guard(0):
        raise LookupError
    assert pair.value(0) == 1
    code = (
        "import os, signalbox, sys\n"
        "set = signalbox.SemaphoreSet.attach(int(sys.argv[1]))\n"
        "with set.guard(0):\n"
        "    print(set.value(0), flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    with start_python("-c", code, str(pair.id)) as child:
        assert child.stdout.readline() == "0\n"
        with pair.guard(0, timeout=WATCHDOG_S):
            child.wait(WATCHDOG_S)
    assert pair.value(0) == 1


def test_forked_child_does_not_leave_its_parents_section(pair: SemaphoreSet) -> None:
    with pair.guard(0):
        child = os.fork()
        if child != 0:
            os.waitpid(child, 0)
            assert pair.value(0) == 0
    if child == 0:
        os._exit(0)
    assert pair.value(0) == 1


def test_guard_of_a_removed_set_ends_quietly(pair: SemaphoreSet) -> None:
    with pair.guard(0):
        pair.remove()
    pair.close()


def test_closing_does_not_disturb_who_waits(pair: SemaphoreSet) -> None:
    with SemaphoreSet.attach(pair.id) as other:
        thread = threading.Thread(target=pair.apply, args=(SemOp.take(1), SemOp.give(0)))
        thread.start()
        eventually(lambda: other.waiting_to_take(1) == 1)
        pair.close()
        other.apply(SemOp.give(1))
        thread.join(WATCHDOG_S)
        assert other.values() == [2, 0]
        with refused("closed"):
            pair.apply(SemOp.take(0))
        other.remove()


def test_signal_handlers_run_during_a_wait(pair: SemaphoreSet) -> None:
    with signal_in(0.05, lambda *_: pair.apply(SemOp.give(1))):
        pair.apply(SemOp.take(1), timeout=WATCHDOG_S)

    def refuse(*_: object) -> None:
        raise LookupError("from the handler")

    with pytest.raises(LookupError, match="from the handler"), signal_in(0.05, refuse):
        pair.apply(SemOp.take(1))
    assert pair.value(1) == 0


WAITING_CHILD = """
import os, sys
from signalbox import *
half_made = int(sys.argv[1])
set = SemaphoreSet.create(PRIVATE_KEY, [0])
name = f"/sbx-python-child-{{os.getpid()}}"
semaphore = NamedSemaphore.create(name, 0)
NamedSemaphore.unlink(name)
print("waiting", flush=True)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", set.value(0), semaphore.value())
finally:
    set.remove()
"""


@pytest.mark.parametrize(
    "call",
    [
        "set.apply(SemOp.take(0))",
        "set.apply(SemOp.take(0), timeout=3600)",
        "set.guard(0).__enter__()",
        "semaphore.wait()",
        "semaphore.wait(3600)",
        "SemaphoreSet.open(half_made)",
        "SemaphoreSet.open(half_made, timeout=3600)",
        "SemaphoreSet.open_or_create(half_made, [0])",
    ],
)
def test_ctrl_c_ends_a_wait(call: str, half_made: int) -> None:
    with start_python("-c", WAITING_CHILD.format(call=call), str(half_made)) as child:
        assert interrupt(child) == "interrupted 0 0\n"


# ---- with a name


def test_named_semaphore_counts(name: str) -> None:
    with refused("not_found"):
        NamedSemaphore.open(name)
    with refused("bad_name"):
        NamedSemaphore.create("printer", 1)
    with refused("bad_name"):
        NamedSemaphore.open("/a\0b")
    with NamedSemaphore.create(name, 1) as made, NamedSemaphore.open_or_create(name, 9) as other:
        with refused("already_exists"):
            NamedSemaphore.create(name, 1)
        assert other.wait() is True
        assert made.try_wait() is False
        assert made.wait(0.01) is False
        other.post()
        assert made.value() == 1
        with made.guard():
            assert other.value() == 0
            with pytest.raises(SignalboxTimeoutError), other.guard(timeout=0):
                pass
        assert other.value() == 1


def test_a_forked_child_gives_no_unit_back(name: str) -> None:
    with NamedSemaphore.create(name, 1) as semaphore:
        child = -1
        with semaphore.guard(timeout=WATCHDOG_S):
            child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert semaphore.value() == 1


def test_named_semaphore_wakes_another_process(name: str) -> None:
    code = (
        "import signalbox, sys\n"
        "semaphore = signalbox.NamedSemaphore.open(sys.argv[1])\n"
        "for line in sys.stdin:\n"
        "    semaphore.post()\n"
    )
    with NamedSemaphore.create(name, 0) as semaphore, start_python("-c", code, name) as child:
        for _ in range(50):
            child.stdin.write("\n")
            child.stdin.flush()
            assert semaphore.wait(WATCHDOG_S)
        assert semaphore.try_wait() is False
