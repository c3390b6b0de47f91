"""What can be said of a front as a whole: its knee, who is as good as it, how much it covers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from reports.analysis.knee import knee, knee_shares
from reports.analysis.pareto import near_front
from reports.analysis.seeds import scatter
from reports.analysis.statistics import Numbers, t_quantile
from reports.analysis.volume import covered
from reports.answering.answer import scale
from reports.graphics.axes import wants_log
from reports.numbers.counts import seed_counts
from reports.numbers.found import Found
from reports.numbers.objectives import Weighed, interval
from reports.numbers.units import count, percent, spoken

FEWEST = 3  # mixes of a front of which one can stand out


def sentences(found: Found, mixes: Weighed, knees: Mapping[str, float]) -> tuple[str, ...]:
    """Everything that can be said.

    Args:
        found: The numbers.
        mixes: Without baselines, by the objectives of the study.
        knees: From `knees_of`.
    """
    said = (knee_words(found, mixes, knees), equal_words(found, mixes), covered_words(mixes))
    return tuple(text for text in said if text)


def knee_words(found: Found, mixes: Weighed, knees: Mapping[str, float]) -> str:
    """Where the front bends, and whether it would do so again."""
    on = np.flatnonzero(mixes.on_front)
    if len(on) < FEWEST:
        return ""
    logs = _logs(found)
    names = [scale(found, n).title for n, log in zip(found.objectives, logs, strict=True) if log]
    scales = f" (with {' and '.join(map(spoken, names))} on a logarithmic scale)" if names else ""
    at = knee(_bent(found, mixes.points[on]), mixes.directions)
    if at is None:
        return f"The front has no knee{scales}: no mix on it stands out."
    key = mixes.mixes[int(on[at])]
    name = f"mix {found.letters[key]}" if key in found.letters else found.label(key)
    text = f"Its knee is {name}{scales}: beyond it, the next gain costs more than the last"
    return f"{text}; so in {percent(knees[key])} of the draws." if knees else f"{text}."


def knees_of(found: Found, mixes: Weighed) -> dict[str, float]:
    """In what share of the draws each mix is the knee; empty without draws."""
    if mixes.redrawn is None:
        return {}
    redrawn = mixes.redrawn.members
    shares = knee_shares(_bent(found, redrawn.values), mixes.directions, redrawn.on_front)
    ever = zip(redrawn.at.tolist(), shares.tolist(), strict=True)
    return dict.fromkeys(mixes.mixes, 0.0) | {mixes.mixes[at]: share for at, share in ever}


def equal_words(found: Found, mixes: Weighed) -> str:
    """Who is as good as the front, as far as seeds and timings tell."""
    margins = [margin(found, name) for name in found.objectives]
    if any(math.isnan(each) for each in margins) or not any(margins):
        return ""
    near = near_front(mixes.points, mixes.directions, margins)
    more = int((near & ~mixes.on_front).sum())
    words = " and ".join(
        scale(found, name).text(each)
        for name, each in zip(found.objectives, margins, strict=True)
        if each
    )
    if mixes.on_front.all():
        return ""
    if not more:
        return f"Every mix off it is beaten by more than seeds and timings err by ({words})."
    return (
        f"{count(more, 'other mix')} {'is' if more == 1 else 'are'} as good as the front, as far "
        f"as seeds and timings tell: no mix beats {'it' if more == 1 else 'them'} by {words}."
    )


def margin(found: Found, name: str) -> float:
    """What two mixes differ by through chance alone, in nineteen cases of twenty.

    Of accuracy from the scatter of all seeds; of a cost from the middle one of the intervals; 0
    where it is counted, NaN where chance can't be told.
    """
    if name in found.per_seed:
        values = found.seeds(name).to_numpy(dtype=float)
        sd, degrees = scatter(values)
        seeds = seed_counts(found, name).middle
        return t_quantile(0.975, degrees) * sd * math.sqrt(2.0 / seeds) if degrees else math.nan
    ends = interval(found.ranked, name)
    half = (ends["high"] - ends["low"]).to_numpy(dtype=float) / 2.0
    known = half[~np.isnan(half)]
    return math.sqrt(2.0) * float(np.median(known)) if len(known) else 0.0


def covered_words(mixes: Weighed) -> str:
    """How much the front covers, and how sure that is."""
    room = covered(
        mixes.points, mixes.directions, mixes.redrawn.members.values if mixes.redrawn else None
    )
    if math.isnan(room.value):
        return ""
    text = f"The front covers {percent(min(max(room.value, 0.0), 1.0))}"
    if not math.isnan(room.low):
        low, high = max(100 * room.low, 0.0), min(100 * room.high, 100.0)
        text += f" ({low:.0f} to {high:.0f} at {percent(0.95)})"
    return f"{text} of the room between the worst and the best of each objective (hypervolume)."


def _bent(found: Found, values: Numbers) -> Numbers:
    """Values on the scales on which they are drawn: (..., objectives)."""
    logs = np.array(_logs(found))
    bent: Numbers = np.where(logs, np.log(np.where(logs & (values > 0), values, 1.0)), values)
    return bent


def _logs(found: Found) -> list[bool]:
    """Which objectives are costs that stretch so far that they are drawn on a logarithmic scale."""
    columns = [found.ranked[name].dropna().tolist() for name in found.objectives]
    return [
        name not in found.per_seed and bool(column) and wants_log(column)
        for name, column in zip(found.objectives, columns, strict=True)
    ]
