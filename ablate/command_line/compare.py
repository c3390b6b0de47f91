"""`ablate compare`: one run beside another."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from ablate.command_line._options import add_json

HELP = "what changed from one run to another, and which differences of mixes are real"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which runs."""
    parser.add_argument("before", type=Path, metavar="RUN", help="the folder of a run")
    after = "the folder of a later run (default: the last two sittings of the first are compared)"
    parser.add_argument("after", type=Path, nargs="?", metavar="LATER", help=after)
    add_json(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Say what changed."""
    from ablate.comparing import compare

    compare(options, console)
