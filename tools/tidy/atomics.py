"""The rule for orders of atomics: each names the pair it is one end of, or why it needs none.

A use of std::memory_order stands below a comment with its tag, in one of these forms:

    // sync[ring.write] release: why what comes before must be visible.
    // sync[ring.write] acquire: which release this meets.
    // sync[ring.pin] release acquire: a full barrier, or an operation that is both ends.
    // relaxed[ring.read]: why no order is needed.
"""

import re
from collections.abc import Iterator

from .tree import File, Finding, Tree

# The lock-free structures: those that are in line in programs are public.
HOME = ("src/shm", "include/signalbox/shm")
ALSO_ALLOWED = ("tests", "bench")
CODE_LINES_BETWEEN_MAX = 3

ORDER = re.compile(r"\bmemory_order(?:_|::)(relaxed|acquire|consume|release|acq_rel|seq_cst)\b")
ANY_ORDER = re.compile(r"\bmemory_order\b|\bmemory_order_")
SYNC = re.compile(r"sync\[([\w.]+)\]((?:\s+(?:release|acquire)\b)*)")
RELAXED = re.compile(r"relaxed\[([\w.]+)\]")
COMMENT = re.compile(r"\s*(//|\*|/\*)")
# What the comments above an order must say, all of it.
NEEDED = {
    "relaxed": {"relaxed"},
    "acquire": {"acquire"},
    "consume": {"acquire"},
    "release": {"release"},
    "acq_rel": {"release", "acquire"},
    "seq_cst": {"release", "acquire"},
}


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.files:
        if file.is_c_family:
            yield from check_place(file)
    yield from check_pairs(tree)


def check_place(file: File) -> Iterator[Finding]:
    for number, line in enumerate(file.bare_lines, 1):
        if not ANY_ORDER.search(line):
            continue
        if not file.under(*HOME, *ALSO_ALLOWED):
            places = " and ".join(f"{home}/" for home in HOME)
            yield file.finding("atomics", number, f"orders of atomics are stated only in {places}")
        elif file.under(*HOME) and not file.is_test:
            yield from check_tags(file, number, line)


def check_tags(file: File, number: int, line: str) -> Iterator[Finding]:
    ends = ends_above(file, number)
    for order in ORDER.findall(line):
        if not NEEDED[order] <= ends:
            wanted = "relaxed[tag]" if order == "relaxed" else f"sync[tag] for {order}"
            yield file.finding("atomics", number, f"no comment above says {wanted}")


def ends_above(file: File, number: int) -> set[str]:
    """What the comments say that belong to this line: those on it and above it, past at most three
    lines of code, because one comment may cover the few lines of one step."""
    ends: set[str] = set()
    code_lines = -1
    for index in range(number - 1, -1, -1):
        line = file.lines[index]
        if not COMMENT.match(line):
            code_lines += 1
            if code_lines > CODE_LINES_BETWEEN_MAX:
                break
        ends.update(*(said.split() for _, said in SYNC.findall(line)))
        if RELAXED.search(line):
            ends.add("relaxed")
    return ends


def check_pairs(tree: Tree) -> Iterator[Finding]:
    """A tag with one end orders nothing, and a mention of a tag that nobody defines misleads."""
    ends: dict[str, set[str]] = {}
    first: dict[str, tuple[File, int]] = {}
    for file in tree.files:
        if not file.is_c_family or not file.under("src", "include"):
            continue
        for number, line in enumerate(file.lines, 1):
            for tag, said in SYNC.findall(line):
                ends.setdefault(tag, set()).update(said.split())
                first.setdefault(tag, (file, number))
    for tag, found in sorted(ends.items()):
        for end in ("release", "acquire"):
            if end not in found:
                file, number = first[tag]
                yield file.finding("atomics", number, f"sync[{tag}] has no {end} end")
