"""A report taken apart into all that it says, piece by piece, each with its place in words."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import PurePath

from reports.numbers.units import plain

CELLS = ("td", "th")
CODE = ("script", "style")
POLICY = "content-security-policy"  # hashes of style and script, which are compared themselves


@dataclass(frozen=True)
class Piece:
    """One thing that a report says.

    Args:
        place: Where, in words: section, row, column.
        text: What.
        kind: "" for text that is read, or the attribute that it is the value of.
    """

    place: str
    text: str
    kind: str = ""


def pieces(name: str, text: str) -> list[Piece]:
    """All that a file says, in its order.

    Args:
        name: Of the file; its ending says how it is read.
        text: What stands in it.
    """
    ending = PurePath(name).suffix
    if ending in (".html", ".svg"):
        page = _Page()
        page.feed(text)
        page.close()
        return page.found + page.code
    if ending == ".csv":
        return list(_of_csv(text))
    return list(_of_lines(text, "&" if ending == ".tex" else "|"))


class _Page(HTMLParser):
    """Reads a page; `found` is what it says, `code` its style and script."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Piece] = []
        self.code: list[Piece] = []
        self._open: list[str] = []
        self._section, self._row, self._column = "", "", -1
        self._heads: list[str] = []
        self._data, self._code = False, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self._open.append(tag)
        self._enter(tag, known)
        if known.get("http-equiv", "").lower() == POLICY:
            return
        for name, value in known.items():
            self.found.append(Piece(self._place(), value, f"{name} of {tag}"))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in CODE:
            self._end_code(tag)
        while self._open and self._open.pop() != tag:  # what is never closed, such as meta
            pass
        if tag == "section":
            self._section = ""
        if tag == "table":
            self._heads, self._row, self._column = [], "", -1

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside in CODE:
            self._code += data
        elif text := " ".join(data.split()):
            self._learn(text)
            self.found.append(Piece(self._place(), text))

    def _enter(self, tag: str, known: dict[str, str]) -> None:
        if tag == "section":
            self._section = plain(known.get("id") or known.get("aria-label", ""))
        elif tag == "table":
            self._heads = []
        elif tag == "tr":
            self._row, self._column = "", -1
        elif tag in CELLS:
            self._column += 1
            if "thead" in self._open:
                self._heads.append("")
        elif tag in CODE:
            self._data = "json" in known.get("type", "")

    def _end_code(self, tag: str) -> None:
        """Style and script are one piece each; what scripts are given is many."""
        if self._data:
            self.found += _of_data(self._code)
        else:
            self.code.append(Piece(f"the page's {tag}", self._code))
        self._data, self._code = False, ""

    def _learn(self, text: str) -> None:
        """What later pieces are placed by: titles of sections, heads of rows and columns."""
        if "h2" in self._open:
            self._section = text
        elif "thead" in self._open and self._heads:
            self._heads[-1] = f"{self._heads[-1]} {text}".strip()
        elif "tr" in self._open and self._column == 0:
            self._row = f"{self._row} {text}".strip()

    def _place(self) -> str:
        words = [f"section '{self._section}'"] if self._section else ["page"]
        if "tr" in self._open and "thead" not in self._open:
            words += [f"row '{self._row}'"] if self._row else []
            if 0 < self._column < len(self._heads):
                words.append(f"column '{self._heads[self._column]}'")
        return ", ".join(words)


def _of_data(text: str) -> Iterator[Piece]:
    """What scripts are given, leaf by leaf."""
    try:
        yield from _leaves(json.loads(text), "data for scripts")
    except ValueError:
        yield Piece("data for scripts", text)


def _leaves(value: object, place: str) -> Iterator[Piece]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{place}, {name}")
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from _leaves(inner, f"{place} {number}")
    else:
        yield Piece(place, json.dumps(value, ensure_ascii=False).strip('"'))


def _of_csv(text: str) -> Iterator[Piece]:
    """Cells; a row is named by its label, or by its first cell."""
    rows = list(csv.reader(io.StringIO(text)))
    head = rows[0] if rows else []
    named = head.index("label") if "label" in head else 0
    for cell in head:
        yield Piece("names of the columns", cell)
    for number, row in enumerate(rows[1:], 2):
        name = row[named] if named < len(row) else ""
        for at, cell in enumerate(row):
            column = head[at] if at < len(head) else f"number {at + 1}"
            yield Piece(f"line {number}, row '{name}', column '{column}'", cell)


def _of_lines(text: str, mark: str) -> Iterator[Piece]:
    """Lines of Markdown or LaTeX; those of tables cell by cell."""
    head: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in re.split(rf"(?<!\\){re.escape(mark)}", line)]
        cells = cells[1:-1] if mark == "|" else cells
        if len(cells) < 2:
            head = []
            yield Piece(f"line {number}", line)
            continue
        head = head or cells
        for at, cell in enumerate(cells):
            place = f"line {number}, row '{cells[0] or cells[1]}'"
            place += f", column '{head[at]}'" if at < len(head) and head[at] else ""
            yield Piece(place, cell)
