"""Loans, publish and send."""

import inspect

import numpy as np
import pytest
from observing import FRAME, POSE
from signalbox import (
    Publisher,
    Sample,
    SignalboxError,
    SignalboxTimeoutError,
    Subscriber,
)


def test_loan_is_filled_in_place_and_published_on_a_clean_exit() -> None:
    with Publisher("frames", FRAME) as publisher, Subscriber("frames", FRAME) as subscriber:
        with publisher.loan() as loan:
            assert loan.position is None
            loan.data["number"] = 7
            loan.data["pixels"] = np.arange(60 * 80, dtype="u4").reshape(60, 80) % 251
        assert loan.position == 0
        sample = subscriber.take()
        assert sample is not None
        assert sample.data["number"] == 7
        assert sample.data["pixels"][1, 2] == (80 + 2) % 251
        assert sample.position == 0


def test_exception_inside_the_loan_drops_it() -> None:
    with Publisher("frames", FRAME) as publisher, Subscriber("frames", FRAME) as subscriber:
        with pytest.raises(ZeroDivisionError), publisher.loan() as loan:
            loan.data["number"] = 1 // 0
        assert loan.position is None
        assert subscriber.take() is None
        # The only loan there may be is free again.
        with publisher.loan():
            pass


def test_publish_by_hand_counts_positions() -> None:
    with Publisher("poses", POSE) as publisher:
        for position in range(3):
            loan = publisher.loan()
            loan.data["seq"] = position
            assert publisher.publish(loan) == position
            assert loan.position == position


def test_forgotten_and_dropped_loans_are_free_again() -> None:
    with Publisher("frames", FRAME) as publisher:
        for _ in range(10):
            loan = publisher.loan()
            loan.drop()
            loan.drop()
            publisher.loan()


def test_send_in_all_its_spellings() -> None:
    value = np.array((7, (1.0, 2.0, 3.0)), POSE)
    with Publisher("poses", POSE) as publisher, Subscriber("poses", POSE) as subscriber:
        publisher.send(value)
        publisher.send(value[()])
        publisher.send(value=value, timeout=None)
        publisher.send(value, None, 0.0)
        publisher.send({"seq": 7, "xyz": (1.0, 2.0, 3.0)})
        batch = subscriber.take_batch()
        assert len(batch) == 5
        assert all(np.array_equal(message, value) for message in batch)
        with pytest.raises(TypeError, match="is of dtype"):
            publisher.send(value.astype([("seq", "u8"), ("abc", "f8", 3)]))
        with pytest.raises(TypeError):
            publisher.send()  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            publisher.send(value, when="now")  # type: ignore[call-arg]
        assert subscriber.take() is None
    with pytest.raises(SignalboxError) as closed:
        publisher.send(value)
    assert closed.value.code == "closed"
    assert str(inspect.signature(Publisher.send)) == "(self, /, value, tail=None, timeout=0.0)"


@pytest.mark.parametrize(
    ("kind", "method"),
    [(Publisher, "send"), (Subscriber, "take"), (Subscriber, "take_latest"), (Sample, "data")],
)
def test_object_without_its_init_is_refused(kind: type, method: str) -> None:
    unmade = kind.__new__(kind)
    with pytest.raises(TypeError):
        call = getattr(unmade, method)
        call(*[0] * (method == "send"))


def test_loans_max() -> None:
    with Publisher("frames", FRAME, loans_max=2) as publisher:
        first, second = publisher.loan(), publisher.loan()
        with pytest.raises(SignalboxError) as refused:
            publisher.loan()
        assert refused.value.code == "limit_reached"
        second.drop()
        assert publisher.publish(first) == 0
        publisher.publish(publisher.loan())


@pytest.mark.parametrize("dtype", [POSE, FRAME], ids=["inline", "frame"])
def test_arrays_of_a_finished_loan_are_read_only(dtype: np.dtype) -> None:
    with Publisher("topic", dtype) as publisher:
        loan = publisher.loan()
        data = loan.data
        data[dtype.names[0]] = 1
        publisher.publish(loan)
        with pytest.raises(ValueError, match="read-only"):
            data[dtype.names[0]] = 2
        with pytest.raises(ValueError, match="WRITEABLE"):
            data.flags.writeable = True
        with pytest.raises(SignalboxError, match="already published") as refused:
            _ = loan.data
        assert refused.value.code == "closed"
        with pytest.raises(SignalboxError, match="already published"):
            publisher.publish(loan)


@pytest.mark.parametrize("dtype", [POSE, FRAME], ids=["inline", "frame"])
def test_array_of_a_loan_may_outlive_the_publisher(dtype: np.dtype) -> None:
    with Publisher("topic", dtype) as publisher:
        loan = publisher.loan()
        data = loan.data
        data[dtype.names[0]] = 5
        publisher.publish(loan)
    del publisher, loan
    assert data[dtype.names[0]] == 5


def test_open_loan_of_a_closed_publisher_is_refused() -> None:
    publisher = Publisher("frames", FRAME)
    loan = publisher.loan()
    publisher.close()
    with pytest.raises(SignalboxError) as refused:
        loan.data["number"] = 1
    assert refused.value.code == "closed"
    with pytest.raises(SignalboxError), loan:
        pass


