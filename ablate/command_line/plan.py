"""`ablate plan`: what a study would take, before anything is trained."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from ablate.command_line._options import add_json, add_plugins, add_study, add_workers

HELP = "what a study would do: mixes, parameters, MACs, time and memory; trains nothing"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which study, and how it would be run."""
    add_study(parser)
    add_workers(parser)
    add_plugins(parser)
    out = "folder of the run, where its latency model may lie (default: runs/NAME)"
    parser.add_argument("--out", type=Path, help=out)
    add_json(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Show what a study would do and take."""
    from ablate.planning.command import plan

    plan(options, console)
