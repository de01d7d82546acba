"""Runs every rule over the repository, prints the findings, and fails if there is one."""

import sys
from pathlib import Path

from . import RULES, findings
from .tree import Tree


def main() -> int:
    tree = Tree.of_repository(Path(__file__).resolve().parents[2])
    found = findings(tree)
    for finding in found:
        print(finding)
    print(f"tidy: {len(tree.files)} files, {len(RULES)} sets of rules, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
