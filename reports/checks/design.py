"""Whether a study can say what it is asked: seeds, choices that vary apart, a zero to beat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reports.analysis.design import Design
from reports.analysis.regression import Sum
from reports.analysis.seeds import effects_of_seeds
from reports.analysis.statistics import FEWEST_SEEDS
from reports.answering.doubts import sight
from reports.answering.zeros import BASELINE, INPUT, over_baseline, over_input
from reports.numbers.counts import seed_counts
from reports.numbers.finding import Finding
from reports.numbers.found import Found
from reports.numbers.goals import quality_metric, scale
from reports.numbers.units import count, percent, plain, spoken, title

BLIND = 0.5  # share of the pairs of mixes that differ by less than the study could have seen
NAMED = 12  # mixes that are named
WILD = 4.0  # times as much as the middle mix: chance alone does so once in 60,000 of three seeds


def few_seeds(found: Found) -> list[Finding]:
    """Too few seeds to claim a difference, or for most of the differences that there are."""
    seeds = seed_counts(found)
    if 0 < seeds.most < FEWEST_SEEDS:
        claim = "no difference between mixes is claimed"
        claim = "no spread can be shown" if seeds.most == 1 else claim
        return [Finding("note", f"{count(seeds.most, 'seed')} to a mix: {claim}.")]
    if 0 < seeds.middle < FEWEST_SEEDS:
        text = f"{count(seeds.middle, 'seed')} to most mixes: nothing is claimed of the choices."
        return [Finding("note", text)]
    seen = sight(found)
    if seen is None or seen.unseen <= BLIND:
        return []
    smallest = scale(found, quality_metric(found)).text(seen.smallest)
    text = f"Few seeds for what is asked: {percent(seen.unseen)} of all pairs of mixes differ by "
    text += f"less than the {smallest} that {seen.seeds} seeds tell apart in four of five cases."
    return [Finding("note", text)]


def confounded(found: Found) -> list[Finding]:
    """Choices that never vary apart, so that nobody can say which of them it was."""
    design = Design.of(found.levels.loc[found.ranked.index].dropna())
    if len(design.axes) < 2:
        return []
    twins = [(design.axes[a], design.axes[b]) for a, b in design.pairs if _alike(design, (a, b))]
    findings = [
        Finding(
            "bad",
            f"{plain(one)} and {plain(other)} never vary apart in the mixes that were trained: an "
            "effect of the one may be the other's.",
        )
        for one, other in twins
    ]
    known = {axis for pair in twins for axis in pair}
    apart = Sum(design).told_apart
    mixed = [a for a, told in zip(design.axes, apart, strict=True) if not told and a not in known]
    if mixed:
        names = ", ".join(map(plain, mixed))
        text = f"The mixes that were trained can't tell the effects of {names} from others."
        findings.append(Finding("note", text))
    return findings


def _alike(design: Design, pair: tuple[int, int]) -> bool:
    """Whether each level of one always goes with the same level of the other, both ways."""
    pairs = np.count_nonzero(np.bincount(design.cells[pair]))
    return all(design.sizes[axis] == pairs for axis in pair)


def baseline_not_beaten(found: Found) -> list[Finding]:
    """Mixes that are no better than their input, or than a network that does nothing."""
    checks = ((INPUT, over_input(found)), (BASELINE, over_baseline(found)))
    return [finding for what, gaps in checks for finding in _not_better(found, what, gaps)]


def _not_better(found: Found, what: str, gaps: Mapping[str, float]) -> list[Finding]:
    poor = sorted((mix for mix, gap in gaps.items() if gap <= 0.0), key=lambda mix: gaps[mix])
    if not poor:
        return []
    shown = scale(found, quality_metric(found))
    verb, own = ("is", what) if len(poor) == 1 else ("are", what.replace("its ", "their "))
    text = f"{len(poor)} of {count(len(gaps), 'mix')} {verb} no better than {own}."
    lines = [f"{found.label(mix)}: {shown.signed(gaps[mix])}" for mix in poor[:NAMED]]
    lines += [f"and {len(poor) - NAMED} more"] if len(poor) > NAMED else []
    return [Finding("bad", text, tuple(lines))]


def single(found: Found) -> list[Finding]:
    """One mix alone, or one objective: there is no trade to look at."""
    findings = []
    ranked = found.ranked
    if len(ranked) == 1 and len(found.table[~found.table["baseline"]]) == 1:
        findings.append(Finding("note", "One mix alone: there is nothing to compare it with."))
    if len(found.objectives) == 1 and len(ranked) > 1:
        name = spoken(title(found.objectives[0]))
        text = f"One objective, {name}: the front is the best mix alone."
        findings.append(Finding("note", text))
    return findings


def unlike_seeds(found: Found) -> list[Finding]:
    """Mixes whose seeds scatter far more than those of the others."""
    quality = quality_metric(found)
    if quality not in found.per_seed or len(found.ranked) < 4:
        return []
    values = found.seeds(quality).to_numpy(dtype=float)
    values = values - effects_of_seeds(values)
    n = (~np.isnan(values)).sum(axis=1)
    several = n >= FEWEST_SEEDS
    if several.sum() < 4:
        return []
    sd = np.nanstd(values[several], axis=1, ddof=1)
    middle = float(np.median(sd))
    keys = found.ranked.index[several]
    wild = list(map(str, keys[(sd > WILD * middle) & (middle > 0.0)]))
    if not wild:
        return []
    shown = scale(found, quality)
    lines = [
        f"{found.label(mix)}: {shown.text(float(sd[keys.get_loc(mix)]))}" for mix in wild[:NAMED]
    ]
    text = (
        f"{count(len(wild), 'mix')} scatter over {WILD:.0f} times as much from seed to seed as the "
        f"middle one ({shown.text(middle)}): take their means with care."
    )
    return [Finding("note", text.replace("1 mix scatter ", "1 mix scatters "), tuple(lines))]
