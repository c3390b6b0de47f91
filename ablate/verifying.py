"""`ablate verify`: every number of a report computed again from its record."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache, partial

from rich.console import Console

from ablate.console.speaking import say
from reports.verifying import checking
from reports.verifying.checking import Checked

DIFFERS = 1  # exit code where a report says something else than its record


def verify(options: argparse.Namespace, console: Console) -> None:
    """Hold a report against its record, and name the first thing that differs.

    Raises:
        VerifyError: There is no report, or no record.
        RecordError: The record cannot be read.
        SystemExit: Something differs; the exit code is 1.
    """
    sources = partial(_source_of, tuple(options.plugin))
    found = checking.verify(options.report, options.record, sources)
    if options.json:
        say(console, json.dumps(_as_json(found), ensure_ascii=False, indent=2))
    else:
        for line in _lines(found, quiet=options.quiet):
            say(console, line)
    if found.difference:
        raise SystemExit(DIFFERS)


@cache
def _source_of(plugins: tuple[str, ...], thing: str) -> str:
    """What parts say of their sources; asked only for a paper kit, as they bring torch."""
    from ablate.citing import source_of
    from ablate.plugins import load_plugins

    load_plugins(plugins)
    return source_of(thing)


def _lines(found: Checked, *, quiet: bool) -> list[str]:
    said = [found.difference.words] if found.difference else []
    if quiet:
        return said
    if not found.files:
        return ["nothing could be compared", *found.remarks]
    good = f"{_files(found.files)}: {found.numbers} numbers, all as in {found.record}"
    return [*(said or [good]), *found.remarks]


def _files(names: Sequence[str]) -> str:
    """Texts by their names; of figures, which are many, how many."""
    figures = [name for name in names if name.endswith((".pdf", ".svg"))]
    texts = ", ".join(name for name in names if name not in figures)
    return " and ".join(filter(None, (texts, f"{len(figures)} figures" if figures else "")))


def _as_json(found: Checked) -> dict[str, object]:
    difference = asdict(found.difference) if found.difference else None
    return {
        "same": found.difference is None,
        "record": str(found.record),
        "files": list(found.files),
        "numbers": found.numbers,
        "difference": difference,
        "remarks": list(found.remarks),
    }
