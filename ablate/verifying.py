"""`ablate verify`: every number of a report computed again from its record."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from rich.console import Console

from ablate.console.speaking import say
from reports import verifying
from reports.verifying import Checked

DIFFERS = 1  # exit code where a report says something else than its record


def verify(options: argparse.Namespace, console: Console) -> None:
    """Hold a report against its record, and name the first thing that differs.

    Raises:
        VerifyError: There is no report, or no record.
        RecordError: The record cannot be read.
        SystemExit: Something differs; the exit code is 1.
    """
    found = verifying.verify(options.report, options.record)
    if options.json:
        say(console, json.dumps(_as_json(found), ensure_ascii=False, indent=2))
    else:
        for line in _lines(found, quiet=options.quiet):
            say(console, line)
    if found.difference:
        raise SystemExit(DIFFERS)


def _lines(found: Checked, *, quiet: bool) -> list[str]:
    said = [found.difference.words] if found.difference else []
    if quiet:
        return said
    files = ", ".join(found.files)
    good = f"{files}: {found.numbers} numbers, all as in {found.record}"
    return [*(said or [good]), *found.remarks]


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
