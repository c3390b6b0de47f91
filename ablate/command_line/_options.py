"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_study(parser: argparse.ArgumentParser) -> None:
    """A study by file or by name."""
    parser.add_argument("study", help="a study file, or the name of a shipped study")


def add_run(parser: argparse.ArgumentParser) -> None:
    """A run by its folder."""
    parser.add_argument("run", type=Path, help="the folder of a run")


def add_runs_folder(parser: argparse.ArgumentParser, what: str) -> None:
    """The folder that runs lie in."""
    text = f"{what} (default: runs)"
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs"), help=text)


def add_mix(parser: argparse.ArgumentParser) -> None:
    """A trained mix of a run, and where it is to compute."""
    add_run(parser)
    parser.add_argument("mix", help="label of a mix as the report shows it, or its key")
    parser.add_argument("--seed", type=int, default=0, help="which of its trials (default: 0)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    add_plugins(parser)
    add_output(parser)


def add_workers(parser: argparse.ArgumentParser) -> None:
    """How many trials at a time, and on what."""
    parser.add_argument(
        "--workers", default="auto", help="trials at a time (default: one per core)"
    )
    add_device(parser)


def add_device(parser: argparse.ArgumentParser, text: str | None = None) -> None:
    """What to compute on."""
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help=text)


def add_plugins(parser: argparse.ArgumentParser) -> None:
    """Files with things of the user's own."""
    text = "a Python file with blocks of your own; may be given several times"
    parser.add_argument("--plugin", action="append", default=[], metavar="FILE", help=text)


def add_json(parser: argparse.ArgumentParser, text: str = "speak JSON, for programs") -> None:
    """One answer for programs; no events before it."""
    parser.add_argument("--json", action="store_true", help=text)
    parser.set_defaults(tells_events=False)


def add_output(parser: argparse.ArgumentParser, *, events: bool = False) -> None:
    """Nothing but errors, or words for programs.

    Args:
        parser: Of the command.
        events: Whether these are a line of JSON for each event, as it happens.
    """
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("--quiet", action="store_true", help="say nothing but errors")
    loudness.add_argument("--json", action="store_true", help="speak JSON, for programs")
    parser.set_defaults(tells_events=events)
