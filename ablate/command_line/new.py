"""`ablate new`: a study to begin with."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from ablate.console.speaking import say

HELP = "write a commented study file to edit"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where to, and which."""
    parser.add_argument("file", type=Path, help="where to write it, such as my_study.toml")
    parser.add_argument("--like", default="template", help="start from this shipped study instead")


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Write a copy of a shipped study.

    Raises:
        RunError: There is no such study, or it cannot be written there.
    """
    from ablate.folder import RunError
    from ablate.study import shipped_studies

    studies = shipped_studies()
    if options.like not in studies:
        known = ", ".join(sorted(studies))
        raise RunError(f"--like: no shipped study is named '{options.like}' (studies: {known})")
    if options.file.exists():
        raise RunError(f"{options.file}: exists already; choose another name or remove it")
    if not options.file.parent.is_dir():
        raise RunError(f"{options.file}: the folder {options.file.parent} does not exist")
    options.file.write_text(studies[options.like].read_text(encoding="utf-8"), encoding="utf-8")
    say(console, f"{options.file}: edit it, then: ablate plan {options.file}")
