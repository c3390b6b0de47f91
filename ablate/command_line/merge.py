"""`ablate merge`: runs of one study as one."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from ablate.command_line._options import add_output

HELP = "join runs of one study, such as its shards, into a new run; each trial once"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which runs, and where to."""
    parser.add_argument("run", type=Path, nargs="+", help="folders of the runs")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new run")
    add_output(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Join the runs, and say what came of it."""
    from ablate.collection.command import merge

    merge(options, console)
