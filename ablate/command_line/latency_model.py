"""`ablate latency-model`: prices for all of a study's mixes."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from ablate.command_line._options import add_device, add_json, add_plugins, add_study

HELP = "time what a study's mixes are made of, so that all of them have a predicted latency"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which study, what is measured of it, and how."""
    add_study(parser)
    size = "height and width of the image (default: the study's first)"
    parser.add_argument("--size", nargs="+", metavar="N", help=size)
    fit = "whole mixes that the model is fitted to (default: 8)"
    parser.add_argument("--fit", default="8", metavar="N", help=fit)
    check = "whole mixes that it is checked on, which it has not seen (default: 8)"
    parser.add_argument("--check", default="8", metavar="N", help=check)
    width = "widths to measure beside the study's, so that those between can be predicted"
    parser.add_argument("--width", nargs="+", default=[], metavar="N", help=width)
    by = "what is timed by itself (default: stages, or blocks where there are too many stages)"
    parser.add_argument("--by", choices=["stage", "block"], help=by)
    rounds = "rounds of timing, in each process (default: the study's)"
    parser.add_argument("--rounds", metavar="N", help=rounds)
    parser.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME)")
    add_device(parser)
    add_json(parser)
    add_plugins(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Make, check and save the latency model of a study."""
    from ablate.composition.command import latency_model

    latency_model(options, console)
