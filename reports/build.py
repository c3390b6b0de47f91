"""From a record to its report: HTML, Markdown, CSV, LaTeX and figures in one folder."""

from __future__ import annotations

import os
from pathlib import Path

from reports import tables
from reports.answer import answer
from reports.contents import contents
from reports.figures import draw_curves, draw_effects, draw_scatter
from reports.health import health
from reports.markdown import markdown
from reports.page import Parts, html
from reports.results import read
from reports.sections.choices import choices
from reports.sections.learning import learning
from reports.sections.mixes import mixes
from reports.sections.scatter import scatter, slot_of_strongest
from reports.sections.section import Given

FILES = {
    "report.html": "this page",
    "report.md": "the same in Markdown",
    "results.csv": "all numbers, in raw units",
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
    parts = sections(record_path)
    found = parts.found
    folder = Path(folder)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    question = found.facts.get("question", "")
    _write(folder / "report.html", html(parts, list(FILES.items())[1:]))
    _write(folder / "report.md", markdown(parts))
    _write(folder / "results.csv", tables.csv(found))
    _write(folder / "results.tex", tables.latex(mixes(found), question))
    figures = {
        name: [folder / "figures" / f"{name}.{ending}" for ending in ("png", "svg")]
        for name in ("accuracy_vs_latency", "effects", "curves")
    }
    draw_scatter(scatter(found, slot_of_strongest(found)), figures["accuracy_vs_latency"], question)
    draw_effects(choices(found), figures["effects"])
    draw_curves(learning(found), figures["curves"])
    return {name: folder / name for name in FILES}


def sections(record_path: Path | str) -> Parts:
    """Everything as plain data, nothing drawn yet."""
    found = read(record_path)
    said = answer(found)
    made = contents(Given(Path(record_path), found, said))
    return Parts(found=found, said=said, health=health(found), sections=made)


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a reader never sees half a page."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
