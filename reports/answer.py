"""The study's question answered in a sentence, with numbers, and with as much doubt as is due."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from reports.analysis.effects import Effect, Effects, cost_effects, seed_effects
from reports.analysis.statistics import FEWEST_SEEDS, Summary, holm, summarise
from reports.found import Found
from reports.quality import comparable, several_tasks
from reports.rankings import not_separable
from reports.sittings import METRIC as LATENCY
from reports.units import Scale, count, percent, plain, share, spoken

WORTH = 0.95  # a mix that costs at least 5 % less is worth a word
MEASURED = ("s", "J")  # units of what is never exact; other costs without intervals are counts
NO_CLAIM = "no difference claimed"


@dataclass(frozen=True)
class Answer:
    """What the report says first.

    Args:
        sentence: The answer.
        choices: What the choice that matters most does, in a sentence; "" if there is none.
        doubts: Why to be careful, a sentence each.
        best: Key of the mix with the best mean; "" before any has finished.
        cheaper: Key of a cheaper mix on the front that can't be told from it; "" if there is none.
    """

    sentence: str
    choices: str = ""
    doubts: tuple[str, ...] = ()
    best: str = ""
    cheaper: str = ""


def quality_metric(found: Found) -> str:
    """What mixes are ranked by: the first objective of trials; psnr (or its gain) if none is."""
    named = [name for name in found.objectives if name in found.per_seed]
    return named[0] if named else comparable("psnr", found.per_seed)


def by_gain(found: Found) -> str:
    """Why mixes are ranked by a gain, in a clause; "" where they are not."""
    quality = quality_metric(found)
    if quality not in ("gain", "ssim_gain") or not several_tasks(found.per_seed):
        return ""
    raw = "PSNR" if quality == "gain" else "SSIM"
    return f"mixes restored different inputs, so they are compared by gain, not by {raw}"


def cost_metric(found: Found) -> str:
    """What mixes cost: the first objective that was measured of them, or else any cost; or ""."""
    return found.cost_metrics[0] if found.cost_metrics else ""


def scale(found: Found, metric: str) -> Scale:
    """How a metric of the table is shown."""
    return found.scales[metric]


def answer(found: Found) -> Answer:
    """The answer, whatever there is of it so far."""
    quality = quality_metric(found)
    ranked = found.ranked
    if quality not in ranked or ranked[quality].notna().sum() == 0:
        return Answer("No mix has been trained to the end yet.")
    higher = found.metrics[quality].better != "lower"
    best = str(ranked[quality].idxmax() if higher else ranked[quality].idxmin())
    differences = {
        str(key): difference(found, quality, str(key), best)
        for key in ranked.index
        if key != best and found.number(str(key), f"{quality}_n") > 0
    }
    cheaper = _cheaper(found, best, differences)
    sentence = _best(found, quality, best, len(differences) + 1)
    sentence += _second(found, quality, best, cheaper, differences)
    return Answer(
        sentence=sentence,
        choices=_choices(found, quality),
        doubts=_doubts(found, quality),
        best=best,
        cheaper=cheaper,
    )


def difference(found: Found, metric: str, one: str, other: str) -> Summary:
    """One mix minus another, seed by seed."""
    values = found.per_seed[metric]
    gaps = values.loc[[one]].to_numpy(dtype=float) - values.loc[[other]].to_numpy(dtype=float)
    return summarise(gaps[0])


def quality_effects(found: Found) -> Effects:
    """What each choice does to the quality."""
    quality = quality_metric(found)
    usable = found.levels.loc[found.ranked.index]
    return seed_effects(quality, usable, found.per_seed.get(quality, pd.DataFrame()))


def choice_costs(found: Found, metric: str) -> Effects:
    """What each choice does to a cost."""
    table = found.table[~found.table["baseline"]]
    ends = table.reindex(columns=[metric, f"{metric}_low", f"{metric}_high"]).astype(float)
    return cost_effects(
        metric,
        found.levels.loc[table.index],
        ends[metric],
        ends[f"{metric}_low"],
        ends[f"{metric}_high"],
        exact=found.metrics[metric].unit not in MEASURED and not ends[f"{metric}_low"].count(),
    )


def strongest(effects: Effects) -> str:
    """The axis whose levels differ most; "" if none can be estimated."""
    axes = dict.fromkeys(effect.axis for effect in effects.effects)
    return max(axes, key=effects.spread, default="")


def name(found: Found, mix: str, longest: int = 90) -> str:
    """A mix as a sentence calls it: its letter on the front, and as much of its label as fits."""
    label, letter = found.label(mix), found.letters.get(mix, "")
    short = label if len(label) <= longest else label[: longest - 1].rstrip() + "…"
    return f"Mix {letter} ({short})" if letter else short


def _best(found: Found, quality: str, best: str, rivals: int) -> str:
    shown, seeds = scale(found, quality), int(found.number(best, f"{quality}_n"))
    text = f"{name(found, best)} has the best mean {spoken(shown.title)} of {count(rivals, 'mix')}"
    text += f" ({by_gain(found)}): " if by_gain(found) else ": "
    text += shown.text(found.number(best, quality))
    spread = shown.spread(
        found.number(best, f"{quality}_low"), found.number(best, f"{quality}_high")
    )
    if seeds >= FEWEST_SEEDS and spread:
        text += f" ({spread} at {percent(0.95)}, {count(seeds, 'seed')})"
    else:
        text += f" ({count(seeds, 'seed')})"
    if "gain" in found.table and quality == "psnr":
        gain = found.number(best, "gain")
        side = "above" if gain >= 0 else "below"
        text += f", {scale(found, 'gain').text(abs(gain))} {side} the degraded input"
    cost = cost_metric(found)
    if cost and not math.isnan(found.number(best, cost)):
        text += f", at {_cost(found, cost, best)}"
    return text


def _cost(found: Found, cost: str, mix: str) -> str:
    shown = scale(found, cost)
    text = shown.text(found.number(mix, cost))
    return text if cost == "latency" else f"{text} {shown.title}"


def _cheaper(found: Found, best: str, differences: dict[str, Summary]) -> str:
    """The cheapest mix of the front whose quality can't be told from the best's.

    It must be cheaper beyond doubt: by latency, separable from the best. Off the front there is
    always one by chance, among many mixes with few seeds.
    """
    cost = cost_metric(found)
    if not cost or math.isnan(found.number(best, cost)):
        return ""
    costs = {
        key: found.number(key, cost)
        for key, gap in differences.items()
        if key in found.letters and gap.n >= FEWEST_SEEDS and not gap.excludes_zero
    }
    limit = WORTH * found.number(best, cost)
    alike = not_separable(found, best) if cost == LATENCY else frozenset()
    costs = {key: value for key, value in costs.items() if value <= limit and key not in alike}
    return min(costs, key=lambda key: costs[key], default="")


def _second(
    found: Found, quality: str, best: str, cheaper: str, differences: dict[str, Summary]
) -> str:
    """The half of the sentence that says what else would do, or what can't be said."""
    if not differences:
        return "."
    shown = scale(found, quality)
    if max(gap.n for gap in differences.values()) < FEWEST_SEEDS:
        seeds = max(gap.n for gap in differences.values())
        return f"; with {count(seeds, 'seed')} to a mix, {NO_CLAIM} between the mixes."
    if cheaper:
        cost, gap = cost_metric(found), differences[cheaper]
        share = 1 - found.number(cheaper, cost) / found.number(best, cost)
        return (
            f"; {name(found, cheaper).replace('Mix', 'mix', 1)} needs {percent(share)} less "
            f"({_cost(found, cost, cheaper)}), with {NO_CLAIM} in "
            f"{spoken(shown.title)} ({shown.signed(gap.mean)}, {shown.spread(gap.low, gap.high)})."
        )
    ties = holm([gap.p_value for gap in differences.values()]).count(False)
    among = f" ({percent(0.95)} over all {len(differences)} comparisons, after Holm)"
    among = among if len(differences) > 1 else f" ({percent(0.95)})"
    if ties:
        return f"; {NO_CLAIM} between it and {count(ties, 'other mix')}{among}."
    return f"; it differs from every other mix by more than the seeds do{among}."


