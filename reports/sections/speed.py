"""Accuracy against cost: the plot, and the mixes that are compared in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reports.graphics.escaping import escape_markdown
from reports.graphics.families import Look, in_order
from reports.numbers.found import Found
from reports.numbers.goals import by_gain, scale
from reports.numbers.units import count, spoken, title
from reports.plot.cards import baselines
from reports.plot.compared import Compared, compared
from reports.plot.crowd import MOST
from reports.plot.drawing import Panel, Point, panel
from reports.plot.payload import payload
from reports.plot.plot import Plot, plot
from reports.sections.section import Given, Section

HEIGHT = 440  # pixels of the plot
SPARSE = 60  # mixes up to which every point has its bars and its words


@dataclass(frozen=True)
class Speed:
    """The plot with its words.

    Args:
        title: What it shows, as a claim.
        panel: What is drawn at first; None if there is nothing to draw.
        slot: The slot whose family colours the points.
        looks: How it is drawn: mix -> look.
        compared: The mixes that are compared at first.
        objectives: What the front is made of, in words.
        baselines: The zeros of the scale in words.
        by_gain: Why mixes are ranked by a gain; "" where they are not.
        crowd: What is counted instead of drawn, in a sentence; "" if nothing is.
        interval: What the vertical bars are; "" if there are none.
        across: What the horizontal bars are; "" if there are none.
        corner: Where mixes are better that lie up: left, or right where more of a cost is better.
        script: What the script needs.
        height: Of the plot, in pixels.
    """

    title: str
    panel: Panel | None
    slot: str
    looks: Mapping[str, Look]
    compared: Compared
    objectives: str
    baselines: str
    by_gain: str
    crowd: str
    interval: str
    across: str
    corner: str
    script: Mapping[str, object] = field(default_factory=dict)
    height: int = HEIGHT

    @property
    def legend(self) -> list[Look]:
        """The families, in the order of every legend."""
        return in_order(self.looks.values())

    @property
    def sparse(self) -> bool:
        """Whether there is room for the bars of every point."""
        return self.panel is not None and len(self.panel.points) <= SPARSE

    @property
    def worded(self) -> tuple[Point, ...]:
        """Points with bars and words of their own: all if there is room, or what stands out."""
        points = self.panel.points if self.panel else ()
        kept = [p for p in points if self.sparse or p.on_front or p.letter or p.below]
        return tuple(sorted(kept, key=lambda point: point.on_front))

    @property
    def wordless(self) -> tuple[tuple[Look, tuple[Point, ...]], ...]:
        """The other points, look by look."""
        rest = set(self.panel.points if self.panel else ()) - set(self.worded)
        ordered = sorted(rest, key=lambda point: (point.x, point.y))
        return tuple(
            (look, tuple(point for point in ordered if self.looks[point.mix] == look))
            for look in in_order(self.looks[point.mix] for point in ordered)
        )


def collect(given: Given) -> Speed:
    """Lay the plot out."""
    found = given.found
    shown = plot(found, given.said, MOST)
    drawn = shown.mixes[: shown.competing]
    return Speed(
        title=_title(found, shown),
        panel=panel(found, shown, shown.x, shown.y) if shown.x else None,
        slot=shown.slot,
        looks=dict(zip(drawn, shown.colours[shown.slot], strict=False)),
        compared=compared(found, shown, shown.pinned),
        objectives=" and ".join(spoken(title(name)) for name in found.objectives),
        baselines=baselines(found),
        by_gain=by_gain(found),
        crowd=_crowd(shown),
        interval=shown.measure(shown.y).spread if shown.y else "",
        across=shown.measure(shown.x).spread if shown.x else "",
        corner=_corner(shown),
        script=payload(found, shown),
    )


def _corner(shown: Plot) -> str:
    return "right" if shown.x and shown.measure(shown.x).better == "higher" else "left"


def markdown(shown: Speed) -> list[str]:
    """The figure beside the report, and the compared mixes as a table."""
    lines = ["## Accuracy against cost", ""]
    lines += ["![Accuracy against cost](figures/accuracy_vs_latency.png)", ""]
    if shown.baselines:
        lines += [f"Not shown: {escape_markdown(shown.baselines)}.", ""]
    return lines + _table(shown.compared)


def data(shown: Speed) -> Mapping[str, object]:
    """What the script needs."""
    return shown.script


def _table(shown: Compared) -> list[str]:
    """Mixes side by side; nothing where there are fewer than two."""
    if len(shown.heads) < 2:
        return []
    names = [escape_markdown(head.name) for head in shown.heads]
    lines = ["", *(f"| {' | '.join(cells)} |" for cells in (["", *names],))]
    lines.append("|---|" + "---:|" * len(names))
    for name, cells in shown.lines:
        texts = [
            escape_markdown(" ".join(filter(None, (cell.value, cell.spread, _bracket(cell.gap)))))
            for cell in cells
        ]
        lines.append(f"| {' | '.join([escape_markdown(name), *texts])} |")
    return [*lines, ""]


def _bracket(text: str) -> str:
    return f"[{text}]" if text else ""


def _crowd(shown: Plot) -> str:
    """What is counted, in a sentence."""
    crowd = shown.crowds.get((shown.x, shown.y))
    if crowd is None:
        return ""
    return (
        f"{crowd.total:,} mixes off the fronts are counted in squares (darker means more, the "
        f"darkest holds {crowd.most:,}); {count(shown.competing, 'mix')} on a front, of all mixes "
        "or of those with one level of a choice, are drawn one by one"
    )


def _title(found: Found, shown: Plot) -> str:
    if not shown.x:
        return "Accuracy against cost"
    members, cost, quality = list(found.letters), shown.x, shown.y
    if not members or {cost, quality} != set(found.objectives):
        return f"{shown.measure(quality).title} against {spoken(shown.measure(cost).title)}"
    total = count(int((~found.table["baseline"]).sum()), "mix")
    more = " of gain" if by_gain(found) else ""
    ends = [
        f"{scale(found, quality).text(found.number(mix, quality))}{more} at "
        f"{scale(found, cost).text(found.number(mix, cost))}"
        for mix in (members[0], members[-1])
    ]
    if len(members) == 1:
        return f"One of {total} is on the front: {ends[0]}"
    return f"{len(members)} of {total} are on the front, from {ends[0]} to {ends[1]}"


SECTION = Section("speed", collect, markdown, data)
