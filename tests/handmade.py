"""Records whose every number a test writes down itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reports.record import Measurement, Metric, MixRow, Record, StageRow, TrialRow

PSNR = Metric("psnr", "dB", "higher", "by hand")
LATENCY = Metric("latency", "s", "lower", "by hand")
PARAMS = Metric("params", "", "lower", "by hand")
METRICS = (PSNR, LATENCY, PARAMS)


@dataclass(frozen=True)
class Made:
    """A mix.

    levels: by axis. seeds: of each seed its quality, None where its trial was not scored, or how it
    ended. costs: a value, or (value, low, high).
    """

    label: str
    seeds: Mapping[int, float | str | None]
    levels: Mapping[str, str] = field(default_factory=dict)
    costs: Mapping[str, float | tuple[float, float, float]] = field(default_factory=dict)
    baseline: bool = False

    @property
    def key(self) -> str:
        return "mix " + self.label


def record(
    path: Path,
    mixes: Sequence[Made],
    *,
    metrics: Sequence[Metric] = METRICS,
    objectives: Sequence[str] = ("psnr", "latency"),
    facts: Mapping[str, str] | None = None,
) -> Path:
    """The quality is the first of the metrics."""
    with Record.create(path, "by hand", "", "Which?", dict(facts or {}), objectives) as made:
        made.define(metrics)
        made.add_mixes(
            MixRow(
                mix.key,
                mix.label,
                "{}",
                dict(mix.levels),
                (StageRow("stage1", mix.label, "cnn", 1),),
                mix.baseline,
            )
            for mix in mixes
        )
        for mix in mixes:
            _train(made, mix, metrics[0].name)
            costs = [_cost(mix.key, name, value) for name, value in mix.costs.items()]
            if costs:
                made.add_sitting(costs)
    return path


def milliseconds(value: float, width: float = 0.02) -> tuple[float, float, float]:
    """A latency whose interval reaches so far, as a share, to both sides."""
    return tuple(1e-3 * value * factor for factor in (1.0, 1.0 - width, 1.0 + width))


def _train(made: Record, mix: Made, quality: str) -> None:
    for seed, value in mix.seeds.items():
        key = f"{mix.key}-{seed}"
        if isinstance(value, str):
            made.add_trial(TrialRow(key, mix.key, seed, value, "so it was", 1.0))
            continue
        row = TrialRow(key, mix.key, seed, "done", "", 1.0)
        made.add_trial(row, [] if value is None else [Measurement(key, quality, value)])


def _cost(key: str, name: str, value: float | tuple[float, float, float]) -> Measurement:
    if isinstance(value, tuple):
        return Measurement(key, name, *value, 30, "64x64", sitting="s1")
    return Measurement(key, name, value)
