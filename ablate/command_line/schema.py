"""`ablate schema`: what a study file may say, for editors."""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from ablate.command_line._options import add_plugins
from ablate.console.speaking import say

HELP = "print the JSON schema of study files, for editors"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Files whose blocks are in it, too."""
    add_plugins(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Print the schema."""
    from ablate.plugins import load_plugins
    from ablate.study.schema import schema

    load_plugins(options.plugin)
    say(console, json.dumps(schema(), indent=2))
