"""The rules of STYLE.md that a program can check and that no ready-made linter knows."""

from collections.abc import Iterator

from . import atomics, layers, lengths, names
from .tree import Finding, Tree

RULES = (layers.check, atomics.check, names.check, lengths.check)
EXCEPTIONS = "tools/tidy_exceptions.txt"


def findings(tree: Tree) -> list[Finding]:
    found = [finding for rule in RULES for finding in rule(tree)]
    return sorted(without_exceptions(tree, found), key=lambda finding: (finding.path, finding.line))


def without_exceptions(tree: Tree, found: list[Finding]) -> Iterator[Finding]:
    """Drops what the list of exceptions excuses, and reports entries that excuse nothing."""
    excused: dict[tuple[str, str], int] = {}
    for number, line in tree.settings(EXCEPTIONS):
        words = line.split(maxsplit=2)
        if len(words) < 3:
            yield Finding("exceptions", EXCEPTIONS, number, "an exception is RULE PATH REASON")
            continue
        excused[words[0], words[1]] = number
    used = set()
    for finding in found:
        if (finding.rule, finding.path) in excused:
            used.add((finding.rule, finding.path))
        else:
            yield finding
    for key in excused.keys() - used:
        yield Finding("exceptions", EXCEPTIONS, excused[key], f"{' '.join(key)} excuses nothing")
