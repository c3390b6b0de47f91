"""A plan for people: its mixes as a table, its forecasts as sentences."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from ablate.console.tables import fitted
from ablate.console.words import duration
from ablate.runs.plan import Plan, PlannedMix

_TAKEN = ("inference", "training", "one trial")  # left out where there is no room, in this order


def plan_table(mixes: Sequence[PlannedMix], width: int) -> tuple[Table, tuple[str, ...]]:
    """What each mix takes; a column for latency and footing where there is one to show.

    Args:
        mixes: A row each.
        width: Columns of the terminal.

    Returns:
        The table, and the headings of what it has no room for.
    """
    predicted = any(mix.latency is not None for mix in mixes)
    level = any(mix.footing is not None for mix in mixes)
    headings = ["mix", "parameters", "GMACs", *_TAKEN]
    headings += ["latency"] * predicted + ["solved", "off"] * level
    rows = [_row(mix, predicted, level) for mix in mixes]
    return fitted(headings, rows, width, texts=("mix", "solved"), spare=_TAKEN)


def _row(mix: PlannedMix, predicted: bool, level: bool) -> list[str]:
    latency = "-" if mix.latency is None else f"{1e3 * mix.latency:.3g} ms"
    return [
        mix.label,
        _or_dash(mix.params, "{:,}"),
        _or_dash(mix.macs, "{:.3f}", 1e9),
        _or_dash(mix.peak_memory, "{:.0f} MiB", 2**20),
        _or_dash(mix.training_memory, "{:.0f} MiB", 2**20),
        "-" if mix.seconds is None else duration(mix.seconds),
        *([latency] if predicted else []),
        *(_footing_cells(mix) if level else []),
    ]


def plan_lines(planned: Plan) -> list[str]:
    """How many trials, of how many mixes, and what all of it takes."""
    trials = planned.total * planned.seeds
    lines = [f"{planned.total} mixes x {planned.seeds} seeds = {trials} trials"]
    if len(planned.mixes) < planned.total:
        lines[0] += f" ({len(planned.mixes)} of the mixes are shown)"
    if planned.size > planned.total:
        lines.append(f"out of {planned.size:,} possible mixes")
    if planned.different not in (None, planned.size):
        lines.append(f"{planned.size:,} points describe {planned.different:,} different mixes")
    lines += planned.design
    lines += [words for words in (planned.constraints, planned.footing) if words]
    if planned.training_seconds is not None and planned.latency_seconds is not None:
        training, latency = planned.training_seconds, planned.latency_seconds
        least = planned.least_training_seconds
        spent, about = duration(training), "about"
        if least is not None:  # rungs leave mixes behind
            spent, about = f"{duration(least)} to {spent}", "at most"
        lines.append(
            f"{about} {duration(training + latency)} in all: training {spent} with "
            f"{planned.workers} at a time, timing {duration(latency)} (forecast)"
        )
    lines += [f"not timed: {reason}" for reason in planned.not_timed]
    if planned.memory is not None:
        lines.append(f"about {planned.memory / 2**20:,.0f} MiB of memory for training (forecast)")
    return lines


def _footing_cells(mix: PlannedMix) -> list[str]:
    """Width and depth solved for, and how far the cost is from what all mixes are to have."""
    solved = {"width": mix.width, "blocks": mix.depth}
    sizes = [f"{name} {value}" for name, value in solved.items() if value is not None]
    off = "-" if mix.footing is None else f"{100 * mix.footing:+.1f} %"
    return [", ".join(sizes) or "-", off]


def _or_dash(value: int | None, form: str, unit: float = 1) -> str:
    return "-" if value is None else form.format(value / unit if unit != 1 else value)
