"""Goal: each rule of tools/tidy can fail, and stays silent on the nearest text that is right.

Method: small repositories in a temporary folder, one wrong and one right for each rule.
"""

from pathlib import Path

import pytest

LAYERS = (Path(__file__).resolve().parents[1] / "layers.txt").read_text()


def with_layers(files: dict[str, str]) -> dict[str, str]:
    return {"tools/layers.txt": LAYERS, **files}


# Layers


@pytest.mark.parametrize(
    ("file", "included"),
    [
        ("src/shm/ring.hpp", "src/os/file.hpp"),
        ("src/os/file.hpp", "src/shm/ring.hpp"),
        ("src/base/assert.hpp", "src/os/file.hpp"),
        ("src/topic/topic.cpp", "src/inspect/doctor.hpp"),
        ("include/signalbox/topic.hpp", "src/topic/segment.hpp"),
        ("cli/top.cpp", "src/topic/segment.hpp"),
        ("examples/publish.cpp", "src/shm/ring.hpp"),
        ("bindings/python/module.cpp", "include/signalbox/topic.hpp"),
    ],
)
def test_an_arrow_pointing_up_or_sideways_is_rejected(judge, file, included):
    name = included.removeprefix("src/").removeprefix("include/")
    found = judge(with_layers({file: f'#include "{name}"\n', included: ""}), "layers")
    assert len(found) == 1
    assert included in found[0]


@pytest.mark.parametrize(
    ("file", "included"),
    [
        ("src/topic/topic.cpp", "src/shm/ring.hpp"),
        ("src/topic/topic.cpp", "src/topic/segment.hpp"),
        ("src/shm/ring.hpp", "include/signalbox/error.hpp"),
        ("cli/top.cpp", "include/signalbox/topic.hpp"),
        ("bindings/python/module.cpp", "include/signalbox/signalbox.h"),
        ("tests/model/ring.cpp", "src/shm/ring.hpp"),
    ],
)
def test_an_arrow_pointing_down_is_fine(judge, file, included):
    name = included.removeprefix("src/").removeprefix("include/")
    assert judge(with_layers({file: f'#include "{name}"\n', included: ""}), "layers") == []


def test_angle_brackets_do_not_hide_an_arrow(judge):
    files = {"src/topic/a.hpp": "", "src/shm/b.hpp": "#include <topic/a.hpp>\n"}
    assert judge(with_layers(files), "layers")


def test_dots_in_a_path_do_not_hide_an_arrow(judge):
    files = {"src/topic/a.hpp": "", "src/shm/b.hpp": '#include "../topic/a.hpp"\n'}
    assert judge(with_layers(files), "layers")


def test_quotes_around_a_foreign_header_are_rejected(judge):
    assert judge(with_layers({"src/shm/a.hpp": '#include "fmt/format.h"\n'}), "layers")


def test_only_os_includes_the_kernel(judge):
    files = {
        "src/os/a.cpp": "#include <sys/mman.h>\n",
        "src/shm/a.hpp": "#include <linux/futex.h>\n",
    }
    found = judge(with_layers(files), "layers")
    assert len(found) == 1
    assert "src/shm/a.hpp" in found[0]


def test_a_folder_outside_every_layer_is_rejected(judge):
    assert judge(with_layers({"src/novel/a.hpp": ""}), "layers")


# Atomics

RELEASE = """\
// sync[ring.write] release: the bytes of the slot are complete.
write.store(1, std::memory_order_release);
"""
ACQUIRE = """\
// sync[ring.write] acquire: meets the store of commit().
write.load(std::memory_order_acquire);
"""


def test_a_pair_with_both_ends_is_fine(judge):
    assert judge({"src/shm/ring.hpp": RELEASE + ACQUIRE}, "atomics") == []


def test_the_ends_of_a_pair_may_be_in_two_files(judge):
    assert judge({"src/shm/a.hpp": RELEASE, "src/shm/b.hpp": ACQUIRE}, "atomics") == []


@pytest.mark.parametrize(("text", "missing"), [(RELEASE, "acquire"), (ACQUIRE, "release")])
def test_a_pair_with_one_end_is_rejected(judge, text, missing):
    found = judge({"src/shm/ring.hpp": text}, "atomics")
    assert len(found) == 1
    assert f"no {missing} end" in found[0]


def test_an_order_outside_shm_is_rejected(judge):
    assert judge({"src/topic/a.cpp": RELEASE + ACQUIRE}, "atomics")


