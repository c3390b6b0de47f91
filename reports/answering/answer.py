"""The question answered in two sentences, with numbers, and with as much doubt as is due."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reports.analysis.effects import Effects, effects_of
from reports.analysis.once import once
from reports.analysis.paired import Paired, beaten_by_best, paired
from reports.analysis.statistics import FEWEST_SEEDS
from reports.answering.claims import claims
from reports.answering.doubts import doubts
from reports.answering.states import nothing, so_far
from reports.answering.zeros import not_beaten
from reports.numbers.found import Found
from reports.numbers.goals import (
    begin,
    by_gain,
    cost_metric,
    higher_is_better,
    name,
    price,
    quality_metric,
    scale,
)
from reports.numbers.measured import cost_values, quality_values
from reports.numbers.rankings import not_separable
from reports.numbers.sittings import METRIC as LATENCY
from reports.numbers.units import Scale, count, percent, spoken

__all__ = [
    "Answer",
    "answer",
    "by_gain",
    "choice_costs",
    "cost_metric",
    "quality_effects",
    "quality_metric",
    "scale",
    "strongest",
]

WORTH = 0.95  # a mix that costs at least 5 % less is worth a word
NO_CLAIM = "no difference claimed"


@dataclass(frozen=True)
class Answer:
    """What the report says first.

    Args:
        sentence: The answer: what the choices do, and which mix is best, as far as can be claimed.
        choices: What further choices do; "" if there is nothing more to claim.
        doubts: Why to be careful, a sentence each.
        best: Key of the mix with the best mean; "" before any has finished.
        cheaper: Key of a cheaper mix on the front that can't be told from it; "" if there is none.
    """

    sentence: str
    choices: str = ""
    doubts: tuple[str, ...] = ()
    best: str = ""
    cheaper: str = ""


@dataclass(frozen=True)
class _Field:
    """All mixes that count, held against the best.

    Args:
        quality: What they are ranked by.
        mixes: Their keys.
        at: Where the best stands among them.
        gaps: Their differences to it, seed by seed.
    """

    quality: str
    mixes: tuple[str, ...]
    at: int
    gaps: Paired

    @property
    def best(self) -> str:
        """Key of the mix with the best mean."""
        return self.mixes[self.at]


def answer(found: Found) -> Answer:
    """The answer, whatever there is of it so far."""
    quality = quality_metric(found)
    ranked = found.ranked
    if quality not in ranked or ranked[quality].notna().sum() == 0:
        return Answer(nothing(found))
    field = _field(found, quality)
    cheaper = _cheaper(found, field)
    effects = quality_effects(found)
    said = claims(found, effects)
    text = " ".join(
        part
        for part in (not_beaten(found), said.sentence, f"{_best(found, field, cheaper)}.")
        if part
    )
    opening = so_far(found)
    return Answer(
        sentence=f"{opening}{_inside(text)}" if opening else text,
        choices=said.rest,
        doubts=doubts(found, effects),
        best=field.best,
        cheaper=cheaper,
    )


@once
def quality_effects(found: Found) -> Effects:
    """What each choice does to the quality."""
    return effects_of(quality_metric(found), quality_values(found))


@once
def choice_costs(found: Found, metric: str) -> Effects:
    """What each choice does to a cost."""
    return effects_of(metric, cost_values(found, metric))


def strongest(effects: Effects) -> str:
    """The axis whose levels differ most; "" if none can be estimated."""
    axes = dict.fromkeys(effect.axis for effect in effects.effects)
    return max(axes, key=effects.spread, default="")


def _field(found: Found, quality: str) -> _Field:
    known = found.ranked[quality].notna().to_numpy()
    ranked = found.ranked[known]
    means = ranked[quality].to_numpy(dtype=float)
    at = int(means.argmax() if higher_is_better(found, quality) else means.argmin())
    values = found.seeds(quality)[known].to_numpy(dtype=float)
    return _Field(quality, tuple(map(str, ranked.index.tolist())), at, paired(values, at))


def _cheaper(found: Found, field: _Field) -> str:
    """The cheapest mix of the front whose quality can't be told from the best's.

    It must be cheaper beyond doubt: by latency, separable from the best. Off the front there is
    always one by chance, among many mixes with few seeds.
    """
    cost, best = cost_metric(found), field.best
    if not cost or higher_is_better(found, cost) or math.isnan(found.number(best, cost)):
        return ""
    alike = (field.gaps.n >= FEWEST_SEEDS) & ~_apart(field.gaps)  # not for want of seeds
    costs = {
        key: found.number(key, cost)
        for key, same in zip(field.mixes, alike, strict=True)
        if same and key in found.letters and key != best
    }
    limit = WORTH * found.number(best, cost)
    costs = {key: value for key, value in costs.items() if value <= limit}
    tied = not_separable(found, best) if costs and cost == LATENCY else frozenset()
    costs = {key: value for key, value in costs.items() if key not in tied}
    return min(costs, key=lambda key: costs[key], default="")


def _apart(gaps: Paired) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whose interval of the difference leaves out 0."""
    return ~((gaps.low <= 0.0) & (gaps.high >= 0.0))


