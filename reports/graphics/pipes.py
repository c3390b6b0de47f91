"""Tables in Markdown: a line for each row, bars between the cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reports.graphics.escaping import escape_markdown

RULES = {"l": "---|", "r": "---:|"}


def pipe_table(heads: Sequence[str], kinds: str, rows: Iterable[Sequence[str]]) -> list[str]:
    """A table, line by line; every text in it is Markdown already.

    Args:
        heads: One for each column.
        kinds: A letter for each column: l for words, r for numbers.
        rows: One text for each column.
    """
    return [_line(heads), "|" + "".join(RULES[kind] for kind in kinds), *map(_line, rows)]


def escaped(texts: Iterable[str]) -> list[str]:
    """Cells of plain text, as Markdown."""
    return [escape_markdown(text) for text in texts]


def beside(text: str, interval: str) -> str:
    """A number and its interval, if it has one: 0.4 dB (0.1 to 0.7)."""
    return f"{text} ({interval})" if interval else text


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
