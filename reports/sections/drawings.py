"""The networks that are compared, each as a small picture of its stages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from reports.answering.answer import quality_metric
from reports.graphics.families import Look, looks
from reports.graphics.pipes import escaped, pipe_table
from reports.networks.compact import compact
from reports.networks.drawing import drawing, needed_lines
from reports.networks.drawn import Drawn
from reports.networks.filling import Filled, families_of_blocks, filled_stages
from reports.networks.layout import Network, layout, network
from reports.networks.picture import Drawing
from reports.numbers.found import Found
from reports.numbers.stages import by_stage
from reports.numbers.units import spoken, title
from reports.plot.cards import objectives
from reports.record import Reading
from reports.sections.section import Given, Section

MOST = 6  # networks that are drawn
MANY = 60  # mixes, of more only FEWER are drawn
FEWER = 4
OFFERED = 400  # networks that the page can draw when they are picked
SHARED = ("latency", "macs", "flops", "bytes_moved")  # what stages have shares of, first known


@dataclass(frozen=True)
class Drawings:
    """The section.

    Args:
        drawn: Networks on the page, in the order of the front.
        offered: These and more, for the script.
        basis: What the shares are of; "" where stages have none.
        timed: Whether the shares are of latency.
        placed: Whether channels and resolutions are known.
        legend: Families that occur in what is drawn.
    """

    drawn: tuple[Drawn, ...]
    offered: tuple[Drawn, ...]
    basis: str
    timed: bool
    placed: bool
    legend: tuple[Look, ...]


def collect(given: Given) -> Drawings | None:
    """Draw the networks worth comparing; None where no mix has stages."""
    found = given.found
    chosen = compared(found, given.said.best, given.said.cheaper)
    offered = list(dict.fromkeys([*chosen, *_ranking(found)]))[:OFFERED]
    filled, networks = _stages(given, offered)
    offered = [mix for mix in offered if filled.get(mix)]
    if not offered:
        return None
    basis, shares = _shares(found, offered, chosen)
    of = spoken(title(basis)) if basis else "cost"
    lines = _lines(filled, networks, offered)
    made = []
    for mix in offered:
        picture = drawing(networks[mix], filled[mix], shares.get(mix), lines=lines, of=of)
        made.append(_drawn(found, mix, picture, filled[mix]))
    drawn = [each for each in made if each.mix in chosen]
    return Drawings(
        drawn=tuple(drawn),
        offered=tuple(made),
        basis=of if basis else "",
        timed=basis == "latency",
        placed=any(each.picture.notes or " ch" in each.picture.boxes[0].name for each in drawn),
        legend=tuple(looks(family for each in drawn for family in each.families)),
    )


def compared(found: Found, best: str, cheaper: str) -> list[str]:
    """The front, thinned out evenly where it is long, but with the mixes that the answer names.

    Before there is a front: the best so far, or the first.
    """
    front = list(found.letters)
    if not front:
        return _ranking(found)[:MOST]
    named = [mix for mix in (best, cheaper) if mix]
    most = MOST if len(found.table) <= MANY else FEWER
    room = max(most - len([mix for mix in named if mix in front]), 2)
    others = [mix for mix in front if mix not in named]
    if len(others) > room:
        last = len(others) - 1
        others = [others[round(at * last / (room - 1))] for at in range(room)]
    kept = {*named, *others}
    return [*(mix for mix in front if mix in kept), *(mix for mix in named if mix not in front)]


def _ranking(found: Found) -> list[str]:
    """All mixes, the best first; what was not trained and baselines come last."""
    table, quality = found.table, quality_metric(found)
    order = found.ranked
    if quality in order:
        up = found.metrics[quality].better == "lower"
        order = order[[quality]].sort_values(quality, ascending=up, kind="stable")
    return list(dict.fromkeys(map(str, [*order.index.tolist(), *table.index.tolist()])))


def _stages(
    given: Given, mixes: Sequence[str]
) -> tuple[dict[str, tuple[Filled, ...]], dict[str, Network]]:
    """What fills each mix's stages, and what its specification says."""
    table = given.found.stages
    rows = table[table["mix"].isin(mixes)]
    families = families_of_blocks(
        rows[["blocks", "family"]].drop_duplicates().itertuples(index=False, name=None)
    )
    with Reading.open(given.record) as record:
        specs = record.specs(mixes)
    networks = {mix: network(specs.get(mix, "")) for mix in mixes}
    of_mix: dict[str, list[tuple[str, str, str, int]]] = {}
    stages = rows[["slot", "blocks", "family", "depth"]].itertuples(index=False, name=None)
    for mix, stage in zip(rows["mix"].tolist(), stages, strict=True):
        of_mix.setdefault(str(mix), []).append(stage)
    filled = {
        mix: filled_stages(own, networks[mix].blocks, families) for mix, own in of_mix.items()
    }
    return filled, networks


