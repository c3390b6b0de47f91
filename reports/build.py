"""From a record to its report: HTML, Markdown, CSV, LaTeX and figures in one folder."""

from __future__ import annotations

from pathlib import Path

from reports import swaps, tables
from reports.answering.answer import answer
from reports.checks.health import health
from reports.contents import contents
from reports.numbers.mixes import mixes
from reports.numbers.results import read
from reports.page.markdown import markdown
from reports.page.page import Parts, html
from reports.record.frames import uncollected
from reports.second_process import Alone, second
from reports.sections.section import Given
from reports.whole import write_whole

FILES = {
    "report.html": "this page",
    "report.md": "the same in Markdown",
    "results.csv": "all numbers, in raw units",
    "swaps.csv": "all swaps, in raw units",
    "results.tex": "the table for a paper (booktabs)",
    "figures/accuracy_vs_latency.png": "accuracy against cost",
    "figures/accuracy_vs_latency.svg": "the same, to scale",
    "figures/effects.png": "mean effect of each choice",
    "figures/effects.svg": "the same, to scale",
    "figures/curves.png": "learning curves",
    "figures/curves.svg": "the same, to scale",
}


def write_report(record_path: Path | str, folder: Path | str) -> dict[str, Path]:
    """Write everything there is to say about a run, finished or not.

    Args:
        record_path: The run's record.
        folder: Where the report goes; made if it is missing, older reports are replaced.

    Returns:
        Name in the report -> path of each file.

    Raises:
        RecordError: The record cannot be read.
    """
    folder = Path(folder)
    with uncollected(), second(record_path) as other:
        parts = sections(record_path, folder, other)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in _pages(parts).items():
            write_whole(folder / name, text)
        other.write_files(parts.found, folder)
    return {name: folder / name for name in FILES}


def report_texts(record_path: Path | str) -> dict[str, str]:
    """What `write_report` would write into each file of a report that is text.

    Raises:
        RecordError: The record cannot be read.
    """
    return texts(sections(record_path))


def texts(parts: Parts) -> dict[str, str]:
    """Name of each file of a report that is text -> what stands in it; the same every time."""
    return {**_pages(parts), "results.csv": tables.csv(parts.found)}


def sections(
    record_path: Path | str, folder: Path | None = None, other: Alone | None = None
) -> Parts:
    """Everything as plain data, nothing drawn yet.

    Args:
        record_path: The record.
        folder: Of the report, for a second process.
        other: A second process that takes a part of the work.
    """
    other = other or Alone()
    found = read(record_path, other.opened)
    if folder:
        other.give(found, folder)
    said, checked = answer(found), health(found)
    made = contents(Given(Path(record_path), found, said), other.budgets)
    return Parts(found=found, said=said, health=checked, sections=made)


def _pages(parts: Parts) -> dict[str, str]:
    """What is made for reading; what is left is `write_files`'s."""
    question = parts.found.facts.get("question", "")
    return {
        "report.html": html(parts, list(FILES.items())[1:]),
        "report.md": markdown(parts),
        "swaps.csv": swaps.csv(parts.found),
        "results.tex": tables.latex(mixes(parts.found), question),
    }
