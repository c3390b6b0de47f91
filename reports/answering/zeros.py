"""Whether mixes are better than doing nothing: than their input, or than an empty network."""

from __future__ import annotations

from reports.numbers.found import Found
from reports.numbers.goals import higher_is_better, name, quality_metric, scale
from reports.numbers.units import spoken


def not_beaten(found: Found) -> str:
    """That no mix is better than doing nothing, in a sentence; "" where one is, or nobody knows."""
    for what, gaps in ((INPUT, over_input(found)), (BASELINE, over_baseline(found))):
        if gaps and max(gaps.values()) <= 0.0:
            best = max(gaps, key=lambda mix: gaps[mix])
            shown = scale(found, quality_metric(found))
            return (
                f"No mix is better than {what}: the best, {name(found, best)}, lacks "
                f"{shown.text(-gaps[best])} of {spoken(shown.title)}."
            )
    return ""


INPUT = "its input"
BASELINE = "the network that does nothing"


def over_input(found: Found) -> dict[str, float]:
    """Of each mix that counts, by how much its mean is better than its degraded input."""
    quality, table = quality_metric(found), found.ranked
    if quality in ("gain", "ssim_gain"):
        gaps = table[quality]
    elif f"input_{quality}" in table:
        gaps = table[quality] - table[f"input_{quality}"]
    else:
        return {}
    sign = 1.0 if higher_is_better(found, quality) else -1.0
    known = sign * gaps.dropna()
    return dict(zip(map(str, known.index.tolist()), known.tolist(), strict=True))


def over_baseline(found: Found) -> dict[str, float]:
    """Of each mix that counts, by how much it is better than the best network that does nothing."""
    quality = quality_metric(found)
    baselines = found.table[found.table["baseline"]]
    baselines = baselines[baselines["status"].isin(["done", "partial"])]
    if quality not in baselines or baselines[quality].isna().all():
        return {}
    sign = 1.0 if higher_is_better(found, quality) else -1.0
    zero, known = float((sign * baselines[quality]).max()), found.ranked[quality].dropna()
    return {str(mix): sign * float(value) - zero for mix, value in known.items()}