def _best(found: Found, field: _Field, cheaper: str) -> str:
    """Which mix is best, and which others would do as well or can't be told from it."""
    quality, best = field.quality, field.best
    shown, seeds = scale(found, quality), int(found.number(best, f"{quality}_n"))
    others = len(field.mixes) - 1
    called = begin(name(found, best)) if best in found.letters else f"The mix {name(found, best)}"
    if others:
        text = f"{called} has the best mean {spoken(shown.title)} of {count(others + 1, 'mix')}"
    else:
        text = f"{called} is the only mix with {_article(spoken(shown.title))}"
    text += f" ({by_gain(found)}): " if by_gain(found) else ": "
    text += shown.text(found.number(best, quality)) + _between(found, quality, best, shown, seeds)
    cost = cost_metric(found)
    if cost and not math.isnan(found.number(best, cost)):
        text += f" at {price(found, cost, best)}"
    return text + (_second(found, field, cheaper, shown) if others else "")


def _article(name: str) -> str:
    """A name with its article: a PSNR, an SSIM."""
    vowel = name[:1] in "aeio" or (name[1:2].isupper() and name[:1] in "AEFHILMNORSX")
    return f"{'an' if vowel else 'a'} {name}"


def _between(found: Found, quality: str, best: str, shown: Scale, seeds: int) -> str:
    """The interval of a mean, where there are seeds enough for one."""
    ends = (found.number(best, f"{quality}_{end}") for end in ("low", "high"))
    spread = shown.spread(*ends) if seeds >= FEWEST_SEEDS else ""
    return f" ({spread}, {count(seeds, 'seed')})" if spread else f" ({count(seeds, 'seed')})"


def _second(found: Found, field: _Field, cheaper: str, shown: Scale) -> str:
    """What else would do, or what can't be said."""
    gaps, others = field.gaps, np.arange(len(field.mixes)) != field.at
    if not gaps.claimable[others].any():
        seeds = int(gaps.n[others].max())
        few = f"with {count(seeds, 'seed')} to a mix" if seeds else "as it shares no seed with them"
        return f"; {few}, {NO_CLAIM} between {'the mixes' if seeds else 'it and the others'}"
    if cheaper:
        return _saved(found, field, cheaper, shown)
    ties = int((~beaten_by_best(gaps.p_value[others])).sum())
    if ties:
        among = f"the {others.sum()} others" if ties < others.sum() else "them"
        which = f"{ties} of {among}" if ties < others.sum() else count(ties, "other mix")
        return f"; {NO_CLAIM} between it and {which}"
    return "; it beats every other mix by more than the seeds differ"


def _saved(found: Found, field: _Field, cheaper: str, shown: Scale) -> str:
    cost, at = cost_metric(found), field.mixes.index(cheaper)
    shown_cost, spent = scale(found, cost), found.number(cheaper, cost)
    share = 1 - spent / found.number(field.best, cost)
    low, high = float(field.gaps.low[at]), float(field.gaps.high[at])
    return (
        f"; {name(found, cheaper)} is not distinguishable from it "
        f"({shown.signed(float(field.gaps.mean[at]))}, {shown.spread(low, high)}) and needs "
        f"{percent(share)} less {spoken(shown_cost.title)} ({shown_cost.text(spent)})"
    )


def _inside(text: str) -> str:
    """A sentence after a colon; names of mixes and the like keep their letters."""
    for word in ("As ", "At ", "For ", "Mix ", "No ", "The mix ", "With "):
        if text.startswith(word):
            return text[:1].lower() + text[1:]
    return text