def _lines(
    filled: Mapping[str, tuple[Filled, ...]],
    networks: Mapping[str, Network],
    mixes: Sequence[str],
) -> int:
    """Lines of words that every box has room for, the same in all pictures."""
    needed = []
    for mix in mixes:
        own = {each.slot: each for each in filled[mix]}
        known = networks[mix]
        needed.append(needed_lines(layout(known.topology, known.options, list(own)), own))
    return max(needed)


def _shares(
    found: Found, mixes: Sequence[str], chosen: Sequence[str]
) -> tuple[str, dict[str, dict[str, float]]]:
    """What stages have shares of, "" if nothing, and mix -> slot -> share."""
    own = found.stages[found.stages["mix"].isin(mixes)]
    stages = zip(own["mix"], own["slot"], strict=True)
    subjects = {*(f"{mix}:{slot}" for mix, slot in stages), *(f"{mix}:rest" for mix in mixes)}
    rows = found.parts
    table = by_stage(replace(found, measurements=rows[rows["subject"].isin(subjects)]))
    ranked = {mix for mix in chosen if mix in found.ranked.index}
    for metric in SHARED:
        of = table[table["metric"] == metric]
        if ranked <= set(of["mix"]) and len(of):
            return metric, _of_total(of)
    return "", {}


def _of_total(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    totals = rows.groupby("mix", observed=True)["value"].transform("sum")
    shares: dict[str, dict[str, float]] = {}
    values = (rows["value"] / totals.where(totals > 0)).to_numpy(dtype=float).tolist()
    for mix, slot, share in zip(rows["mix"], rows["slot"], values, strict=True):
        if not math.isnan(share):
            shares.setdefault(str(mix), {})[str(slot)] = share
    return shares


def _drawn(found: Found, mix: str, picture: Drawing, filled: Sequence[Filled]) -> Drawn:
    return Drawn(
        mix=mix,
        label=found.label(mix),
        letter=found.letters.get(mix, ""),
        numbers=" · ".join(text for _, text in objectives(found, mix)),
        picture=picture,
        families=frozenset(family for each in filled for family in each.families),
    )


def markdown(shown: Drawings) -> list[str]:
    """A row for each stage of each network."""
    share = [f"Share of the {shown.basis}"] if shown.basis else []
    rows = []
    for each in shown.drawn:
        for box in each.picture.boxes:
            cells = [each.name, box.name, box.words, *([box.percent or "–"] if share else [])]
            rows.append(escaped(cells))
    table = pipe_table(["Mix", "Stage", "Blocks", *share], "lll" + "r" * len(share), rows)
    return ["## The networks", "", *table, ""]


def data(shown: Drawings) -> Mapping[str, object]:
    """What the script draws any network from: frames that many share, what fills a box, shares."""
    pictures = {each.mix: each.picture for each in shown.offered}
    return compact(pictures) | {"of": shown.basis}


SECTION = Section("drawings", collect, markdown, data)
