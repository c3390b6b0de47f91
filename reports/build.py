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
from reports.page import Parts, baselines, explained, html, table_intro
from reports.results import read
from reports.sections.choices import choices
from reports.sections.learning import learning
from reports.sections.method import method
from reports.sections.mixes import mixes
from reports.sections.pictures import pictures
from reports.sections.scatter import scatter

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


def markdown(parts: Parts) -> str:
    """The report in Markdown: the words, the table and links to the figures."""
    escape = tables.escape_markdown
    facts, method_ = parts.found.facts, parts.method
    lines = [f"# {escape(facts.get('question') or facts.get('study_name', 'Report'))}", ""]
    lines += [escape(parts.said.sentence), ""]
    lines += [escape(parts.said.choices), ""] if parts.said.choices else []
    lines += [f"- {escape(doubt)}" for doubt in parts.said.doubts]
    lines += ["", "## Health", ""]
    for finding in parts.health:
        lines.append(f"- {finding.level}: {escape(finding.text)}")
        lines += [f"  - {escape(detail)}" for detail in finding.details]
    lines += ["", "## Accuracy against cost", ""]
    lines += ["![Accuracy against cost](figures/accuracy_vs_latency.png)", ""]
    lines += [f"Not shown: {escape(baselines(parts.found))}.", ""] if baselines(parts.found) else []
    lines += [table_intro(parts.found), "", tables.markdown(parts.table)]
    lines += ["## What each choice does on average", ""]
    lines += ["![Mean effect of each choice](figures/effects.png)", ""]
    lines += _effects(parts)
    lines += ["## How they learned", "", "![Learning curves](figures/curves.png)", ""]
    lines += ["## How it was measured", ""]
    for name, unit, better, protocol, place in method_.protocols:
        words = [part for part in (unit, better, protocol, place) if part]
        lines.append(f"- {escape(name)}: {escape('; '.join(words))}")
    facts_lines = (*method_.facts, *method_.trials, *method_.notes)
    lines += [f"- {escape(name)}: {escape(text)}" for name, text in facts_lines]
    return "\n".join(lines) + "\n"


def _effects(parts: Parts) -> list[str]:
    shown, escape = parts.choices, tables.escape_markdown
    if not shown.axes:
        return ["Nothing to compare yet.", ""]
    lines = ["| Choice | Level | " + " | ".join(map(escape, shown.headings)) + " |"]
    lines += ["|---|---|" + "---:|" * len(shown.headings)]
    for axis, levels in shown.axes:
        for level in levels:
            cells = []
            for lane in level.lanes:
                doubt = "" if lane is None or lane.claimed else " (no difference claimed)"
                cells.append("–" if lane is None else lane.text + doubt)
            lines.append(f"| {escape(axis)} | {escape(level.name)} | {' | '.join(cells)} |")
    return [*lines, "", explained(shown), ""]


def _write(path: Path, text: str) -> None:
    """Whole or not at all: a reader never sees half a page."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
