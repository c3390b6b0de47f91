"""Tables without lines, no wider than a terminal, whose words and numbers stay whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.table import Table

from ablate.console.words import shortened

_LEFT: Final = frozenset(
    (
        *("", "mix", "block", "family", "what it is", "scored on", "knob", "type", "default"),
        *("run", "state", "best", "cost", "change", "solved"),
    )
)
_EDGE, _BETWEEN = 2, 3  # columns of a terminal around a table, and between two of its columns
_TEXT = 20  # columns that a text has at least, where it needs as many

Cells = Sequence[str]


def make_table(*headings: str) -> Table:
    """A table without lines; numbers stand to the right, and are not broken."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        if heading in _LEFT:
            made.add_column(heading, overflow="fold")
        else:
            made.add_column(heading, justify="right", overflow="ellipsis", no_wrap=True)
    return made


def fitted(
    headings: Cells,
    rows: Sequence[Cells],
    width: int,
    *,
    texts: Cells,
    spare: Cells = (),
    cut: bool = False,
) -> tuple[Table, tuple[str, ...]]:
    """A table that fits: columns that can be spared are left out, then texts take what is left.

    Args:
        headings: Of all columns, each of another name.
        rows: A cell for each column.
        width: Columns of the terminal.
        texts: Headings of what may be made narrower, where they are there.
        spare: Headings of what may be left out, that first which is missed least.
        cut: Whether texts are cut in their middle; else they go on in the next line.

    Returns:
        The table, and the headings that were left out.
    """
    cells = {name: [row[at] for row in rows] for at, name in enumerate(headings)}
    natural = {name: max(map(cell_len, (name, *cells[name]))) for name in headings}
    narrow = [name for name in texts if name in natural]
    least = {**natural, **{name: _least((name, *cells[name]), cut) for name in narrow}}
    kept, waiting = list(headings), [name for name in spare if name in natural]
    while waiting and _EDGE - _BETWEEN + sum(least[name] + _BETWEEN for name in kept) > width:
        kept.remove(waiting.pop(0))
    room = width - _EDGE + _BETWEEN - sum(least[name] + _BETWEEN for name in kept)
    sizes = _widened(least, {name: natural[name] for name in kept if name in narrow}, room)
    table = make_table(*kept)
    for column, name in zip(table.columns, kept, strict=True):
        if name in sizes:
            column.no_wrap, column.overflow, column.max_width = False, "fold", sizes[name]
            if cut:
                cells[name] = [shortened(text, sizes[name]) for text in cells[name]]
    for row in zip(*(cells[name] for name in kept), strict=True):
        table.add_row(*row)
    return table, tuple(name for name in headings if name not in kept)


def too_narrow(missing: Sequence[str]) -> str:
    """What `fitted` left out, and where it is to be seen."""
    return f"not shown here: {', '.join(missing)}; a wider terminal or --json has all"


def _least(texts: Sequence[str], cut: bool) -> int:
    """Columns that texts need at least: for their longest word, or as they are cut."""
    words = texts if cut else [word for text in texts for word in text.split()]
    return min(max(map(cell_len, words), default=1), _TEXT)


def _widened(least: Mapping[str, int], natural: Mapping[str, int], room: int) -> dict[str, int]:
    """Widths of texts that share what room is left: those that need least have all they need."""
    sizes = dict[str, int]()
    wanting = sorted(natural, key=lambda name: natural[name] - least[name])
    for position, name in enumerate(wanting):
        more = min(natural[name] - least[name], max(room, 0) // (len(wanting) - position))
        sizes[name], room = least[name] + more, room - more
    return sizes
