"""`ablate runs`: the runs of a folder."""

from __future__ import annotations

import argparse

from rich.console import Console

from ablate.command_line._options import add_json, add_runs_folder

HELP = "list runs: how far each is, the best it found, its size"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which folder."""
    add_runs_folder(parser, "the folder that they lie in, or one run")
    add_json(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """List them."""
    from ablate.collection.command import runs

    runs(options, console)
