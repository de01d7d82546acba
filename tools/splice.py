"""Keeps the documents true: program text in them is copied from programs that the tests run.

Between these two lines of any Markdown file stands the file named, as a code block:

    <!-- splice: examples/publish.cpp -->
    <!-- /splice -->

Also checks that every relative link leads to a file that exists.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPLICE = re.compile(r"^<!-- splice: (\S+) -->\n(.*?)^<!-- /splice -->$", re.MULTILINE | re.DOTALL)
CODE_BLOCK = re.compile(r"^( *)```.*?^\1```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
LANGUAGES = {".hpp": "cpp", ".h": "c", ".py": "python", ".sh": "sh", "": "sh"}


def spliced(text: str, root: Path) -> str:
    """The document with every marked place filled anew. A missing program is an error."""

    def fill(match: re.Match[str]) -> str:
        source = root / match[1]
        language = LANGUAGES.get(source.suffix, source.suffix[1:])
        body = source.read_text().strip("\n")
        return f"<!-- splice: {match[1]} -->\n```{language}\n{body}\n```\n<!-- /splice -->"

    return SPLICE.sub(fill, text)


def broken_links(text: str, folder: Path) -> list[str]:
    targets = LINK.findall(CODE_BLOCK.sub("", text))
    return [
        target
        for target in targets
        if "://" not in target
        and not target.startswith("mailto:")
        and not (folder / target).exists()
    ]


def documents(root: Path) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [root / name for name in listed.splitlines() if (root / name).is_file()]


def process(document: Path, root: Path, check_only: bool) -> list[str]:
    """Rewrites one document, or says what is wrong with it."""
    name = document.relative_to(root)
    text = document.read_text()
    problems = [
        f"{name}: the link to {target} leads nowhere"
        for target in broken_links(text, document.parent)
    ]
    try:
        fresh = spliced(text, root)
    except FileNotFoundError as missing:
        return [*problems, f"{name}: splices {missing.filename}, which does not exist"]
    if fresh != text and check_only:
        problems.append(f"{name}: a spliced program has changed; run ./dev docs")
    elif fresh != text:
        document.write_text(fresh)
        print(f"{name}: updated")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail where old")
    check_only = parser.parse_args().check
    problems = [
        problem for document in documents(ROOT) for problem in process(document, ROOT, check_only)
    ]
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
