"""Writes docs/memory-model.md from the tags that stand at every order of an atomic.

    // sync[ring.ready] release: the words are complete before anyone can expect them.
    slot.sequence.store(ready(next_), std::memory_order_release);

Each tag names a pair; the document shows both ends of it, what they do and why. `python -m tidy`
checks that no end is missing.
"""

import argparse
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = Path("docs/memory-model.md")
TAG = re.compile(
    r"(?P<kind>sync|relaxed)\[(?P<name>[\w.]+)\](?P<ends>(?:\s+(?:release|acquire)\b)*):\s*"
)
COMMENT = re.compile(r"^\s*//\s?")
AS_ABOVE = re.compile(r"^as above\.?$", re.IGNORECASE)

PLACES = ["src/*.hpp", "src/*.cpp", "include/*.hpp"]
HEAD = """\
<!-- Written by tools/memory_model.py from comments in the sources; `./dev docs` writes it anew. -->
# Which store meets which load

Orders of atomics are stated only in `src/shm` and `include/signalbox/shm`, and every one of them
carries a tag. A `sync` tag is a pair: what stands before its release end is visible behind its
acquire end, once the second has seen what the first wrote. A `relaxed` tag says why no order is
needed. `./dev check` refuses a tag with one end; [`tests/model`](../tests/model/README.md) weakens
them and shows what breaks.
"""


@dataclass(frozen=True)
class Use:
    kind: str
    name: str
    ends: str
    reason: str
    code: str
    path: str


def uses_in(path: str, lines: list[str]) -> list[Use]:
    """Every tag of a file with its sentences and the statement below it."""
    found = []
    for number, line in enumerate(lines):
        match = TAG.search(line) if COMMENT.match(line) else None
        if not match:
            continue
        reason = [line[match.end() :].strip()]
        below = number + 1
        while below < len(lines) and COMMENT.match(lines[below]) and not TAG.search(lines[below]):
            reason.append(COMMENT.sub("", lines[below]).strip())
            below += 1
        while below < len(lines) and COMMENT.match(lines[below]):
            below += 1
        text = " ".join(part for part in reason if part)
        ends = " and ".join(match["ends"].split())
        code = statement(lines, below)
        found.append(Use(match["kind"], match["name"], ends, text, code, path))
    return found


def statement(lines: list[str], first: int) -> str:
    """The code from this line to the end of its statement, in one line."""
    parts = []
    for line in lines[first : first + 4]:
        parts.append(line.strip())
        if line.rstrip().endswith((";", "{", "}")):
            break
    text = " ".join(parts).removesuffix("{").removesuffix(";").strip()
    return text.replace("std::memory_order_", "")


def document(uses: list[Use]) -> str:
    text = [HEAD]
    text.append("## Pairs\n")
    text.extend(tables(use for use in uses if use.kind == "sync"))
    text.append("## Relaxed\n")
    text.extend(tables(use for use in uses if use.kind == "relaxed"))
    return "\n".join(text)


def tables(uses) -> list[str]:
    by_name = defaultdict(list)
    for use in uses:
        if not AS_ABOVE.match(use.reason):
            by_name[use.name].append(use)
    text = []
    for name, found in sorted(by_name.items()):
        text.append(f"### `{name}`\n")
        # The giving end first.
        for use in sorted(found, key=lambda use: not use.ends.startswith("release")):
            end = f"**{use.ends}** " if use.ends else ""
            text.append(f"- {end}`{use.code}` in [{use.path}](../{use.path}): {use.reason}")
        text.append("")
    return text


def sources(root: Path) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PLACES],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(name for name in listed.splitlines() if (root / name).is_file())


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where the document is old")
    arguments = parser.parse_args()
    uses = [
        use
        for path in sources(ROOT)
        if not path.endswith("_test.cpp")
        for use in uses_in(path, (ROOT / path).read_text().splitlines())
    ]
    wanted = document(uses)
    target = ROOT / DOCUMENT
    if arguments.check:
        if not target.exists() or target.read_text() != wanted:
            print(f"{DOCUMENT}: older than the comments in src/; run ./dev docs", file=sys.stderr)
            return 1
        return 0
    target.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