def _choices(found: Found, quality: str) -> str:
    """What the axis with the widest effects says."""
    effects = quality_effects(found)
    axis = strongest(effects)
    if not axis:
        return ""
    shown = scale(found, quality)
    members = sorted(effects.of(axis), key=lambda effect: effect.value)
    if found.metrics[quality].better == "lower":
        members.reverse()
    worst, best = members[0], members[-1]
    text = f"Of the choices, {plain(axis)} moves {spoken(shown.title)} most"
    if not (worst.claimed or best.claimed):
        return (
            f"{text} ({best.level} {shown.signed(best.value)} against its mean), "
            f"but {NO_CLAIM}: {_why_not(best)}."
        )
    return f"{text}: {_said(best, shown)}; {_said(worst, shown)}, against the mean of its levels."


def _said(effect: Effect, shown: Scale) -> str:
    if not effect.claimed:
        return f"{effect.level} {shown.signed(effect.value)} ({NO_CLAIM})"
    spread = shown.spread(effect.low, effect.high)
    return f"{effect.level} {shown.signed(effect.value)} ({spread})"


def _why_not(effect: Effect) -> str:
    if effect.n < FEWEST_SEEDS:
        return f"{count(effect.n, 'seed')} can't support one"
    return "the seeds differ as much"


def _doubts(found: Found, quality: str) -> tuple[str, ...]:
    doubts = []
    effects = quality_effects(found)
    if effects.explained < 0.8:
        doubts.append(
            "The choices interact: adding up their mean effects explains only "
            f"{share(effects.explained)} of the variance between mixes (adjusted R²), so read "
            "mixes, not means."
        )
    if effects.effects and not effects.complete:
        doubts.append(
            "Not every combination was tried; mean effects are fitted as a sum over the choices."
        )
    if found.per_seed[quality].shape[1] >= FEWEST_SEEDS and len(found.ranked) > 2:
        doubts.append(f"Intervals are {percent(0.95)} each, one comparison at a time.")
    return tuple(doubts)
