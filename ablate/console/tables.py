"""Tables without lines."""

from __future__ import annotations

from rich import box
from rich.table import Table

_LEFT = ("", "mix", "block", "family", "what it is", "scored on", "knob")


def make_table(*headings: str) -> Table:
    """A table without lines; numbers stand to the right."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        left = heading in _LEFT
        made.add_column(heading, justify="left" if left else "right", overflow="fold")
    return made
