"""`ablate report`: the report of a run, from its record."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from ablate.command_line._options import add_output, add_plugins, add_run
from ablate.console.speaking import say
from ablate.console.words import shown

HELP = "write a run's report again, without training"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, and what else to write."""
    add_run(parser)
    crossover = "show what ablate crossover --json printed, too; it is kept beside the record"
    parser.add_argument("--crossover", type=Path, metavar="FILE", help=crossover)
    paper = "write tables, figures, methods and BibTeX for a paper into this folder, too"
    parser.add_argument("--paper", type=Path, metavar="DIR", help=paper)
    add_plugins(parser)
    add_output(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Write a run's report again from its record."""
    from ablate.plugins import load_plugins
    from ablate.results import Run
    from reports.crossing.reading import keep_crossings

    if options.crossover:
        keep_crossings(options.crossover, Run(options.run).folder.path)
    load_plugins(options.plugin)
    found = Run(options.run)
    written = {"report": found.report()}
    if options.paper:
        written["paper"] = found.paper(options.paper)
    if options.json:
        say(console, json.dumps({name: str(path) for name, path in written.items()}))
    elif not options.quiet:
        for name, path in written.items():
            say(console, f"{name}: {shown(path)}")