def test_loan_of_another_publisher_is_refused() -> None:
    with Publisher("one", POSE) as one, Publisher("two", POSE) as two:
        loan = one.loan()
        with pytest.raises(SignalboxError, match="'one'.*'two'") as refused:
            two.publish(loan)
        assert refused.value.code == "bad_argument"
        assert one.publish(loan) == 0


def test_tail_is_filled_and_shortened() -> None:
    with (
        Publisher("jpegs", POSE, tail_max=100_000) as publisher,
        Subscriber("jpegs", POSE, tail=True) as subscriber,
    ):
        with publisher.loan(50_000) as loan:
            loan.data["seq"] = 1
            assert loan.tail.shape == (50_000,)
            assert loan.tail.dtype == np.uint8
            loan.tail[:] = 9
            loan.tail[:3] = (1, 2, 3)
            loan.shorten(4)
            assert loan.tail.shape == (4,)
            with pytest.raises(SignalboxError):
                loan.shorten(5)
        sample = subscriber.take()
        assert sample is not None
        assert sample.data["seq"] == 1
        assert sample.tail.tolist() == [1, 2, 3, 9]


def test_tail_that_is_too_large() -> None:
    with Publisher("jpegs", POSE, tail_max=100) as publisher:
        with pytest.raises(SignalboxError) as refused:
            publisher.loan(101)
        assert refused.value.code == "too_large"
        with pytest.raises(SignalboxError) as refused:
            publisher.loan(-1)
        assert refused.value.code == "bad_argument"
        with publisher.loan() as loan:
            assert loan.tail.shape == (0,)


def test_plain_bytes() -> None:
    with (
        Publisher("bytes", None, tail_max=1000) as publisher,
        Subscriber("bytes", None) as subscriber,
    ):
        publisher.send(b"hello")
        publisher.send(None, tail=np.arange(4, dtype="u2"))
        publisher.send(b"")
        with publisher.loan(3) as loan:
            assert loan.data is None
            loan.tail[:] = (1, 2, 3)
        samples = [subscriber.take() for _ in range(4)]
        assert [sample.tail.tobytes() for sample in samples] == [
            b"hello",
            b"\0\0\1\0\2\0\3\0",
            b"",
            b"\1\2\3",
        ]
        assert samples[0].data is None
        with pytest.raises(TypeError, match="once"):
            publisher.send(b"value", tail=b"tail")
        with pytest.raises(TypeError):
            publisher.send("text")


def test_plain_bytes_need_a_largest_size() -> None:
    with pytest.raises(SignalboxError, match="tail_max") as refused:
        Publisher("bytes", None)
    assert refused.value.code == "bad_argument"


NESTED = np.dtype(
    [
        ("seq", "u4"),
        ("at", [("x", "f4"), ("y", "f4")]),
        ("items", [("id", "u1"), ("label", "S8")], 2),
        ("counts", "i2", 3),
    ],
    align=True,
)


def nested_array() -> np.ndarray:
    value = np.zeros((), NESTED)
    value["seq"] = 3
    value["at"] = (1.5, 2.5)
    value["items"] = [(1, b"cat"), (2, b"dog")]
    value["counts"] = (-1, 0, 1)
    return value


@pytest.mark.parametrize(
    "value",
    [
        nested_array(),
        nested_array()[()],
        np.array([nested_array()])[0],
        (3, (1.5, 2.5), [(1, b"cat"), (2, "dog")], (-1, 0, 1)),
        {
            "seq": 3,
            "at": {"x": 1.5, "y": 2.5},
            "items": [{"id": 1, "label": "cat"}, (2, b"dog")],
            "counts": np.array([-1, 0, 1]),
        },
        {
            "seq": np.uint8(3),
            "at": nested_array()["at"],
            "items": nested_array()["items"],
            "counts": [-1, 0, 1],
        },
    ],
    ids=["array", "scalar", "element", "tuple", "dict", "dict of arrays"],
)
def test_send_takes_every_form_of_a_value(value: object) -> None:
    with Publisher("nested", NESTED) as publisher, Subscriber("nested", NESTED) as subscriber:
        assert publisher.send(value) == 0
        sample = subscriber.take()
        assert sample is not None
        assert sample.data == nested_array()


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        ({"seq": 1}, ValueError, "lacks 'at'"),
        ({**dict.fromkeys(NESTED.names, 0), "more": 1}, ValueError, "unknown 'more'"),
        ((1, (1, 2, 3), [], 0), ValueError, "at has 3 items for 2 fields"),
        ((1, (1, 2), [(1, b"")], 0), ValueError, "items has 2 elements, the value has 1"),
        ((-1, (1, 2), [(1, ""), (2, "")], 0), OverflowError, "seq"),
        ((1, (1, 2), [(1, ""), (2, "nine long")], 0), ValueError, r"items\[1\]\.label"),
        ((1, (1, "x"), [(1, ""), (2, "")], 0), ValueError, r"at\.y"),
        (5, TypeError, "dict, tuple or structured scalar"),
        (None, TypeError, "dict, tuple or structured scalar"),
        (np.zeros((), POSE), TypeError, "dtype"),
        (np.zeros(1, NESTED), TypeError, "shape"),
    ],
)
def test_send_names_what_is_wrong_with_a_value(
    value: object, error: type[Exception], text: str
) -> None:
    with Publisher("nested", NESTED) as publisher:
        with pytest.raises(error, match=text):
            publisher.send(value)
        # Nothing was published and no loan is left open.
        assert publisher.send(nested_array()) == 0


