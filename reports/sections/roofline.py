"""Stages under the roofs of the machine: how fast each could be, and how near it came."""

from __future__ import annotations

from dataclasses import dataclass

from reports.graphics.axes import Axis, axis
from reports.graphics.escaping import escape_markdown as escape
from reports.graphics.families import Look, look, looks
from reports.graphics.lines import Curve, Mark, Plot, places, ticks_across, ticks_up
from reports.graphics.pipes import pipe_table
from reports.numbers.results import main_mode
from reports.numbers.roofs import Placed, mixes_placed, placed, roofs
from reports.numbers.units import count, percent
from reports.sections.section import Given, Section
from reports.sections.stages import MOST

GIGA = 1e9


@dataclass(frozen=True)
class Roofline:
    """The section.

    Args:
        plot: Rate over intensity, under the roofs.
        placed: The stages that are drawn.
        legend: Families that occur.
        roofs: The ceilings in words.
        mode: What was measured on.
        summary: Which limits occur, in words.
        left_out: Mixes that are not drawn.
    """

    plot: Plot
    placed: tuple[Placed, ...]
    legend: tuple[Look, ...]
    roofs: str
    mode: str
    summary: str
    left_out: int


def collect(given: Given) -> Roofline | None:
    """Every stage that was timed and counted, where the roofs were measured too."""
    found = given.found
    rows = found.measurements
    known = rows[rows["metric"] == "roof_share"]
    if known.empty:
        return None
    mode = main_mode(known)["roof_share"]
    ceilings = roofs(rows, mode)
    mixes = mixes_placed(found, known)
    order = {mix: at for at, mix in enumerate(mixes[:MOST])}
    stages = tuple(sorted(placed(found, mode, order), key=lambda one: order[one.mix]))
    if ceilings is None or not stages:
        return None
    return Roofline(
        plot=_plot(stages, *ceilings),
        placed=stages,
        legend=tuple(looks(one.family for one in stages)),
        roofs=f"{ceilings[0] / GIGA:,.1f} GB/s copied in main memory and {ceilings[1] / GIGA:,.1f} "
        "GFLOP/s in a product of two matrices",
        mode=mode.replace("x", "×"),
        summary=_summary(stages),
        left_out=max(len(mixes) - MOST, 0),
    )


def _plot(stages: tuple[Placed, ...], bandwidth: float, product: float) -> Plot:
    ridge = product / bandwidth
    across = axis([ridge, *(one.intensity for one in stages)], log=True, pad=0.08)
    up = axis([product / GIGA, *(one.rate / GIGA for one in stages)], log=True, pad=0.08)
    marks = tuple(_mark(one, across, up) for one in stages)
    return Plot(
        title="",
        xtitle="FLOP per byte, log scale",
        ytitle="GFLOP/s that a stage came to, log scale; the line is what the machine can do",
        xticks=ticks_across(across),
        yticks=ticks_up(up),
        curves=(_roof(bandwidth, product, across, up),),
        marks=marks,
        says=f"{len(stages)} stages under the roofs of the machine; the table has the numbers",
        height=300,
    )


def _roof(bandwidth: float, product: float, across: Axis, up: Axis) -> Curve:
    """What can be reached at each intensity: first bytes, then operations are the limit."""
    start = max(across.low, up.low * GIGA / bandwidth)  # where the slope comes into the field
    ridge = product / bandwidth
    corners = [x for x in (start, ridge, across.high) if start <= x]
    heights = [min(product, bandwidth * x) / GIGA for x in corners]
    return Curve("Roof", "roof", 0, places(corners, heights, across, up), dots=False)


def _mark(one: Placed, across: Axis, up: Axis) -> Mark:
    place = places([one.intensity], [one.rate / GIGA], across, up)[0]
    name = f"{one.letter or one.label}, {one.slot}"
    says = f"{name}: {one.rate / GIGA:.3g} GFLOP/s at {one.intensity:.3g} FLOP per byte"
    return Mark(look(one.family).slug, place, f"{says}; {one.limit}".rstrip("; "), one.mix)


def _summary(stages: tuple[Placed, ...]) -> str:
    """12 stages: 9 memory-bound, 3 compute-bound; the middle one is at 61 % of its roof."""
    kinds = [one.limit.partition(",")[0] for one in stages if one.limit]
    named = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    listed = ", ".join(f"{number} {kind}" for kind, number in named.items())
    middle = sorted(one.share for one in stages)[len(stages) // 2]
    head = f"{count(len(stages), 'stage')}: {listed}" if listed else count(len(stages), "stage")
    return f"{head}; the middle one is at {percent(middle)} of its roof."


def markdown(shown: Roofline) -> list[str]:
    """The stages with their places."""
    lines = [
        "## Under the roofs of the machine",
        "",
        escape(f"{shown.summary} Roofs: {shown.roofs}."),
    ]
    rows = []
    for one in shown.placed:
        rate = one.rate / GIGA
        numbers = (f"{one.intensity:.2f}", f"{rate:.1f}")
        rows.append([escape(one.name), escape(one.slot), *numbers, escape(one.limit)])
    heads = ["Mix", "Stage", "FLOP/byte", "GFLOP/s", "Limit"]
    lines += ["", *pipe_table(heads, "llrrl", rows), ""]
    if shown.left_out:
        lines += [f"{count(shown.left_out, 'further mix')} not listed; the record holds all.", ""]
    return lines


SECTION = Section("roofline", collect, markdown)
