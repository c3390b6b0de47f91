"""What is said of a run that cannot answer yet: nothing trained, all failed, a single mix."""

from __future__ import annotations

from reports.numbers.found import Found
from reports.numbers.goals import higher_is_better, name, price, quality_metric
from reports.numbers.units import count, spoken, title


def nothing(found: Found) -> str:
    """Why there is no accuracy to speak of, and what there is instead."""
    trials, quality = found.trials, quality_metric(found)
    if len(found.table) == 0:
        return "There is nothing in this run yet: no mix, no trial."
    if not trials.empty and (trials["status"] != "done").all():
        every = "The one trial" if len(trials) == 1 else f"All {count(len(trials), 'trial')}"
        return f"{every} {_how(found)}: there is nothing to compare."
    if not trials.empty and quality not in found.per_seed:
        done = count(len(trials), "trial")
        return f"{done} done, but without a {spoken(title(quality))}{_by_cost(found)}."
    if (trials["status"] == "done").any():
        return "No mix that counts has been trained to the end yet."
    return f"No mix has been trained to the end yet{_resting(found)}{_by_cost(found)}."


def so_far(found: Found) -> str:
    """How much of a run there is, where it is not all: "So far (5 of 12 mixes trained), "."""
    mixes = found.table[~found.table["baseline"]]
    waiting = int((mixes["status"] == "waiting").sum())
    if not waiting:
        return ""
    return f"So far ({len(mixes) - waiting} of {count(len(mixes), 'mix')} trained): "


def _how(found: Found) -> str:
    """How the trials ended."""
    statuses = set(found.trials["status"])
    if statuses == {"diverged"}:
        return "diverged"
    return "failed or diverged" if "diverged" in statuses else "failed"


def _resting(found: Found) -> str:
    resting = found.partials["mix"].nunique() if len(found.partials) else 0
    return f" ({count(resting, 'mix')} rested before its end)" if resting else ""


def _costs(found: Found) -> list[str]:
    """What mixes may be weighed by without a training, the objectives first."""
    names = dict.fromkeys((*found.objectives, *found.metrics))
    known = [name for name in names if name in found.metrics and name not in found.per_seed]
    return [name for name in known if found.metrics[name].better != "none"]


def _by_cost(found: Found) -> str:
    """Who is cheapest, where costs are all that is known."""
    mixes = found.table[~found.table["baseline"]]
    known = [name for name in _costs(found) if name in mixes and mixes[name].notna().any()]
    if not known or len(mixes) < 2:
        return ""
    cost = known[0]
    least = str(mixes[cost].idxmax() if higher_is_better(found, cost) else mixes[cost].idxmin())
    said = f"{name(found, least)} comes first ({price(found, cost, least)})"
    return f"; by {spoken(title(cost))} alone, {said}"
