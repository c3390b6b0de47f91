"""The front: who is on it and how surely, and what each mix gains for what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.answering.answer import scale
from reports.graphics.escaping import escape_markdown as escape
from reports.graphics.pipes import beside, escaped, pipe_table
from reports.numbers.found import Found
from reports.numbers.named import Named
from reports.numbers.objectives import weighed
from reports.numbers.rates import frugal
from reports.numbers.units import count, percent
from reports.sections.section import Given, Section
from reports.wording.front import knees_of, sentences

SURE = 0.95
LIKELY = 0.05  # a mix off the front that is on it in so many draws is shown, too
MOST = 12  # mixes that are shown


@dataclass(frozen=True)
class Member(Named):
    """A mix on the front or near it.

    Args:
        objectives: Its values.
        probability: How often it is on the front when seeds and timings fall anew; "" if unknown.
        knee: In how many draws it is the knee; "" where in hardly any.
        rates: Gain for each unit of each cost: text and 95 % interval.
    """

    objectives: tuple[str, ...]
    probability: str
    knee: str
    rates: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Front:
    """The section.

    Args:
        title: As a claim.
        sentences: What can be said of the front as a whole.
        objectives: Headings.
        rates: Headings of the rates.
        members: The front, the cheapest first; then mixes that may belong to it.
        left_out: How many of these are not shown.
        zero: From where gains are counted; "" without rates.
        draws: How often seeds and timings were drawn again; 0 where they could not be.
    """

    title: str
    sentences: tuple[str, ...]
    objectives: tuple[str, ...]
    rates: tuple[str, ...]
    members: tuple[Member, ...]
    left_out: int
    zero: str
    draws: int

    @property
    def unlisted(self) -> str:
        """How many are not shown, and where they are; "" where all are."""
        if not self.left_out:
            return ""
        rest = f"{count(self.left_out, 'more mix')} on the front, or on it in {percent(LIKELY)} of "
        return f"{rest}the draws or more, left out; all are in results.csv."


def collect(given: Given) -> Front | None:
    """The front; None where fewer than two objectives were measured."""
    found = given.found
    mixes = weighed(found, found.objectives) if _has_two(found) else None
    if mixes is None or not found.letters:
        return None
    shown, left_out = _shown(found)
    words, rates = frugal(found, shown)
    knees = knees_of(found, mixes)
    return Front(
        title=_title(found),
        sentences=sentences(found, mixes, knees),
        objectives=tuple(scale(found, name).heading for name in found.objectives),
        rates=tuple(each.heading for each in rates),
        members=tuple(
            _member(found, key, knees.get(key, 0.0), tuple(each.texts[at] for each in rates))
            for at, key in enumerate(shown)
        ),
        left_out=left_out,
        zero=words,
        draws=len(mixes.redrawn.values) if mixes.redrawn else 0,
    )


def _has_two(found: Found) -> bool:
    known = [found.metrics[name].better for name in found.objectives if name in found.metrics]
    return len(known) == len(found.objectives) > 1 and "none" not in known


def _shown(found: Found) -> tuple[list[str], int]:
    """The front, then what is on it in some draws, the likeliest first; and how many are left."""
    others = found.ranked[~found.ranked["on_front"]]["front_probability"]
    likely = others[others >= LIKELY].sort_values(ascending=False, kind="stable")
    every = [*found.letters, *map(str, likely.index)]
    return every[:MOST], max(len(every) - MOST, 0)


def _member(found: Found, key: str, bends: float, rates: tuple[tuple[str, str], ...]) -> Member:
    chance = found.number(key, "front_probability")
    return Member(
        mix=key,
        letter=found.letters.get(key, ""),
        label=found.label(key),
        objectives=tuple(scale(found, n).number(found.number(key, n)) for n in found.objectives),
        probability="" if math.isnan(chance) else percent(chance),
        knee=percent(bends) if bends >= LIKELY else "",
        rates=rates,
    )


def _title(found: Found) -> str:
    members, among = len(found.letters), int((~found.table["baseline"]).sum())
    text = f"{members} of {count(among, 'mix')} {'is' if members == 1 else 'are'} on the front"
    chances = [found.number(key, "front_probability") for key in found.letters]
    if any(math.isnan(chance) for chance in chances):
        return text
    safe = sum(chance >= SURE for chance in chances)
    if safe == members:
        return f"{text}, {'surely' if members == 1 else 'all of them surely'}"
    if members == 1:
        return f"{text}, but not surely"
    return f"{text}, {safe if safe else 'none'} of them surely"


def markdown(shown: Front) -> list[str]:
    """What can be said of the front, and its mixes."""
    lines = [f"## {escape(shown.title)}", ""]
    lines += [escape(" ".join(shown.sentences)), ""] if shown.sentences else []
    lines += [escape(f"Gains are counted from {shown.zero}."), ""] if shown.zero else []
    heads = ["Mix", *shown.objectives, "On the front in", "Knee in", *shown.rates]
    rows = []
    for row in shown.members:
        rates = [beside(text, spread) for text, spread in row.rates]
        rows.append(escaped([row.name, *row.objectives, row.probability, row.knee, *rates]))
    table = pipe_table(escaped(heads), "l" + "r" * (len(heads) - 1), rows)
    return [*lines, *table, "", *([shown.unlisted, ""] if shown.unlisted else [])]


SECTION = Section("front", collect, markdown)
