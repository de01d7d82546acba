"""The files that the rules look at, and what a rule reports."""

import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

C_FAMILY = {".c", ".h", ".cpp", ".hpp"}
CODE = C_FAMILY | {".py", ".go", ".js", ".mjs", ".css", ".html", ".sh", ".cmake"}

# Comments and literals of the C family; Go and JavaScript share them and add the back-quote. An
# apostrophe after a digit separates thousands and starts no literal.
LITERALS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"'
    r"|\"(?:\\.|[^\"\\\n])*\"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])*'",
    re.DOTALL,
)
LITERALS_AND_BACKQUOTES = re.compile(LITERALS.pattern + r"|`(?:\\.|[^`\\])*`", re.DOTALL)


@dataclass(frozen=True)
class Finding:
    rule: str
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: [{self.rule}] {self.text}"


class File:
    def __init__(self, root: Path, path: str) -> None:
        self.path = path
        self.suffix = PurePosixPath(path).suffix
        self._absolute = root / path

    def under(self, *folders: str) -> bool:
        return any(self.path == folder or self.path.startswith(folder + "/") for folder in folders)

    @property
    def is_test(self) -> bool:
        return self.under("tests") or PurePosixPath(self.path).stem.endswith("_test")

    @property
    def is_c_family(self) -> bool:
        return self.suffix in C_FAMILY

    @property
    def is_code(self) -> bool:
        return self.suffix in CODE or PurePosixPath(self.path).name == "CMakeLists.txt"

    @cached_property
    def text(self) -> str:
        """Empty for a binary file: no rule has anything to say about one."""
        data = self._absolute.read_bytes()
        return "" if b"\0" in data else data.decode(errors="replace")

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def bare(self) -> str:
        """The text with comments and literals blanked out, line for line."""
        pattern = LITERALS if self.is_c_family else LITERALS_AND_BACKQUOTES
        return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), self.text)

    @cached_property
    def bare_lines(self) -> list[str]:
        return self.bare.splitlines()

    def finding(self, rule: str, line: int, text: str) -> Finding:
        return Finding(rule, self.path, line, text)


class Tree:
    def __init__(self, root: Path, paths: list[str]) -> None:
        self.root = root
        self.files = [File(root, path) for path in sorted(paths)]
        self.paths = {file.path for file in self.files}

    @classmethod
    def of_repository(cls, root: Path) -> "Tree":
        """Everything git tracks or would track, so that a rule speaks before the commit."""
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        return cls(root, [path for path in listed.split("\0") if (root / path).is_file()])

    def settings(self, path: str) -> list[tuple[int, str]]:
        """The lines of one of the rules' own list files, numbered, without comments."""
        if path not in self.paths:
            return []
        lines = (self.root / path).read_text().splitlines()
        bare = [(number, line.split("#")[0].strip()) for number, line in enumerate(lines, 1)]
        return [(number, line) for number, line in bare if line]
