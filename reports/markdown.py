"""The report in Markdown, for where no page can be shown."""

from __future__ import annotations

from reports import tables
from reports.page import Parts, baselines, explained, table_intro
from reports.sections.method import Method
from reports.sections.ranks import Ranks
from reports.sections.rungs import Rungs
from reports.sections.stages import Stages


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
    lines += _rungs(parts.rungs) + _ranks(parts.ranks) + _stages(parts.stages)
    lines += ["## What each choice does on average", ""]
    lines += ["![Mean effect of each choice](figures/effects.png)", ""]
    lines += _effects(parts)
    lines += ["## How they learned", "", "![Learning curves](figures/curves.png)", ""]
    lines += ["## How it was measured", ""]
    lines += _method(method_)
    facts_lines = (*method_.facts, *method_.trials, *method_.notes)
    lines += [f"- {escape(name)}: {escape(text)}" for name, text in facts_lines]
    return "\n".join(lines) + "\n"


def _method(shown: Method) -> list[str]:
    """How each measure was found, and what the machine was like meanwhile."""
    escape, lines = tables.escape_markdown, []
    for row in shown.protocols:
        spread = f"spread: {row.spread}"
        words = (row.unit, row.better, row.protocol, spread, row.modes, row.place)
        said = "; ".join(part for part in words if part)
        lines.append(f"- {escape(row.measure)}: {escape(said)}")
    for seen in shown.conditions:
        value = f"{seen.middle} {seen.unit} ({seen.ends}, {seen.rounds} rounds)"
        said = f"{escape(value)}; {escape(seen.meaning)}"
        lines.append(f"- While timing, {escape(seen.name)}: {said}")
    return lines


def _rungs(shown: Rungs) -> list[str]:
    """Where mixes rested, and which were left there."""
    if not shown.rungs:
        return []
    escape = tables.escape_markdown
    lines = ["## Left at a rung", "", escape(shown.sentence), ""]
    lines += ["| Step | Mixes | Went on | Order there and at the end |", "|---:|---:|---:|---|"]
    for rung in shown.rungs:
        lines.append(f"| {rung.step} | {rung.mixes} | {rung.went_on} | {escape(rung.agreement)} |")
    if shown.rows:
        lines += [
            "",
            f"| Mix | Stopped at | {escape(shown.heading)} | Seeds |",
            "|---|---:|---:|---:|",
        ]
        lines += [
            f"| {escape(row.label)} | step {row.step} | {row.quality} | {row.seeds} |"
            for row in shown.rows
        ]
    return [*lines, ""]


def _ranks(shown: tuple[Ranks, ...]) -> list[str]:
    """Who is faster than whom, in the main mode."""
    if not shown:
        return []
    first, escape = shown[0], tables.escape_markdown
    lines = ["## Which is faster", "", escape(f"{first.sentence} {first.basis}"), ""]
    lines += ["| Rank | Mix | Times the fastest | Remark |", "|---|---|---:|---|"]
    for row in first.rows:
        ratio = f"{row.ratio} ({row.interval})" if row.interval else row.ratio
        cells = (row.ranks, f"{row.letter} {row.label}".strip(), ratio, row.tied)
        lines.append("| " + " | ".join(map(escape, cells)) + " |")
    return [*lines, ""]


def _stages(shown: Stages) -> list[str]:
    """What each stage of each mix costs."""
    if not shown.rows:
        return []
    escape = tables.escape_markdown
    lines = ["## Where the cost lies", "", escape(shown.intro), ""]
    last = ["Limit"] if shown.roofline else []
    lines.append("| " + " | ".join(map(escape, ["Mix", "Stage", *shown.headings, *last])) + " |")
    lines.append("|---|---|" + "---:|" * len(shown.headings) + "---|" * len(last))
    for row in shown.rows:
        name = f"{row.letter} {row.label}".strip()
        for line in row.lines:
            cells = [name, line.slot, *line.cells, *([line.roofline] if last else [])]
            lines.append("| " + " | ".join(map(escape, cells)) + " |")
    return [*lines, ""]


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
