"""`ablate profile`: what one network costs."""

from __future__ import annotations

import argparse

from rich.console import Console

from ablate.command_line._options import add_device, add_json, add_plugins

HELP = "what one network costs, of a study or of your own: MACs, memory, latency, by part"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which network, what is shown of it, and how it is timed."""
    network = (
        "a study file, the name of a shipped study, or my_module.py:build, where build is a "
        "function or class that makes any nn.Module"
    )
    parser.add_argument("network", help=network)
    parser.add_argument("--mix", metavar="LABEL", help="which mix, of a study with several")
    size = "height and width of the image, or channels, height and width (default: the study's)"
    parser.add_argument("--size", nargs="+", metavar="N", help=size)
    _add_shown(parser)
    _add_timing(parser)
    add_device(parser)
    add_json(parser)
    add_plugins(parser)


def _add_shown(parser: argparse.ArgumentParser) -> None:
    ways = ["stage", "block", "module"]
    by = "show costs by these parts (default: stage, or module where there are no stages)"
    parser.add_argument("--by", choices=ways, default="", help=by)
    depth = "how deep to go into modules within modules (default: 2)"
    parser.add_argument("--depth", default="2", metavar="N", help=depth)
    step = "also what one training step costs, forward, backward and optimiser"
    parser.add_argument("--training", action="store_true", help=step)
    roofs = "also what limits each stage on this machine: memory, arithmetic or launches"
    parser.add_argument("--roofline", action="store_true", help=roofs)
    counter = "count as another counter does: thop, conv-only or fvcore (default: ablate)"
    parser.add_argument("--convention", default="ablate", help=counter)
    second = "also have fvcore count it, on a small image unless --size says otherwise"
    parser.add_argument("--check", action="store_true", help=second)


def _add_timing(parser: argparse.ArgumentParser) -> None:
    rounds = "rounds of timing, in each process (default: the study's)"
    parser.add_argument("--rounds", metavar="N", help=rounds)
    parser.add_argument("--batch", metavar="N", help="images in a call (default: the study's)")
    parser.add_argument("--threads", metavar="N", help="CPU threads (default: the study's)")
    modes = (
        "how to run it: eager, compiled, graph; float32, tf32, bfloat16, float16; several are "
        "timed one after the other (default: the study's)"
    )
    parser.add_argument("--modes", nargs="+", metavar="MODE", help=modes)
    parser.add_argument("--no-latency", action="store_true", help="count, and time nothing")


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Count one network, forecast its memory and time it."""
    from ablate.pricing.command import profile

    profile(options, console)
