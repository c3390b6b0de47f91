"""`ablate fidelity`: whether short training was a fair judge."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from ablate.command_line._options import add_device, add_output, add_plugins, add_run

HELP = "was the short training a fair judge? trains a few mixes of a run again, and longer"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, how many of its mixes, and how much longer."""
    add_run(parser)
    mixes = "how many mixes: of the front, and spread over the ranking (default: 6)"
    parser.add_argument("--mixes", default="6", metavar="N", help=mixes)
    times = "how many times as long as before (default: 4)"
    parser.add_argument("--times", default="4", metavar="N", help=times)
    study = "the study's file, where relative paths begin (default: as in the record, from here)"
    parser.add_argument("--study", type=Path, metavar="FILE", help=study)
    plan = "only say which mixes and how long it would take"
    parser.add_argument("--plan", action="store_true", help=plan)
    workers = "trials at a time (default: one per core)"
    parser.add_argument("--workers", default="auto", metavar="N", help=workers)
    add_device(parser, "where to train (default: as the run)")
    add_plugins(parser)
    add_output(parser, events=True)
    parser.set_defaults(goes_on=True)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Train a few mixes of a run longer, in a run of their own beside it."""
    from ablate.fidelity.command import fidelity

    fidelity(options, console)
