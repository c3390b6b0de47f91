"""`ablate index`: one page over all runs of a folder."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from rich.console import Console

from ablate.collection.listing import Listed, list_runs
from ablate.console.speaking import say
from ablate.console.words import shown
from ablate.folder import RunFolder
from reports.index import Entry, write_index

NAME = "index.html"


def index(options: argparse.Namespace, console: Console) -> None:
    """Write the page and say where it is.

    Raises:
        RunError: There is no such folder.
    """
    file = options.out or options.folder / NAME
    runs = list_runs(options.folder)
    write_index(entries(runs, file.parent), file, options.folder.resolve().name)
    if options.json:
        said = {"index": str(file), "runs": [run.name for run in runs]}
        say(console, json.dumps(said, ensure_ascii=False))
    elif not options.quiet:
        say(console, f"index of {len(runs)} {'run' if len(runs) == 1 else 'runs'}: {shown(file)}")


def entries(runs: Sequence[Listed], folder: Path) -> Iterator[Entry]:
    """Runs as the page lists them.

    Args:
        runs: As they were found.
        folder: Where the page will lie, which links start from.
    """
    for run in runs:
        page = RunFolder(run.path).report
        yield Entry(
            name=run.name,
            record=RunFolder(run.path).record,
            report=_address(page, folder) if page.is_file() else "",
            state=run.state,
            when=f"{datetime.fromisoformat(run.when):%Y-%m-%d %H:%M} UTC",
            problem=run.problem,
        )


def _address(page: Path, folder: Path) -> str:
    """A file as a link, with nothing in it that a browser could take for more than a path."""
    return f"./{quote(Path(os.path.relpath(page, folder)).as_posix())}"
