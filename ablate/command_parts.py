"""What several commands share: how they speak, and how they show that work goes on."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext

from rich import box
from rich.console import Console
from rich.table import Table

from ablate.console import Bars, JsonLines, PlainLines
from ablate.events import Listener, silence
from ablate.events import phases as phases
from ablate.folder import RunError

ONE_ANSWER = ("plan", "profile", "crossover", "latency-model")  # as JSON: no events before it
_LEFT = ("", "mix", "block", "family", "what it is", "scored on", "knob")


def whole(option: str, text: str, least: int = 1) -> int:
    """The number that was given to an option.

    Raises:
        RunError: It is not a whole number, or too small.
    """
    if not text.isdecimal() or int(text) < least:
        raise RunError(f"--{option}: expected a whole number from {least}; got '{text}'")
    return int(text)


def say(console: Console, text: str) -> None:
    """Print text as it is, however wide the terminal."""
    console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)


def listening(options: argparse.Namespace, console: Console) -> AbstractContextManager[Listener]:
    """Bars in a terminal, lines in a log, JSON or nothing where that was asked for."""
    if getattr(options, "quiet", False):
        return nullcontext(silence)
    if options.json:
        return nullcontext(silence if options.command in ONE_ANSWER else JsonLines(console))
    return Bars(console) if console.is_terminal else nullcontext(PlainLines(console))


def make_table(*headings: str) -> Table:
    """A table without lines; numbers stand to the right."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        left = heading in _LEFT
        made.add_column(heading, justify="left" if left else "right", overflow="fold")
    return made
