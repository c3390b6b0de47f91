"""`ablate watch`: a run while it goes on."""

from __future__ import annotations

import argparse

from rich.console import Console

from ablate.command_line._options import add_json, add_run

HELP = "how a run goes on, from another terminal, at any time; changes nothing"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, and how often."""
    add_run(parser)
    parser.add_argument("--once", action="store_true", help="show it once and end")
    every = "seconds between two looks (default: 2)"
    parser.add_argument("--every", default="2", metavar="SECONDS", help=every)
    add_json(parser, "one JSON object for each look")


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Show the run until it is over, or once."""
    from ablate.watching.command import watch

    watch(options, console)
