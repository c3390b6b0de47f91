"""Accuracy against cost: the plot, and the mix that is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reports.answer import by_gain, quality_metric, scale
from reports.cards import baselines, mix_cards, picked
from reports.escaping import escape_markdown
from reports.found import Found
from reports.sections.scatter import Scatter, scatter, slot_of_strongest
from reports.sections.section import Given, Section
from reports.units import count, spoken, title

HEIGHT = 440  # pixels of the plot


@dataclass(frozen=True)
class Speed:
    """The plot with its words.

    Args:
        title: What it shows, as a claim.
        scatter: What is drawn.
        objectives: What the front is made of, in words.
        baselines: The zeros of the scale in words.
        by_gain: Why mixes are ranked by a gain; "" where they are not.
        picked: The card that is open at first.
        height: Of the plot, in pixels.
    """

    title: str
    scatter: Scatter
    objectives: str
    baselines: str
    by_gain: str
    picked: Mapping[str, object]
    height: int = HEIGHT


def collect(given: Given) -> Speed:
    """Lay the plot out."""
    found = given.found
    drawn = scatter(found, slot_of_strongest(found))
    return Speed(
        title=_title(found, drawn),
        scatter=drawn,
        objectives=" and ".join(spoken(title(name)) for name in found.objectives),
        baselines=baselines(found),
        by_gain=by_gain(found),
        picked=picked(mix_cards(found), given.said.best or next(iter(found.letters), "")),
    )


def markdown(shown: Speed) -> list[str]:
    """The figure beside the report."""
    lines = ["## Accuracy against cost", ""]
    lines += ["![Accuracy against cost](figures/accuracy_vs_latency.png)", ""]
    if shown.baselines:
        lines += [f"Not shown: {escape_markdown(shown.baselines)}.", ""]
    return lines


def data(shown: Speed) -> Mapping[str, object]:
    """Which family fills which slot of which mix."""
    families = shown.scatter.families
    return {
        "families": {
            slot: {mix: each.slug for mix, each in of.items()} for slot, of in families.items()
        }
    }


def _title(found: Found, drawn: Scatter) -> str:
    if not drawn.panels:
        return "Accuracy against cost"
    members = list(found.letters)
    cost, quality = drawn.panels[0].metric, quality_metric(found)
    if not members or {cost, quality} != set(found.objectives):
        return f"{scale(found, quality).title} against {spoken(drawn.panels[0].title)}"
    total = count(int((~found.table["baseline"]).sum()), "mix")
    more = " of gain" if by_gain(found) else ""
    ends = [
        f"{scale(found, quality).text(found.number(mix, quality))}{more} at "
        f"{scale(found, cost).text(found.number(mix, cost))}"
        for mix in (members[0], members[-1])
    ]
    if len(members) == 1:
        return f"One of {total} beats all others: {ends[0]}"
    return f"{len(members)} of {total} are on the front, from {ends[0]} to {ends[1]}"


SECTION = Section("speed", collect, markdown, data)
