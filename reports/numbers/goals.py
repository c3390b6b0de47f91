"""What mixes are ranked by, what they cost, and how they are called."""

from __future__ import annotations

import re

from reports.numbers.found import Found
from reports.numbers.quality import comparable, several_tasks
from reports.numbers.units import Scale, plain, spoken

MEASURED = ("s", "J")  # units of what is never exact; other costs without intervals are counts
LONGEST = 90  # letters of a label in a sentence


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


def higher_is_better(found: Found, metric: str) -> bool:
    """Of an accuracy or a cost."""
    return found.metrics[metric].better != "lower"


def scale(found: Found, metric: str) -> Scale:
    """How a metric of the table is shown."""
    return found.scales[metric]


def name(found: Found, mix: str, longest: int = LONGEST) -> str:
    """A mix as a sentence calls it: its letter on the front, and as much of its label as fits."""
    label, letter = found.label(mix), found.letters.get(mix, "")
    short = label if len(label) <= longest else label[: longest - 1].rstrip() + "…"
    return f"mix {letter} ({short})" if letter else short


def price(found: Found, cost: str, mix: str) -> str:
    """A mix's cost in a sentence: 9.1 ms, but 4.2 G MACs, and a throughput of 120."""
    shown = scale(found, cost)
    text = shown.text(found.number(mix, cost))
    if higher_is_better(found, cost):
        return f"a {spoken(shown.title)} of {text}"
    return text if cost == "latency" else f"{text} {spoken(shown.title)}"


def place(axis: str) -> str:
    """An axis as the place of a choice: stage2 -> at stage 2; stage2.depth, rate -> for rate."""
    slot, _, knob = axis.partition(".")
    numbered = re.fullmatch(r"(stage|decoder|group)_?(\d+)", slot)
    if not numbered and slot not in ("middle", "refinement"):
        return f"for {plain(axis)}"
    where = f"at {numbered[1]} {numbered[2]}" if numbered else f"at {slot}"
    return f"for {plain(knob)} {where}" if knob else where


def plain_place(axis: str) -> str:
    """An axis inside a sentence, without the word before it: stage 2, rate."""
    return place(axis).removeprefix("at ").removeprefix("for ")


def begin(text: str) -> str:
    """A sentence with its first letter in capitals."""
    return text[:1].upper() + text[1:]
