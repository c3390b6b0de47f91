"""The files of a report, and what a record makes of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from reports import build
from reports.build import report_texts
from reports.verifying.copies import Compared, Copy, Stated, VerifyError, compared
from reports.verifying.differing import Difference

FILES = ("report.html", "report.md", "results.csv", "swaps.csv", "results.tex")
HEADINGS = {"mix": "results.csv", "axis": "swaps.csv"}  # the first of each
HASH = re.compile(r"\b[0-9a-f]{64}\b")
META = r'<meta name="{}" content="([^"]*)">'


def report_files(path: Path) -> dict[Path, str]:
    """Files to compare -> what each is called in a report that is made again; none in a folder.

    Raises:
        VerifyError: It is a file that no report has.
    """
    if path.is_dir():
        return {path / name: name for name in FILES if (path / name).is_file()}
    alike = [name for name in FILES if Path(name).suffix == path.suffix]
    if not alike:
        endings = ", ".join(dict.fromkeys(Path(name).suffix for name in FILES))
        raise VerifyError(f"{path}: not a file of a report that can be compared ({endings})")
    if path.suffix == ".csv" and path.name not in FILES:
        with path.open(encoding="utf-8", errors="replace") as file:
            heading = file.readline().strip().split(",")[0]
        alike.insert(0, HEADINGS.get(heading, alike[0]))
    return {path: path.name if path.name in FILES else alike[0]}


def missing(folder: Path) -> Difference | None:
    """The first file of a report that its page names and that does not lie beside it."""
    page = folder / "report.html"
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    for name in build.FILES:
        if f'href="{name}"' in text and not (folder / name).is_file():
            return Difference(name, "the page names it, and it is not there", None, None)
    return None


def compare_report(files: Mapping[Path, str], record: Path, now: str) -> Compared:
    """Hold the files of a report against a record.

    Args:
        files: As `report_files` finds them.
        record: The record.
        now: Its hash.
    """
    made = report_texts(record)
    copies = {
        name: Copy(file.name, file.read_text(encoding="utf-8"), made[name])
        for file, name in files.items()
    }
    return compared(tuple(copies.values()), _stated(copies, now), now)


def _stated(copies: Mapping[str, Copy], now: str) -> Stated:
    """The record and the code that a report says it was made of."""
    for name, copy in copies.items():
        if name == "report.html":
            found = [re.search(META.format(each), copy.theirs) for each in ("record", "generator")]
            return Stated(found[0][1] if found[0] else "", found[1][1] if found[1] else "")
        if now in (copy.ours or "") and (hashed := HASH.search(copy.theirs)):
            return Stated(hashed[0])
    return Stated()
