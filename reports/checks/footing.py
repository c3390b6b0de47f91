"""On which footing the mixes of a run stand: whether sizes are compared, or blocks."""

from __future__ import annotations

import json
import math

import pandas as pd

from reports.numbers.found import Found
from reports.numbers.units import TIE, count, percent, spoken, title

ALIKE = 0.02  # costs within this part of their middle are the same
COSTS = ("macs", "params")


def footing(found: Found) -> str:
    """One sentence: what all mixes cost alike, or how much larger the largest is."""
    asked = found.facts.get("footing", "")
    return _asked(found, json.loads(asked)) if asked else _as_written(found)


def rates(found: Found) -> str:
    """One sentence on learning rates: one for all mixes, or the best of several; empty if unknown.

    Studies that vary the rate themselves say so on its axis.
    """
    facts = found.trial_facts
    tried = [str(text) for text in facts.loc[facts["name"] == "losses_of_rates", "value"]]
    if tried:
        number = max(text.count(":") for text in tried)
        return (
            f"Each trial trained at the best of {number} learning rates, given equal steps to "
            "try each."
        )
    if "rate" in found.levels or "rates" in found.levels:
        return ""
    training = found.facts.get("training", "")
    rate = json.loads(training).get("rate") if training.startswith("{") else None
    return f"All mixes trained at the one learning rate {rate:g}." if rate else ""


def at_the_edge(found: Found) -> tuple[str, ...]:
    """Mixes that chose the smallest or the largest rate in every trial: a wider list may be better.

    Each with its rate.
    """
    facts = found.trial_facts
    if facts.empty:
        return ()
    wide = facts[facts["name"].isin(["learning_rate", "losses_of_rates"])]
    wide = wide.pivot(index="trial", columns="name", values="value").dropna()
    if wide.shape[1] < 2:
        return ()
    owner = dict(zip(found.trials["key"], found.trials["mix"], strict=True))
    ends: dict[str, list[tuple[str, str]]] = {}
    pairs = zip(wide["learning_rate"], wide["losses_of_rates"], strict=True)
    for trial, (chosen, tried) in zip(wide.index, pairs, strict=True):
        end = _edge(str(chosen), str(tried))
        ends.setdefault(str(owner[trial]), []).append((end, str(chosen)))
    return tuple(
        f"{found.label(mix)}: {of_mix[0][1]}, the {of_mix[0][0]} tried"
        for mix, of_mix in ends.items()
        if of_mix[0][0] and len({end for end, _ in of_mix}) == 1
    )


def _edge(chosen: str, tried: str) -> str:
    """Whether a rate is the smallest or the largest of those tried: "" where it is neither."""
    rates = [float(part.partition(":")[0]) for part in tried.split(", ")]
    if math.isclose(float(chosen), min(rates)):
        return "smallest"
    return "largest" if math.isclose(float(chosen), max(rates)) else ""


def _asked(found: Found, asked: dict[str, object]) -> str:
    size = f" at {str(asked['size']).replace('x', '×')}" if asked["size"] else ""
    by = str(asked["by"]).replace("_", " ")
    predicted = " (predicted)" if asked["equal"] == "latency" else ""
    words = f"Equal footing: every mix has {asked['to']}{predicted}{size}, solved for by {by}"
    if "footing" not in found.table or found.table["footing"].isna().all():
        return f"{words}; the mismatch was not measured."
    off = found.table["footing"].dropna()
    worst = str(off.abs().idxmax())
    mismatch = f"{100 * off[worst]:+.1f}".replace("-", "−")
    return f"{words}; the largest mismatch is {mismatch}{TIE}% ({found.label(worst)})."


def _as_written(found: Found) -> str:
    """How the mixes differ in size, where nothing was made equal; empty where it is not known."""
    table = found.table[~found.table["baseline"].astype(bool)]
    known = [name for name in COSTS if name in table and table[name].notna().sum() > 1]
    if not known:
        return ""
    spreads = {name: _spread(table[name].dropna()) for name in known}
    alike = [name for name, spread in spreads.items() if spread <= 1 + 2 * ALIKE]
    words = [
        f"{spoken(title(name))} differ up to {spreads[name]:.2g}-fold"
        for name in known
        if name not in alike
    ]
    if not words:
        costs = " and ".join(spoken(title(name)) for name in alike)
        return f"Mixes came out alike in {costs}, within {percent(ALIKE)}."
    text = " and ".join(words)
    return f"Not on equal footing: {text[:1].upper()}{text[1:]}, so sizes are compared with blocks."


def _spread(values: pd.Series) -> float:
    least = float(values.min())
    return float(values.max()) / least if least > 0 else math.inf


def edge_words(edges: tuple[str, ...]) -> str:
    """What mixes at the edge of the rates mean."""
    them = "it" if len(edges) == 1 else "them"
    return (
        f"{count(len(edges), 'mix')} chose the smallest or the largest learning rate of those "
        f"tried in every trial: a wider list may serve {them} better."
    )
