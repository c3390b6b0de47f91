"""`ablate verify`: a report, computed again."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from ablate.command_line._options import add_output, add_plugins

HELP = "compute every number of a report again from its record; name the first that differs"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which report, and of which record."""
    report = (
        "a report (report.html, report.md, results.csv, swaps.csv, results.tex), a paper kit or a"
        " file of one, or the folder of a run"
    )
    parser.add_argument("report", type=Path, metavar="REPORT", help=report)
    record = (
        "the record, or the folder of its run (default: the one beside the report or above the kit)"
    )
    parser.add_argument("--record", type=Path, metavar="FILE", help=record)
    add_plugins(parser)
    add_output(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Compute the report again and say what differs."""
    from ablate.verifying import verify

    verify(options, console)
