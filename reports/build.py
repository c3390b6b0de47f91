"""From a record to its report: HTML, Markdown, CSV, LaTeX and figures in one folder."""

from __future__ import annotations

import os
from pathlib import Path

from reports import tables
from reports.answer import answer, quality_effects, strongest
from reports.families import by_slot
from reports.figures import draw_curves, draw_effects, draw_scatter
from reports.found import Found
from reports.health import health
from reports.markdown import markdown
from reports.page import Parts, html
from reports.results import read
from reports.sections.choices import choices
from reports.sections.learning import learning
from reports.sections.method import method
from reports.sections.mixes import mixes
from reports.sections.pictures import pictures
from reports.sections.ranks import ranks
from reports.sections.rungs import rungs
from reports.sections.scatter import scatter
from reports.sections.stages import stages

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
    folder = Path(folder)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    question = parts.found.facts.get("question", "")
    _write(folder / "report.html", html(parts, list(FILES.items())[1:]))
    _write(folder / "report.md", markdown(parts))
    _write(folder / "results.csv", tables.csv(parts.found))
    _write(folder / "results.tex", tables.latex(parts.table, question))
    figures = {
        name: [folder / "figures" / f"{name}.{ending}" for ending in ("png", "svg")]
        for name in ("accuracy_vs_latency", "effects", "curves")
    }
    draw_scatter(parts.scatter, figures["accuracy_vs_latency"], question)
    draw_effects(parts.choices, figures["effects"])
    draw_curves(parts.learning, figures["curves"])
    return {name: folder / name for name in FILES}


def sections(record_path: Path | str) -> Parts:
    """Every section as plain data, nothing drawn yet."""
    found = read(record_path)
    said = answer(found)
    return Parts(
        found=found,
        said=said,
        health=health(found),
        scatter=scatter(found, slot_of_strongest(found)),
        table=mixes(found),
        choices=choices(found),
        learning=learning(found),
        strips=pictures(record_path, found, said),
        method=method(found),
        ranks=ranks(found),
        stages=stages(found),
        rungs=rungs(found),
    )


def slot_of_strongest(found: Found) -> str:
    """The slot that the choice which matters most fills; "" if it fills none."""
    axis = strongest(quality_effects(found))
    if not axis:
        return ""
    for slot, families in by_slot(found.stages).items():
        levels = found.levels[axis].dropna()
        pairs = {(level, families.get(str(mix))) for mix, level in levels.items()}
        if len(pairs) == len({level for level, _ in pairs}) > 1 < len({f for _, f in pairs}):
            return slot
    return ""


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a reader never sees half a page."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
