import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOOLS))


@pytest.fixture
def judge(tmp_path):
    """Writes the given files into an empty repository and returns what the rules find there."""
    import tidy
    from tidy.tree import Tree

    def judge(files: dict[str, str], rule: str) -> list[str]:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        paths = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
        found = tidy.findings(Tree(tmp_path, paths))
        return [str(finding) for finding in found if finding.rule == rule]

    return judge
