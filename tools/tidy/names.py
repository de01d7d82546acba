"""Rules on names and words: what files, classes and macros are called, and what is left lying."""

import re
from collections.abc import Iterator

from .tree import File, Finding, Tree

# Names that say nothing about what is inside, so that anything ends up inside.
BANNED = ("util", "utils", "common", "helper", "helpers", "manager", "impl")
CLASS = re.compile(r"\b(?:class|struct|enum|interface|type)\s+(?:class\s+)?([A-Z]\w*)")
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
MACRO = re.compile(r"\s*#\s*define\s+(\w+)(.*)")
# Switches of the C library, which must be set under their own names.
FOREIGN_MACROS = ("_GNU_SOURCE", "_FILE_OFFSET_BITS", "PY_SSIZE_T_CLEAN")
# Where a kernel constant that older headers lack may be defined under the kernel's name.
KERNEL_CONSTANTS = ("src/os", "tests")
# Written so that this file does not find itself.
LEFT_LYING = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
FIRST_SENTENCE = re.compile(r"(#+ )?[^.!?]+.*[.]$")


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.files:
        yield from check_path(file)
        yield from check_words(file)
        if file.is_code:
            yield from check_classes(file)
        if file.is_c_family:
            yield from check_macros(file)
    yield from check_readmes(tree)


def check_path(file: File) -> Iterator[Finding]:
    for part in file.path.split("/"):
        for word in re.split(r"[^a-z]+", part.lower()):
            if word in BANNED:
                yield file.finding("names", 1, f'"{part}": "{word}" does not say what is inside')


def check_classes(file: File) -> Iterator[Finding]:
    for number, line in enumerate(file.bare_lines, 1):
        for name in CLASS.findall(line):
            for word in WORDS.findall(name):
                if word.lower() in BANNED:
                    text = f'{name}: "{word}" does not say what it does'
                    yield file.finding("names", number, text)


def check_words(file: File) -> Iterator[Finding]:
    for number, line in enumerate(file.lines, 1):
        match = LEFT_LYING.search(line)
        if match:
            text = f"{match[1]}: do it now, or file an issue"
            yield file.finding("left-lying", number, text)


def check_macros(file: File) -> Iterator[Finding]:
    before = ""
    for number, line in enumerate(file.bare_lines, 1):
        match = MACRO.match(line)
        if match and not macro_is_fine(file, match[1], match[2].strip(), before):
            yield file.finding("macros", number, f"{match[1]}: a macro's name starts with SBX_")
        before = line


def macro_is_fine(file: File, name: str, value: str, before: str) -> bool:
    if name.startswith("SBX_") or name in FOREIGN_MACROS:
        return True
    if before.split() != ["#ifndef", name]:
        return False
    include_guard = not value
    return include_guard or file.under(*KERNEL_CONSTANTS)


def check_readmes(tree: Tree) -> Iterator[Finding]:
    """Every layer says in one sentence what it is."""
    inside = [file.path for file in tree.files if file.under("src") and file.path.count("/") >= 2]
    layers = {path.split("/")[1] for path in inside}
    for layer in sorted(layers):
        path = f"src/{layer}/README.md"
        readme = next((file for file in tree.files if file.path == path), None)
        if readme is None:
            yield Finding("readme", path, 1, "every folder of src/ has one")
        elif not readme.lines or not FIRST_SENTENCE.fullmatch(readme.lines[0].strip()):
            yield readme.finding("readme", 1, "the first line is one sentence, with its full stop")
