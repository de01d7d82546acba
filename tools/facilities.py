"""Writes docs/facilities.md, one table of every kernel facility, from the cards of their headers.

Each header of include/signalbox/os/ that wraps a facility opens with what it is, and a card:

    // os/timer.hpp: a clock that makes a descriptor readable, once or again and again.
    //
    //   Lives     until its Timer is destroyed
    //   Threads   one thread at a time
    //   ...
    //   Manual    timerfd_create(2)

A header whose card says how long something lives, what polls it or where its manual is, is a
facility and must have the whole card; what runs over from a line stands below its text.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADERS = Path("include/signalbox/os")
DOCUMENT = Path("docs/facilities.md")
KEYS = ("Lives", "Threads", "Crash", "Fork", "Limits", "Pollable", "Manual")
TITLE = re.compile(r"^// os/\w+\.hpp: (?P<text>.+)$")
ENTRY = re.compile(r"^//   (?P<key>[A-Z]\w+)\s{2,}(?P<text>\S.*)$")
CONTINUATION = re.compile(r"^//\s{6,}(?P<text>\S.*)$")

HEAD = """\
<!-- Written by tools/facilities.py from the cards of the headers; `./dev docs` writes it anew. -->
# The kernel's facilities

Every facility of the kernel that Signalbox wraps, as the card of its header tells it. The headers
say the rest: each call's errors, what enters the kernel, and who owns what afterwards.
"""


@dataclass(frozen=True)
class Card:
    header: str  # "timer.hpp"
    says: str  # what the facility is
    entries: dict[str, str]
    strays: tuple[str, ...] = ()  # lines in the middle of the card that belong to none of its own

    def missing(self) -> list[str]:
        return [key for key in KEYS if key not in self.entries]


def opening_comment(text: str) -> list[str]:
    lines = []
    for line in text.splitlines():
        if not line.startswith("//"):
            break
        lines.append(line)
    return lines


def card_of(header: str, text: str) -> Card | None:
    """The card of a facility's header; nothing for a header that wraps none."""
    says: list[str] = []
    entries: dict[str, str] = {}
    strays: list[str] = []
    key = ""
    for line in opening_comment(text):
        if title := TITLE.match(line):
            says.append(title["text"])
        elif entry := ENTRY.match(line):
            key = entry["key"]
            entries[key] = entry["text"]
        elif key and (more := CONTINUATION.match(line)):
            entries[key] += " " + more["text"]
        elif key and line.startswith("//   "):
            strays.append(line)
        elif not key and len(says) > 0 and not says[-1].endswith(".") and len(line) > 3:
            says.append(line[3:].strip())
    if not {"Lives", "Pollable", "Manual"} & entries.keys():
        return None
    return Card(header, " ".join(says), entries, tuple(strays))


def cards(root: Path) -> list[Card]:
    found = (
        card_of(path.name, path.read_text()) for path in sorted((root / HEADERS).glob("*.hpp"))
    )
    return [card for card in found if card]


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def document(found: list[Card]) -> str:
    columns = ("Header", "What it is", *KEYS)
    rows = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for card in found:
        link = f"[{card.header}](../{HEADERS}/{card.header})"
        values = (card.says, *(card.entries.get(key, "") for key in KEYS))
        rows.append("| " + " | ".join((link, *map(cell, values))) + " |")
    return HEAD + "\n" + "\n".join(rows) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where the document is old")
    arguments = parser.parse_args()
    found = cards(ROOT)
    broken = [card for card in found if card.missing() or card.strays]
    for card in broken:
        wrong = [f"its card lacks {key}" for key in card.missing()]
        wrong += [f'"{line}" is no line of a card' for line in card.strays]
        print(f"{HEADERS}/{card.header}: {'; '.join(wrong)}", file=sys.stderr)
    wanted = document(found)
    target = ROOT / DOCUMENT
    if not arguments.check:
        target.write_text(wanted)
    elif not target.exists() or target.read_text() != wanted:
        print(f"{DOCUMENT}: older than the headers' cards; run ./dev docs", file=sys.stderr)
        return 1
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
