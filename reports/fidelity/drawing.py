"""How a checkpoint's order agrees with the result, drawn over the training."""

from __future__ import annotations

from reports.analysis.fidelity import Agreement
from reports.fidelity.judging import Judged
from reports.fidelity.words import tau
from reports.graphics.axes import Axis, axis
from reports.graphics.lines import Curve, Plot, places, spans, ticks_across, ticks_up

YTITLE = "Kendall's tau between the order at a checkpoint and the result; bars: 95 %, all mixes"


def drawing(judges: Judged) -> Plot:
    """Tau with its interval over the training, a line for each band of accuracy."""
    points = judges.checkpoints
    known = all(one.step for one in points)
    xs = [float(one.step) if known else 100 * one.part for one in points]
    across = axis([0.0, *xs], ticks=4, pad=0.0)
    taus = [found.tau for one in points for found in one.bands.values()]
    lows = [one.bands["all"].low for one in points if "all" in one.bands]
    up = axis([min([0.0, *taus, *(low for low in lows if low == low)]), 1.0], ticks=5, pad=0.0)
    curves = []
    for at, name in enumerate(judges.bands):
        there = [
            (x, one.bands[name]) for x, one in zip(xs, points, strict=True) if name in one.bands
        ]
        curves.append(_curve(at, name, there, across, up))
    return Plot(
        title="",
        xtitle="Step" if known else "Part of the training, %",
        ytitle=YTITLE,
        xticks=ticks_across(across),
        yticks=ticks_up(up),
        curves=tuple(curves),
        says=f"Kendall's tau over the training. {' '.join(curve.says for curve in curves)}",
        height=200,
    )


def _curve(
    at: int, name: str, there: list[tuple[float, Agreement]], across: Axis, up: Axis
) -> Curve:
    """One band; only the first has bars, which would hide one another."""
    sure = [(x, f) for x, f in there if f.low == f.low and not at]
    ends = ([x for x, _ in sure], [f.low for _, f in sure], [f.high for _, f in sure])
    return Curve(
        name=name,
        slug=f"band{at}",
        dash=at,
        points=places([x for x, _ in there], [f.tau for _, f in there], across, up),
        spans=spans(*ends, across, up),
        says=f"{name}: {', '.join(tau(f) for _, f in there)}.",
    )
