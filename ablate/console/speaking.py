"""How a command speaks, and how it shows that work goes on."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console

from ablate.console.bars import Bars
from ablate.console.lines import JsonLines, PlainLines
from ablate.events import Listener, silence


def say(console: Console, text: str) -> None:
    """Print text as it is, however wide the terminal."""
    console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)


def beside(options: argparse.Namespace, console: Console) -> Console:
    """Where to say what is no part of the answer: where that is JSON, with the errors."""
    return Console(stderr=True, markup=False, emoji=False) if options.json else console


def listening(options: argparse.Namespace, console: Console) -> AbstractContextManager[Listener]:
    """Bars in a terminal, lines in a log; JSON, where events are its answer, or nothing."""
    if getattr(options, "quiet", False):
        return nullcontext(silence)
    if options.json:
        return nullcontext(JsonLines(console) if options.tells_events else silence)
    return Bars(console) if console.is_terminal else nullcontext(PlainLines(console))
