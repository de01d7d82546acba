"""The layer rule: the tree is the diagram, and its arrows point down only."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from .tree import File, Finding, Tree

LAYERS = "tools/layers.txt"
INCLUDE = re.compile(r'\s*#\s*include\s*(["<])([^">]+)')
KERNEL = re.compile(r"(sys|linux)/")


class Layers:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.allowed: dict[str, list[str]] = {}
        for _, line in tree.settings(LAYERS):
            folder, _, names = line.partition(":")
            self.allowed[folder.strip()] = names.split()
        self.kernel = self.allowed.pop("kernel", [])

    def of(self, path: str) -> str | None:
        matching = [folder for folder in self.allowed if path.startswith(folder + "/")]
        return max(matching, key=len, default=None)

    def resolve(self, file: File, name: str) -> str | None:
        """The project file an include names, looked up where the build would: beside the includer,
        then in the two include folders, then from the root."""
        beside = str(PurePosixPath(file.path).parent)
        for folder in (beside, "include", "src", "."):
            path = normal(f"{folder}/{name}")
            if path in self.tree.paths:
                return path
        return None


def normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def check(tree: Tree) -> Iterator[Finding]:
    layers = Layers(tree)
    for file in tree.files:
        if file.is_c_family:
            yield from check_file(layers, file)


def check_file(layers: Layers, file: File) -> Iterator[Finding]:
    layer = layers.of(file.path)
    if layer is None:
        yield file.finding("layers", 1, f"this folder is in no layer; add it to {LAYERS}")
        return
    for number, line in enumerate(file.lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        problem = judge(layers, file, layer, match[1] == '"', match[2])
        if problem:
            yield file.finding("layers", number, problem)


def judge(layers: Layers, file: File, layer: str, quoted: bool, name: str) -> str | None:
    target = layers.resolve(file, name)
    if target is None:
        if quoted:
            return f'"{name}" is no file of this project; others\' headers take angle brackets'
        if KERNEL.match(name) and not file.under(*layers.kernel):
            return f"<{name}> belongs to the kernel, and only src/os talks to it"
        return None
    allowed = [layer, *layers.allowed[layer]]
    if any(target == name or target.startswith(name + "/") for name in allowed):
        return None
    return f"{layer} may not include {target} ({LAYERS} lists what it may)"
