"""Where the differences between trials come from, as rows: choices, interplay, seeds, chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

from reports.analysis.estimates import Values
from reports.analysis.importances import Importances, importances
from reports.analysis.interactions import interactions
from reports.analysis.variance import Shares, shares
from reports.graphics.escaping import escape_markdown as escape
from reports.graphics.pipes import escaped, pipe_table
from reports.numbers.units import count, percent, plain

LEAST = 0.0005  # shares below are nothing
MOST_PAIRS = 60  # pairs of choices up to which their part is told from that of more


@dataclass(frozen=True)
class Source:
    """One row.

    Args:
        name: A choice, or what else there is.
        share: Of the variance, 0 to 1.
        text: The same in words.
        by_chance: What a choice with so many levels would explain if it did nothing; "" without.
        importance: Its part in being among the best tenth, in words; "" without.
    """

    name: str
    share: float
    text: str
    by_chance: str
    importance: str


@dataclass(frozen=True)
class Sources:
    """The table.

    Args:
        rows: The choices by their share, then what is left.
        sentence: What the shares are of.
        importance: What the importances are, or why there are none; "" where none are due.
        ranked: Whether rows have importances.
    """

    rows: tuple[Source, ...]
    sentence: str
    importance: str
    ranked: bool


def sources(measured: Values, better: str) -> Sources | None:
    """Take the variance apart; None where there is none, or no choice can be told from another.

    Args:
        measured: What was measured.
        better: Whether "higher" or "lower" values are.
    """
    design = measured.model.design
    apart = design.complete and 0 < len(design.pairs) <= MOST_PAIRS
    found = shares(measured, interactions(measured) if apart else None)
    if found is None:
        return None
    judged = None if design.complete else importances(design, measured.means, better)
    by_axis = dict(judged.axes) if judged else {}
    rows = [
        Source(
            plain(each.name),
            each.share,
            in_percent(each.share),
            "" if math.isnan(each.by_chance) else in_percent(each.by_chance),
            percent(by_axis[each.name]) if each.name in by_axis else "",
        )
        for each in found.axes
    ]
    rows += [
        Source(name, value, in_percent(value), "", "")
        for name, value in _others(found)
        if value >= LEAST
    ]
    return Sources(tuple(rows), _sentence(found), _importance(judged), bool(by_axis))


def _others(found: Shares) -> list[tuple[str, float]]:
    apart = not math.isnan(found.pairs)
    more = "More choices together" if apart else "What does not add up (choices that interact)"
    if not found.complete and not found.repeated:
        more = "What does not add up (choices that interact, seeds, chance)"
    others = [
        ("Several choices alike", found.shared),
        ("Two choices together", found.pairs),
        (more, found.more),
        ("The seed, for all mixes alike", found.seeds),
        ("Chance", found.rest),
    ]
    return [(name, value) for name, value in others if not math.isnan(value)]


def _sentence(found: Shares) -> str:
    between = "trials" if found.repeated else "mixes"
    said = f"Shares of the variance between {between} (sums of squares)"
    if found.complete:
        return f"{said}; every combination was tried, so they add up to all of it."
    said = f"{said}; of a choice, what none of the others would explain as well."
    rest = (found.shared, found.pairs, found.more, found.seeds, found.rest)
    total = sum(each.share for each in found.axes) + sum(s for s in rest if not math.isnan(s))
    if total > 1.0 + LEAST:
        said += " They add up to more than all of it: choices that vary together hide each other."
    return said


def _importance(judged: Importances | None) -> str:
    if judged is None:
        return ""
    if judged.reason:
        return f"Optuna's importances are left out: {judged.reason}."
    return (
        "Importance is Optuna's (PED-ANOVA): how differently the best tenth of "
        f"{count(judged.mixes, 'mix')} are spread over the levels than all of them; it adds up to "
        f"{percent(1.0)} and has no direction and no interval."
    )


def in_percent(value: float) -> str:
    """A share of a variance, small ones with a decimal."""
    return percent(value) if value >= 0.095 or value < LEAST else f"{100 * value:.1f}\u00a0%"


def markdown(shown: Sources) -> list[str]:
    """The table, line by line."""
    last = ["For the best tenth"] if shown.ranked else []
    lines = ["### Where the differences come from", ""]
    rows = []
    for row in shown.rows:
        cells = [row.name, row.text, row.by_chance, *([row.importance] if last else [])]
        rows.append(escaped(cell or "–" for cell in cells))
    heads = ["Source", "Share", "By chance alone", *last]
    lines += pipe_table(heads, "lrr" + "r" * len(last), rows)
    said = " ".join(filter(None, (shown.sentence, shown.importance)))
    return [*lines, "", escape(said), ""]
