"""`ablate export`: a run for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from ablate.command_line._options import add_json, add_run

HELP = "a run for other programs: an Optuna study for optuna-dashboard, a table of trials"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, and where to."""
    add_run(parser)
    database = "write it as an Optuna study into this database, such as sqlite:///x.db"
    parser.add_argument("--optuna", metavar="URL", help=database)
    name = "name of the Optuna study (default: the study's)"
    parser.add_argument("--name", default="", help=name)
    csv = "write a table with a row for each trial"
    parser.add_argument("--csv", type=Path, metavar="FILE", help=csv)
    add_json(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Write it, and say what was written."""
    from ablate.exporting.command import export

    export(options, console)