def test_an_order_spelled_as_an_enumerator_is_seen(judge):
    assert judge({"src/topic/a.cpp": "a.load(std::memory_order::acquire);\n"}, "atomics")


def test_an_order_in_a_comment_is_no_use(judge):
    assert (
        judge({"src/topic/a.cpp": "// memory_order_acquire would be wrong here\n"}, "atomics") == []
    )


def test_an_order_without_a_comment_is_rejected(judge):
    assert judge({"src/shm/a.hpp": "a.load(std::memory_order_acquire);\n"}, "atomics")


def test_a_relaxed_order_needs_its_own_reason(judge):
    text = RELEASE + ACQUIRE + "\n\n\n\n// sync[ring.write] acquire: not this.\n"
    assert judge({"src/shm/a.hpp": text + "a.load(std::memory_order_relaxed);\n"}, "atomics")
    right = (
        "// relaxed[ring.read]: only this thread stores it.\na.load(std::memory_order_relaxed);\n"
    )
    assert judge({"src/shm/a.hpp": right}, "atomics") == []


def test_the_end_in_the_comment_must_be_the_end_in_the_code(judge):
    wrong = ACQUIRE.replace("order_acquire", "order_release")
    assert judge({"src/shm/a.hpp": RELEASE, "src/shm/b.hpp": wrong}, "atomics")


def test_an_operation_that_is_both_ends_must_say_both(judge):
    both = "// sync[a] release acquire: meets itself.\na.exchange(0, std::memory_order_acq_rel);\n"
    assert judge({"src/shm/a.hpp": both}, "atomics") == []
    assert judge({"src/shm/a.hpp": both.replace("acquire: ", ": ")}, "atomics")


def test_a_comment_too_far_above_does_not_count(judge):
    lines = "// relaxed[a]: the first.\n" + "a();\n" * 4 + "b.load(std::memory_order_relaxed);\n"
    assert judge({"src/shm/a.hpp": lines}, "atomics")


def test_a_long_comment_counts_whole(judge):
    comment = "// relaxed[a]: the first line\n" + "// goes on\n" * 5
    text = comment + "b.load(std::memory_order_relaxed);\n"
    assert judge({"src/shm/a.hpp": text}, "atomics") == []


# Names


@pytest.mark.parametrize("path", ["src/shm/util.hpp", "src/common/a.hpp", "apps/x/frame_helper.py"])
def test_a_file_or_folder_name_that_says_nothing_is_rejected(judge, path):
    assert judge({path: ""}, "names")


def test_a_banned_word_inside_another_is_fine(judge):
    assert judge({"src/shm/utility.hpp": "", "src/shm/simplify.hpp": ""}, "names") == []


@pytest.mark.parametrize("name", ["RingManager", "ImplRing", "RingUtil", "HTTPHelper"])
def test_a_class_name_that_says_nothing_is_rejected(judge, name):
    assert judge({"src/shm/a.hpp": f"class {name} {{\n"}, "names")


def test_a_good_class_name_is_fine(judge):
    assert judge({"src/shm/a.hpp": "class Ring {\nstruct Simple {\n"}, "names") == []


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "XX" + "X"])
def test_what_is_left_lying_is_rejected(judge, word):
    assert judge({"docs/a.md": f"one\n{word}: later\n"}, "left-lying")


def test_a_macro_without_the_prefix_is_rejected(judge):
    found = judge({"src/shm/a.hpp": "#define CHECK(x) x\n#define SBX_CHECK(x) x\n"}, "macros")
    assert len(found) == 1


def test_an_include_guard_is_no_macro(judge):
    guard = "#ifndef SIGNALBOX_H\n#define SIGNALBOX_H\n"
    assert judge({"include/signalbox/a.h": guard}, "macros") == []


def test_a_kernel_constant_may_be_supplied_only_where_the_kernel_is_spoken_to(judge):
    text = "#ifndef SYS_futex_waitv\n#define SYS_futex_waitv 449\n"
    assert judge({"src/os/a.cpp": text}, "macros") == []
    assert judge({"src/shm/a.cpp": text}, "macros")


def test_a_layer_without_a_readme_is_rejected(judge):
    assert judge({"src/shm/a.hpp": ""}, "readme")


@pytest.mark.parametrize("first", ["", "no full stop", "## Title only"])
def test_a_readme_must_begin_with_a_sentence(judge, first):
    assert judge({"src/shm/README.md": first + "\nMore.\n"}, "readme")


def test_a_readme_with_a_sentence_is_fine(judge):
    assert (
        judge({"src/shm/README.md": "Lock-free structures over bytes they are given.\n"}, "readme")
        == []
    )


