"""The canonical description, and what is refused because other languages cannot share it."""

import numpy as np
import pytest
import signalbox
from signalbox import describe

POINT = [("x", "f4"), ("y", "f4")]


@pytest.mark.parametrize(
    ("dtype", "text"),
    [
        ([("seq", "u8"), ("xyz", "f8", 3)], "{seq:u64@0,xyz:f64[3]@8}#32"),
        (
            [("a", "u1"), ("b", "u2"), ("c", "u4"), ("d", "u8")],
            "{a:u8@0,b:u16@1,c:u32@3,d:u64@7}#15",
        ),
        (
            [("a", "i1"), ("b", "i2"), ("c", "i4"), ("d", "i8")],
            "{a:i8@0,b:i16@1,c:i32@3,d:i64@7}#15",
        ),
        ([("f", "f4"), ("d", "f8"), ("yes", "?")], "{f:f32@0,d:f64@4,yes:bool@12}#13"),
        ([("label", "S16"), ("letter", "S1")], "{label:char[16]@0,letter:char@16}#17"),
        ([("letters", "S1", 4)], "{letters:char[4]@0}#4"),
        ([("words", "S8", (2, 3))], "{words:char[2][3][8]@0}#48"),
        ([("matrix", "i4", (2, 3))], "{matrix:i32[2][3]@0}#24"),
        ([("p", POINT)], "{p:{x:f32@0,y:f32@4}#8@0}#8"),
        ([("p", POINT, (4, 2))], "{p:{x:f32@0,y:f32@4}#8[4][2]@0}#64"),
    ],
)
def test_text_of_each_kind(dtype: object, text: str) -> None:
    assert describe(dtype) == text


def test_aligned_dtype_shows_its_padding_in_offsets_and_size() -> None:
    dtype = np.dtype([("flag", "?"), ("value", "f8"), ("last", "u1")], align=True)
    assert describe(dtype) == "{flag:bool@0,value:f64@8,last:u8@16}#24"


def test_fields_stand_in_order_of_their_offsets() -> None:
    dtype = np.dtype({"names": ["b", "a"], "formats": ["u4", "u4"], "offsets": [8, 0]})
    assert describe(dtype) == "{a:u32@0,b:u32@8}#12"


def test_titles_are_not_fields() -> None:
    assert describe([(("the title", "name"), "u4")]) == "{name:u32@0}#4"


def test_tail_and_plain_bytes() -> None:
    assert describe([("n", "u4")], tail=True) == "{n:u32@0}#4+u8[]"
    assert describe(None) == describe(None, tail=True) == "+u8[]"


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("O", "pointers"),
        ("U8", "UTF-8"),
        ("M8[ns]", "nanoseconds"),
        ("m8[us]", "nanoseconds"),
        (">u4", "byte order"),
        ("c16", "two floats"),
        ("f2", "'f4' or 'f8'"),
        ("g", "'f4' or 'f8'"),
        ("V8", "raw bytes"),
        ("S0", "length is 0"),
        (("u1", (0,)), "at least one"),
    ],
)
def test_refusal_names_the_field_and_what_to_use(kind: object, hint: str) -> None:
    dtype = np.dtype([("seq", "u8"), ("items", [("good", "u1"), ("bad", kind)], 2)])
    with pytest.raises(signalbox.DescriptionError, match=r"'items\.bad'") as refused:
        describe(dtype)
    assert hint in str(refused.value)
    assert refused.value.code == "bad_argument"
    assert isinstance(refused.value, TypeError)


def test_overlapping_fields_are_refused() -> None:
    dtype = np.dtype({"names": ["whole", "half"], "formats": ["u8", "u4"], "offsets": [0, 4]})
    with pytest.raises(signalbox.DescriptionError, match="'half'.*overlaps.*'whole'"):
        describe(dtype)


def test_name_that_c_cannot_spell_is_refused() -> None:
    with pytest.raises(signalbox.DescriptionError, match="'two words'"):
        describe([("two words", "u1")])


@pytest.mark.parametrize("dtype", ["f8", "S16", np.dtype([])])
def test_dtype_without_fields_is_refused(dtype: object) -> None:
    with pytest.raises(signalbox.DescriptionError):
        describe(dtype)


def test_library_accepts_what_is_described() -> None:
    dtype = np.dtype(
        [
            ("flag", "?"),
            ("u", [("a", "u1"), ("b", "u2"), ("c", "u4"), ("d", "u8")]),
            ("i", [("a", "i1"), ("b", "i2"), ("c", "i4"), ("d", "i8")]),
            ("f", [("s", "f4"), ("d", "f8")], (2, 2)),
            ("label", "S16"),
            ("letter", "S1"),
            ("words", "S8", (2, 3)),
        ],
        align=True,
    )
    value = np.zeros((), dtype)
    value["flag"] = True
    value["u"] = (2**8 - 1, 2**16 - 1, 2**32 - 1, 2**64 - 1)
    value["i"] = (-(2**7), -(2**15), -(2**31), -(2**63))
    value["f"] = (1.5, -2.25)
    value["label"] = b"sixteen letters!"
    value["letter"] = b"x"
    value["words"] = [[b"one", b"two", b"three"], [b"four", b"five", b"six"]]
    with (
        signalbox.Publisher("kinds", dtype) as publisher,
        signalbox.Subscriber("kinds", dtype) as subscriber,
    ):
        publisher.send(value)
        sample = subscriber.take()
        assert sample is not None
        assert sample.data.dtype == dtype
        assert sample.data == value
