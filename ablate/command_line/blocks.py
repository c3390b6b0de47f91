"""`ablate blocks`: what can fill a stage."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console

from ablate.command_line._options import add_json, add_plugins
from ablate.console.speaking import say
from ablate.console.tables import make_table

if TYPE_CHECKING:
    from rich.table import Table

    from ablate.catalogue import Description

HELP = "what can fill a stage, or one block in full"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which block, or all."""
    parser.add_argument("name", nargs="?", help="a block")
    add_json(parser)
    add_plugins(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """List what can fill a stage, or describe one block."""
    from ablate.catalogue import describe_block, list_blocks
    from ablate.plugins import load_plugins

    load_plugins(options.plugin)
    listed = [describe_block(options.name)] if options.name else list_blocks()
    if options.json:
        say(console, json.dumps([asdict(block) for block in listed], indent=2))
    elif options.name:
        _show_block(listed[0], console)
    else:
        console.print(_families(listed))
        say(console, f"{listed[0].at}; more on one of them: ablate blocks NAME")


def _families(listed: Sequence[Description]) -> Table:
    """The blocks under the names of their families."""
    table = make_table("block", "parameters", "GMACs", "what it is")
    for family, members in itertools.groupby(listed, key=lambda block: block.family):
        table.add_section()
        table.add_row(family, style="bold")
        for block in members:
            macs = f"{block.macs / 1e9:.3f}"
            table.add_row(f"  {block.name}", f"{block.params:,}", macs, block.summary)
    return table


def _show_block(block: Description, console: Console) -> None:
    say(console, f"{block.name}: {block.summary}\n")
    say(console, block.text)
    say(console, f"\nfamily: {block.family}\nsource: {block.source}")
    say(console, f"{block.at}: {block.params:,} parameters, {block.macs / 1e9:.3f} GMACs\n")
    if block.knobs:
        table = make_table("knob", "type", "default", "what it is")
        table.columns[1].max_width = 16  # columns, so that most is left to the text
        for knob in block.knobs:
            table.add_row(knob.name, knob.type, knob.default, knob.text)
        console.print(table)
