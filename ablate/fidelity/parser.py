"""What `ablate fidelity` is told; it loads nothing, so that `--help` need not wait."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_fidelity(subparsers: Subparsers) -> None:
    """Add the command."""
    text = "was the short training a fair judge? trains a few mixes of a run again, and longer"
    parser = subparsers.add_parser("fidelity", help=text, description=text)
    parser.add_argument("run", type=Path, help="the folder of a run")
    mixes = "how many mixes: of the front, and spread over the ranking (default: 6)"
    parser.add_argument("--mixes", default="6", metavar="N", help=mixes)
    times = "how many times as long as before (default: 4)"
    parser.add_argument("--times", default="4", metavar="N", help=times)
    study = "the study's file, where relative paths begin (default: as in the record, from here)"
    parser.add_argument("--study", type=Path, metavar="FILE", help=study)
    plan = "only say which mixes and how long it would take"
    parser.add_argument("--plan", action="store_true", help=plan)
    workers = "trials at a time (default: one per core)"
    parser.add_argument("--workers", default="auto", metavar="N", help=workers)
    device = "where to train (default: as the run)"
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help=device)
    plugin = "a Python file with blocks of your own; may be given several times"
    parser.add_argument("--plugin", action="append", default=[], metavar="FILE", help=plugin)
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("--quiet", action="store_true", help="say nothing but errors")
    loudness.add_argument("--json", action="store_true", help="speak JSON, for programs")
