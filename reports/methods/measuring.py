"""How accuracy and costs were measured, with which doubt, and on which machine, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from reports.analysis.redrawing import DRAWS
from reports.analysis.statistics import FEWEST_SEEDS
from reports.methods.wording import Cited, Sentence
from reports.numbers.counts import seed_counts
from reports.numbers.found import Found
from reports.numbers.objectives import weighed
from reports.numbers.protocols import Protocol, protocols
from reports.numbers.units import percent, spoken, title

INPUT = "input_"  # what was there before any restoration
SSIM = "Wang et al. 2004"
MACHINE = (("cpu", "CPU"), ("gpu", "GPU"), ("cores", "cores"), ("memory", "memory"))
VERSIONS = (("torch", "PyTorch"), ("python", "Python"), ("numpy", "NumPy"), ("system", "system"))


def measuring(found: Found) -> list[Sentence]:
    """A sentence for each quality and each cost that has a direction."""
    rows = [row for row in protocols(found) if not row.metric.startswith(INPUT) and row.protocol]
    return [
        sentence
        for row in rows
        for sentence in _measure(row)
        if found.metrics[row.metric].better != "none"
    ]


def statistics(found: Found) -> list[Sentence]:
    """How intervals, claims and the front were made."""
    return [(text,) for text in how_sure(found)]


def how_sure(found: Found) -> Iterator[str]:
    """The same as plain sentences, for the page too."""
    seeds, level = seed_counts(found), percent(0.95)
    if seeds.most >= FEWEST_SEEDS:
        yield (
            f"Intervals of accuracy are {level} intervals of the mean by Student's t over "
            f"{seeds.of_intervals}; differences between mixes are paired by seed, with the "
            "scatter of all mixes, or their own where that is larger."
        )
        yield (
            "Where several differences are claimed at once, their error is held together by "
            "Holm's method, of the best mix against the others over every pair that may be equal; "
            "what can't be claimed is called not distinguishable."
        )
        if seeds.fewest < seeds.most:
            yield (
                "From means over fewer seeds than others have is taken what these seeds add for "
                "all mixes alike, by least squares; differences to them are over the seeds that "
                "both have."
            )
    elif seeds.most:
        yield f"With {seeds.words} to a mix no difference in accuracy is claimed."
    if found.letters:
        names = " and ".join(spoken(title(name)) for name in found.objectives)
        yield f"On the front are the mixes that no other beats in {names}, by their means."
    if found.table["front_probability"].notna().any():
        yield (
            f"Front probabilities come from {_draws(found)} draws: of what seeds add to the value "
            "of each mix, taken from the residuals of all mixes and seeds (stretched by the square "
            "root of values over degrees of freedom), and of costs within their intervals, the "
            "same for mixes that are the same network."
        )


def _draws(found: Found) -> int:
    """How many there were: of very many mixes fewer than else."""
    mixes = weighed(found, tuple(found.objectives))
    return len(mixes.redrawn.values) if mixes and mixes.redrawn else DRAWS


def where(found: Found) -> list[Sentence]:
    """Machine, versions and the record."""
    made = []
    for names, opening in ((MACHINE, "Machine:"), (VERSIONS, "Versions:")):
        told = [_fact(found, name, shown) for name, shown in names]
        told = [text for text in told if text]
        if told:
            made.append(f"{opening} {', '.join(told)}.")
    commit = found.facts.get("commit", found.facts.get("git_commit", ""))
    by = f" at commit {commit}" if commit else ""
    made.append(
        f"Everything was run by ablate{by}; the record of all trials has the SHA-256 "
        f"{found.record_hash}."
    )
    return [(text,) for text in made]


def _fact(found: Found, name: str, shown: str) -> str:
    for known in (name, f"machine.{name}", f"version.{name}"):
        text = found.facts.get(known, "")
        if text and not text.startswith("none"):
            return f"{text} {shown}" if shown in ("cores", "memory") else f"{shown} {text}"
    return ""


def _measure(row: Protocol) -> Iterator[Sentence]:
    unit = f" ({row.unit})" if row.unit else ""
    where = f"; on {row.place}" if row.place else ""
    sizes = f"; at {row.modes}" if row.modes else ""
    spread = f"; interval: {row.spread}" if not row.spread.startswith("none") else ""
    cited = (Cited("", f"metric {row.metric}"),) if SSIM in row.protocol else ()
    yield (f"{row.measure}{unit}: {row.protocol}", *cited, f"{sizes}{where}{spread}.")
