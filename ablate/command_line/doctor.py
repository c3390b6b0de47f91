"""`ablate doctor`: what this installation can use."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from rich.console import Console

from ablate.command_line._options import add_json
from ablate.console.speaking import say

HELP = "what this installation can use, and the command that adds what it lacks"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Words or JSON."""
    add_json(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Say what this installation can use and what would add the rest."""
    from ablate import doctor

    found = doctor.examine()
    if options.json:
        say(console, json.dumps(asdict(found), indent=2))
        return
    for line in doctor.lines(found):
        say(console, line)
