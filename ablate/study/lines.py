"""On which line of a TOML text each key stands, which the standard reader does not tell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""
    (?P<skip>[ \t]+ | \#[^\n]*)
    | (?P<newline>\r?\n)
    | (?P<text>\"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*')
    | (?P<mark>[\[\]{},=.])
    | (?P<bare>[^\s\[\]{},=.\#"']+)
    """,
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def line_numbers(text: str) -> dict[Path, int]:
    """Lines, counted from 1, of every table, key and list item of a text that is valid TOML.

    A path names keys and, for lists and arrays of tables, positions counted from 0:
    `("network", "stage", 1, "block")`.
    """
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "skip":
            yield _Token(match.lastgroup or "", match.group(), line)
        line += match.group().count("\n")


class _Scanner:
    """Reads the structure and skips the values; the text was already found valid."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._tokens = [*_tokens(text), _Token("end", "", 0)]
        self._at = 0
        self._last_table: dict[Path, int] = {}  # position of the newest table of an array

    def scan(self) -> None:
        prefix: Path = ()
        while (token := self._peek()).kind != "end":
            if token.kind == "newline":
                self._next()
            elif token.text == "[":
                prefix = self._header()
            else:
                self._assignment(prefix)

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _header(self) -> Path:
        line = self._next().line
        array = self._peek().text == "["
        if array:
            self._next()
        *parents, last = self._key()
        path: Path = ()
        for part in parents:
            path = self._newest((*path, part))
        path = (*path, last)
        if array:
            self._last_table[path] = self._last_table.get(path, -1) + 1
        path = self._newest(path)
        self._mark(path, line)
        while self._peek().text == "]":
            self._next()
        return path

    def _newest(self, path: Path) -> Path:
        return (*path, self._last_table[path]) if path in self._last_table else path

    def _mark(self, path: Path, line: int) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)

    def _key(self) -> list[str]:
        parts = []
        while self._peek().kind in ("bare", "text") or self._peek().text == ".":
            token = self._next()
            if token.kind != "mark":
                parts.append(token.text[1:-1] if token.kind == "text" else token.text)
        return parts

    def _assignment(self, prefix: Path) -> None:
        line = self._peek().line
        path = (*prefix, *self._key())
        self._mark(path, line)
        self._next()  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        opening = self._peek().text
        if opening == "[":
            self._list(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            while self._peek().text not in (",", "]", "}") and self._peek().kind not in (
                "newline",
                "end",
            ):
                self._next()

    def _list(self, path: Path) -> None:
        self._next()
        position = 0
        while (token := self._peek()).text != "]":
            if token.kind == "newline" or token.text == ",":
                self._next()
                continue
            self._mark((*path, position), token.line)
            self._value((*path, position))
            position += 1
        self._next()

    def _inline_table(self, path: Path) -> None:
        self._next()
        while self._peek().text != "}":
            if self._peek().kind == "newline" or self._peek().text == ",":
                self._next()
            else:
                self._assignment(path)
        self._next()
