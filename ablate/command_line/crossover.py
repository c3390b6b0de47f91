"""`ablate crossover`: blocks beside each other, by size, width and batch."""

from __future__ import annotations

import argparse
from typing import get_args

from rich.console import Console

from ablate.command_line._options import add_device, add_json, add_plugins
from ablate.profile import Precision, Run

HELP = "how blocks grow with resolution, width and batch, and where one overtakes another"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which blocks, over what, and how they are timed."""
    block = "a block (mwsa, mwsa:window=16) or a family (attention: the best of its blocks)"
    parser.add_argument("block", nargs="+", metavar="BLOCK", help=block)
    sizes = "sides of the features in pixels (default: 32 48 64 96 128 192 256)"
    parser.add_argument("--size", nargs="+", metavar="N", help=sizes)
    parser.add_argument("--width", nargs="+", metavar="N", help="channels (default: 32)")
    parser.add_argument("--batch", nargs="+", metavar="N", help="images in a call (default: 1)")
    refine = "then time two more values around each cross-over; takes that much longer"
    parser.add_argument("--refine", action="store_true", help=refine)
    rounds = "interleaved rounds, in each process (default: 15)"
    parser.add_argument("--rounds", default="15", metavar="N", help=rounds)
    parser.add_argument("--processes", default="3", metavar="N", help="fresh ones (default: 3)")
    parser.add_argument("--threads", default="1", metavar="N", help="CPU threads (default: 1)")
    parser.add_argument("--run", choices=get_args(Run), default="eager")
    parser.add_argument("--precision", choices=get_args(Precision), default="float32")
    add_device(parser)
    add_json(parser)
    add_plugins(parser)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Time blocks by themselves; say how each grows and which overtakes which."""
    from ablate.crossover.command import crossover

    crossover(options, console)
