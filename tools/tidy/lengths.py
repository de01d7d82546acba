"""Rules on size: lines, files, public headers, functions."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .tree import File, Finding, Tree

LINE_MAX = 100
FILE_MAX = 500
HEADER_MAX = 260
FUNCTION_MAX = 60
RATCHET = "tools/long_functions.txt"

BRACED = {".c", ".h", ".cpp", ".hpp", ".go", ".js", ".mjs"}
NO_FUNCTION = re.compile(
    r"\s*(?:export\s+)?(?:default\s+)?"
    r"(?:if|for|while|switch|else|do|try|catch|return"
    r"|namespace|class|struct|enum|union|extern|type)\b"
)
TEMPLATE = re.compile(r"\btemplate\s*<")
# A constructor's list of members: the braces in it initialise and start no body.
MEMBER_LIST = re.compile(r"\)\s*(?:noexcept\s*)?:(?!:).*[\w>]\s*$", re.DOTALL)


@dataclass(frozen=True)
class Function:
    name: str
    line: int
    length: int


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.files:
        if file.is_code:
            yield from check_file(file)
    yield from check_functions(tree)


def check_file(file: File) -> Iterator[Finding]:
    limit = HEADER_MAX if file.under("include") else FILE_MAX
    if len(file.lines) > limit:
        yield file.finding("length", 1, f"{len(file.lines)} lines, at most {limit}")
    for number, line in enumerate(file.lines, 1):
        # An address cannot be broken.
        if len(line) > LINE_MAX and "://" not in line:
            yield file.finding("length", number, f"{len(line)} characters, at most {LINE_MAX}")


def check_functions(tree: Tree) -> Iterator[Finding]:
    listed: dict[tuple[str, str], tuple[int, int]] = {}
    for number, line in tree.settings(RATCHET):
        path, rest = line.split(maxsplit=1)
        name, length = rest.rsplit(maxsplit=1)
        listed[path, name] = (int(length), number)

    for file in tree.files:
        for function in functions(file):
            if function.length <= FUNCTION_MAX:
                continue
            limit, number = listed.pop((file.path, function.name), (FUNCTION_MAX, 0))
            if function.length > limit:
                text = f"{function.name} has {function.length} lines, at most {limit}"
                yield file.finding("length", function.line, text)
            elif function.length < limit:
                text = f"{function.name} shrank to {function.length} lines: lower its entry"
                yield Finding("length", RATCHET, number, text)
    for (path, name), (_, number) in listed.items():
        yield Finding("length", RATCHET, number, f"{path} {name} is short now: remove its entry")


def functions(file: File) -> list[Function]:
    if file.suffix == ".py":
        return python_functions(file)
    if file.suffix in BRACED:
        return BraceReader(file).functions
    return []


def python_functions(file: File) -> list[Function]:
    try:
        module = ast.parse(file.text)
    except SyntaxError:
        return []  # ruff reports it
    return [
        Function(node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


class BraceReader:
    """Finds functions by their braces. It knows no grammar: the text since the last `;` or brace is
    a head, and a head with parentheses that starts no other kind of block is a function's."""

    def __init__(self, file: File) -> None:
        self.functions: list[Function] = []
        self._head = ""
        self._head_line = 1
        self._line = 1
        # One entry an open brace: the function it opens, "" for another block, None for an
        # initialiser inside a head.
        self._open: list[tuple[str | None, int]] = []
        without_directives = re.sub(r"(?m)^[ \t]*#(?:\\\n|.)*$", blank, file.bare)
        # Go's lists of imports and constants have parentheses and no end that we would see.
        without_lists = re.sub(r"(?ms)^(?:import|const|var) \(.*?^\)", blank, without_directives)
        for character in without_lists:
            self._take(character)

    def _take(self, character: str) -> None:
        if character == "{":
            self._open_brace()
        elif character == "}":
            self._close_brace()
        elif character == ";" and self._head.count("(") == self._head.count(")"):
            self._head = ""
        elif character == "\n":
            self._line += 1
            self._head += " "
        else:
            if not self._head.strip() and not character.isspace():
                self._head_line = self._line
            self._head += character

    def _open_brace(self) -> None:
        inside_parentheses = self._head.count("(") != self._head.count(")")
        if self._inside_function() or inside_parentheses or MEMBER_LIST.search(self._head):
            self._open.append((None, self._line))
        else:
            self._open.append((function_name(self._head), self._head_line))
            self._head = ""

    def _close_brace(self) -> None:
        if not self._open:
            return
        name, line = self._open.pop()
        if name is None:
            return
        if name:
            self.functions.append(Function(name, line, self._line - line + 1))
        self._head = ""

    def _inside_function(self) -> bool:
        return any(name for name, _ in self._open)


def blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def function_name(head: str) -> str:
    """Empty when the head opens something else than a function."""
    head = without_templates(head)
    if "(" not in head or NO_FUNCTION.match(head):
        return ""
    before, _, after = head.partition("(")
    name = before.split()[-1] if before.split() else ""
    if name in ("TEST", "TEST_F", "TEST_P", "TYPED_TEST"):
        return f"{name}({after.partition(')')[0].strip()})"
    # A Go method: the first parentheses hold its receiver.
    if name == "func":
        method = re.match(r"[^)]*\)\s*(\w+)\s*[\[(]", after)
        return method[1] if method else "func"
    return name.lstrip("*&")


def without_templates(head: str) -> str:
    while match := TEMPLATE.search(head):
        depth, end = 1, match.end()
        while end < len(head) and depth:
            depth += {"<": 1, ">": -1}.get(head[end], 0)
            end += 1
        head = head[: match.start()] + head[end:]
    return head