def test_send_with_a_tail() -> None:
    with (
        Publisher("tails", POSE, tail_max=1_000_000) as publisher,
        Subscriber("tails", POSE, tail=True) as subscriber,
    ):
        large = np.arange(1_000_000, dtype="u4").astype("u1")
        publisher.send((1, (0, 0, 0)), tail=large)
        publisher.send((2, (0, 0, 0)))
        first, second = subscriber.take(), subscriber.take()
        assert (first.tail == large).all()
        assert second.tail.shape == (0,)
        with pytest.raises(ValueError, match="contiguous"):
            publisher.send((3, (0, 0, 0)), tail=large[::2])
        with pytest.raises(SignalboxError) as refused:
            publisher.send((3, (0, 0, 0)), tail=bytes(1_000_001))
        assert refused.value.code == "too_large"


def test_frames_that_are_all_held_are_an_error_until_one_is_let_go() -> None:
    with (
        Publisher("frames", FRAME, depth=1, held_max=1) as publisher,
        Subscriber("frames", FRAME) as subscriber,
    ):
        held = []
        with pytest.raises(SignalboxError) as refused:
            for number in range(100):
                publisher.send((number, 0))
                held.append(subscriber.take())
        assert refused.value.code == "would_block"
        assert all(sample is not None for sample in held)
        held.pop(0).release()
        publisher.send((100, 0))


def test_reliable_subscriber_makes_publish_wait() -> None:
    with (
        Publisher("reliable", POSE, depth=2) as publisher,
        Subscriber("reliable", POSE, reliable=True) as subscriber,
    ):
        publisher.send((0, 0))
        publisher.send((1, 0))
        with pytest.raises(SignalboxError) as refused:
            publisher.send((2, 0))
        assert refused.value.code == "would_block"
        loan = publisher.loan()
        loan.data["seq"] = 2
        with pytest.raises(SignalboxTimeoutError) as late:
            publisher.publish(loan, timeout=0.02)
        assert late.value.code == "timed_out"
        assert isinstance(late.value, TimeoutError)
        # The loan is still open, and its message still there.
        assert subscriber.take().data["seq"] == 0
        assert publisher.publish(loan, timeout=10) == 2
        assert [subscriber.take().data["seq"] for _ in range(2)] == [1, 2]


def test_subscriber_count_follows_who_comes_and_goes() -> None:
    with Publisher("demand", POSE) as publisher:
        assert publisher.subscriber_count == 0
        with Subscriber("demand", POSE), Subscriber("demand", POSE):
            assert publisher.subscriber_count == 2
        assert publisher.subscriber_count == 0


def test_what_a_publisher_says_of_itself() -> None:
    publisher = Publisher("robot/pose", POSE)
    assert publisher.topic == "robot/pose"
    assert publisher.dtype == POSE
    assert repr(publisher) == "<signalbox.Publisher 'robot/pose'>"
    assert "robot/pose" in repr(publisher.loan())
    assert not publisher.closed
    publisher.close()
    publisher.close()
    assert publisher.closed
    assert repr(publisher) == "<signalbox.Publisher 'robot/pose' closed>"
    for call in (publisher.loan, lambda: publisher.subscriber_count):
        with pytest.raises(SignalboxError) as refused:
            call()
        assert refused.value.code == "closed"


@pytest.mark.parametrize(
    "options",
    [{"depth": 3}, {"depth": -1}, {"depth": 2**40}, {"loans_max": 0}, {"held_max": -1}],
)
def test_options_out_of_range(options: dict[str, int]) -> None:
    with pytest.raises(SignalboxError) as refused:
        Publisher("poses", POSE, **options)
    assert refused.value.code == "bad_argument"
    assert next(iter(options)) in str(refused.value)


@pytest.mark.parametrize("kind", [Publisher, Subscriber])
def test_a_name_is_not_cut_at_its_zero(kind: type) -> None:
    for names in ({"topic": "a\0b"}, {"topic": "a", "domain": "b\0c"}):
        with pytest.raises(SignalboxError) as caught:
            kind(names["topic"], POSE, domain=names.get("domain"))
        assert caught.value.code == "bad_name"


def test_a_long_name_of_other_letters_is_refused_as_others_are() -> None:
    for ascii_letters in range(36, 42):
        with pytest.raises(SignalboxError) as caught:
            Publisher("x" * ascii_letters + "ä" * 200, POSE)
        assert caught.value.code == "bad_name"
        assert "x" * 36 in str(caught.value)
        assert "\ufffd" not in str(caught.value)
