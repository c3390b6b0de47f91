"""`ablate index`: a page over the runs of a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from ablate.command_line._options import add_output, add_runs_folder

HELP = "write a page over all runs of a folder: question, state, front, best, links to reports"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which folder, and where to."""
    add_runs_folder(parser, "the folder that they lie in")
    out = "the page (default: index.html in that folder)"
    parser.add_argument("--out", type=Path, metavar="FILE", help=out)
    add_output(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Write the page and say where it is."""
    from ablate.collection.indexing import index

    index(options, console)
