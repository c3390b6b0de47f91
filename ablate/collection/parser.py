"""The command line of what is done with several runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_collection(subparsers: Subparsers) -> None:
    """The commands merge, runs, index and prune."""
    text = "join runs of one study, such as its shards, into a new run; each trial once"
    merge = subparsers.add_parser("merge", help=text, description=text)
    merge.add_argument("run", type=Path, nargs="+", help="folders of the runs")
    merge.add_argument("--out", type=Path, required=True, help="folder of the new run")
    merge.add_argument("--quiet", action="store_true", help="say nothing but errors")
    _add_json(merge)

    text = "list runs: how far each is, the best it found, its size"
    runs = subparsers.add_parser("runs", help=text, description=text)
    where = "the folder that they lie in, or one run (default: runs)"
    runs.add_argument("folder", type=Path, nargs="?", default=Path("runs"), help=where)
    _add_json(runs)

    text = "write a page over all runs of a folder: question, state, front, best, links to reports"
    index = subparsers.add_parser("index", help=text, description=text)
    where = "the folder that they lie in (default: runs)"
    index.add_argument("folder", type=Path, nargs="?", default=Path("runs"), help=where)
    out = "the page (default: index.html in that folder)"
    index.add_argument("--out", type=Path, metavar="FILE", help=out)
    index.add_argument("--quiet", action="store_true", help="say nothing but errors")
    _add_json(index)

    text = "say which weights and states no front needs, and remove them if asked to"
    prune = subparsers.add_parser("prune", help=text, description=text)
    prune.add_argument("run", type=Path, nargs="+", help="folders of runs")
    prune.add_argument("--yes", action="store_true", help="remove them")
    _add_json(prune)


def add_where(parser: argparse.ArgumentParser) -> None:
    """Where the trials of `ablate run` run."""
    engines = "where trials run: in processes on this machine, or on a Ray cluster"
    parser.add_argument("--engine", choices=["local", "ray"], default="local", help=engines)
    address = (
        "the Ray cluster, as `ray start` printed it, or auto for the one that this machine is in "
        "(default: start Ray on this machine alone)"
    )
    parser.add_argument("--address", metavar="HOST:PORT", help=address)
    gpus = "GPUs of a trial on a Ray cluster, such as 0.5 (default: 1 on CUDA, else 0)"
    parser.add_argument("--gpus", metavar="N", help=gpus)
    shard = (
        "train only one of n equal shares of a design, such as 2/8, and time nothing; "
        "then join them: ablate merge"
    )
    parser.add_argument("--shard", metavar="I/N", help=shard)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="speak JSON, for programs")
