"""`ablate prune`: what of runs no front needs."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from ablate.command_line._options import add_json

HELP = "say which weights and states no front needs, and remove them if asked to"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which runs, and whether to remove it."""
    parser.add_argument("run", type=Path, nargs="+", help="folders of runs")
    parser.add_argument("--yes", action="store_true", help="remove them")
    add_json(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Say what is not needed, and remove it where that was asked for."""
    from ablate.collection.command import prune

    prune(options, console)