# Lengths


def test_a_long_line_is_rejected(judge):
    assert judge({"src/shm/a.hpp": "x" * 100 + "\n"}, "length") == []
    assert judge({"src/shm/a.hpp": "x" * 101 + "\n"}, "length")


def test_length_is_counted_in_characters(judge):
    assert judge({"src/shm/a.hpp": "// " + "→" * 97 + "\n"}, "length") == []


def test_a_long_file_is_rejected(judge):
    assert judge({"src/shm/a.cpp": "\n" * 500}, "length") == []
    assert judge({"src/shm/a.cpp": "\n" * 501}, "length")


def test_a_long_public_header_is_rejected(judge):
    assert judge({"include/signalbox/a.hpp": "\n" * 260}, "length") == []
    assert judge({"include/signalbox/a.hpp": "\n" * 261}, "length")


FUNCTIONS = {
    "a.cpp": ("void Ring::commit(int a) noexcept {{\n{body}}}\n", "  a();\n", "Ring::commit"),
    "b.cpp": ("Ring::Ring(int a) : a_{{a}}, b_(a) {{\n{body}}}\n", "  a();\n", "Ring::Ring"),
    "c.cpp": (
        "namespace n {{\nTEST(Ring, Laps) {{\n{body}}}\n}}\n",
        "  a();\n",
        "TEST(Ring, Laps)",
    ),
    "d.cpp": ("template <class T>\nT f(T t) {{\n{body}}}\n", "  if (a) {{ b(); }}\n", "f"),
    "e.cpp": ("class A {{\n  int f() {{\n{body}}}\n}};\n", "  a();\n", "f"),
    "a.py": ("def f():\n{body}", "    a()\n", "f"),
    "a.go": ("func (r *Ring) Take() int {{\n{body}}}\n", "\ta()\n", "Take"),
    "a.js": ("export function f(a) {{\n{body}}}\n", "  a();\n", "f"),
}


@pytest.mark.parametrize("file", FUNCTIONS)
def test_a_long_function_is_rejected(judge, file):
    frame, line, name = FUNCTIONS[file]
    found = judge({f"apps/x/{file}": frame.format(body=line * 61)}, "length")
    assert len(found) == 1
    assert f"{name} has" in found[0]


@pytest.mark.parametrize("file", FUNCTIONS)
def test_a_short_function_is_fine(judge, file):
    frame, line, _ = FUNCTIONS[file]
    assert judge({f"apps/x/{file}": frame.format(body=line * 55) * 3}, "length") == []


def test_a_long_class_or_namespace_is_no_function(judge):
    text = "namespace a {\nclass B : public C<decltype(d())> {\n" + "int e;\n" * 100 + "};\n}\n"
    assert judge({"src/shm/a.hpp": text}, "length") == []


def long_function(lines: int) -> str:
    return "void f() {\n" + "a();\n" * (lines - 2) + "}\n"


def test_the_ratchet_lets_an_older_offender_stay_but_not_grow(judge):
    listed = {"tools/long_functions.txt": "src/shm/a.cpp f 70\n"}
    assert judge({**listed, "src/shm/a.cpp": long_function(70)}, "length") == []
    assert judge({**listed, "src/shm/a.cpp": long_function(71)}, "length")


@pytest.mark.parametrize("lines", [65, 30])
def test_the_ratchet_must_follow_a_function_that_shrinks(judge, lines):
    listed = {"tools/long_functions.txt": "src/shm/a.cpp f 70\n"}
    found = judge({**listed, "src/shm/a.cpp": long_function(lines)}, "length")
    assert len(found) == 1
    assert "tools/long_functions.txt" in found[0]


# Exceptions


def test_an_exception_excuses_its_file_only(judge):
    listed = {"tools/tidy_exceptions.txt": "macros src/shm/a.hpp the name is the kernel's\n"}
    text = "#define A 1\n"
    assert judge({**listed, "src/shm/a.hpp": text}, "macros") == []
    assert judge({**listed, "src/shm/b.hpp": text}, "macros")


def test_an_exception_without_a_reason_is_rejected(judge):
    assert judge({"tools/tidy_exceptions.txt": "macros src/shm/a.hpp\n"}, "exceptions")


def test_an_exception_that_excuses_nothing_is_rejected(judge):
    listed = {"tools/tidy_exceptions.txt": "macros src/shm/a.hpp old\n"}
    assert judge({**listed, "src/shm/a.hpp": ""}, "exceptions")
