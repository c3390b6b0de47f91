"""What became of proposals, as a search sees it: read from the record, mix by mix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from ablate.composition.rows import PREDICTED
from ablate.costs.latency_rows import mode_name
from ablate.profiling.latency import REFERENCE, modes_of
from ablate.runs.context import Trial
from ablate.searches import Proposal, Seen
from ablate.study import Study
from reports.analysis.statistics import NORMAL_95
from reports.numbers.quality import GAINS
from reports.record import Reading

Status = Literal["done", "diverged", "failed", "partial"]
Numbers = dict[str, float]  # by metric

LATENCY = "latency"


class Row(NamedTuple):
    """A measurement; the ends of its interval are NaN where it has none."""

    metric: str
    value: float
    low: float
    high: float
    mode: str
    sitting: str

    @property
    def error(self) -> float:
        """Standard error, of an interval that holds 95 %; NaN without one."""
        return (self.high - self.low) / (2 * NORMAL_95)


Measured = Mapping[str, Sequence[Row]]  # by subject, in the order in which they were written


def measured(record: Reading) -> Measured:
    """All measurements of a record, by what they are of."""
    table, found = record.measurements(), dict[str, list[Row]]()
    columns = [table[name].tolist() for name in ("subject", *Row._fields)]
    for subject, *values in zip(*columns, strict=True):
        found.setdefault(subject, []).append(Row(*values))
    return found


@dataclass
class Costs:
    """What mixes cost, as far as it is known; where they were timed in sittings, by these.

    A batch of a search has a sitting of its own. Latencies of different sittings are compared as
    multiples of the reference network's, which stands in each, and given in seconds of the first.

    Args:
        study: Sizes and modes: costs are those of the first.
        predicted: Whether latency is the one that a model predicts.
        sittings: For each mix the sitting that timed it; for mixes without one the latest counts.
    """

    study: Study
    predicted: bool = False
    sittings: dict[str, str] = field(default_factory=dict)

    def of(self, mix: str, known: Measured) -> tuple[Numbers, Numbers]:
        """Value and standard error of each cost of a mix, by its key."""
        profile = self.study.profile
        counted = mode_name(profile.size[0], profile)
        rows = {row.metric: row for row in known.get(mix, ()) if row.mode in ("", counted)}
        rows |= {row.metric: row for row in known.get(mix, ()) if row.mode == self._timed}
        values = {name: row.value for name, row in rows.items()}
        errors = {name: row.error for name, row in rows.items() if not math.isnan(row.error)}
        if self.predicted and PREDICTED in values:
            values[LATENCY], errors[LATENCY] = values[PREDICTED], errors.get(PREDICTED, 0.0)
        elif mix in self.sittings:
            values.pop(LATENCY, None), errors.pop(LATENCY, None)
            timing = self._in_its_sitting(mix, known)
            values |= {LATENCY: timing[0]} if timing else {}
            errors |= {LATENCY: timing[1]} if timing and not math.isnan(timing[1]) else {}
        return values, errors

    @property
    def _timed(self) -> str:
        """The first size and mode."""
        profile = self.study.profile
        return mode_name(profile.size[0], profile, modes_of(profile)[0])

    def _in_its_sitting(self, mix: str, known: Measured) -> tuple[float, float] | None:
        """Latency and its standard error, in seconds of the first sitting; None where missing."""
        first = next(iter(self.sittings.values()))
        row = self._timing(known, mix, self.sittings[mix])
        here = self._timing(known, REFERENCE, self.sittings[mix])
        there = self._timing(known, REFERENCE, first)
        if row is None or here is None or there is None:
            return None
        scale = there.value / here.value
        return row.value * scale, row.error * scale

    def _timing(self, known: Measured, subject: str, sitting: str) -> Row | None:
        rows = (row for row in known.get(subject, ()) if row.metric == LATENCY)
        rows = (row for row in rows if row.sitting == sitting and row.mode == self._timed)
        return next(rows, None)


@dataclass(frozen=True)
class Sight:
    """Turns what the record holds of trials into rows for a search.

    Where the study asks about the task, mixes restore different inputs: their PSNR and SSIM stand
    here as gains over these, the only thing in which they compare.

    Args:
        study: What is asked.
        record: What was found.
        costs: What mixes cost.
    """

    study: Study
    record: Reading
    costs: Costs

    def of(self, proposals: Sequence[Proposal], trials: Sequence[Trial]) -> list[Seen]:
        """What became of a batch: nothing but the trials that it consists of counts.

        Args:
            proposals: Which mixes, and how far.
            trials: All their trials.
        """
        table, rested = self.record.trials(), set(self.record.partials()["key"])
        ended = dict(zip(table["key"], table["status"], strict=True))
        known, by_mix = measured(self.record), dict[str, list[Trial]]()
        for trial in trials:
            by_mix.setdefault(trial.mix.key, []).append(trial)
        return [
            self._row(proposal, by_mix[self.study.mix(proposal.point).key], ended, rested, known)
            for proposal in proposals
        ]

    def again(self, rows: Sequence[Seen]) -> list[Seen]:
        """The rows of whole trainings with the costs that are known now."""
        known, found = measured(self.record), []
        for row in rows:
            if row.status == "done":
                values, errors = self.costs.of(row.key, known)
                errors = {**row.errors, **errors}
                row = replace(row, values={**row.values, **values}, errors=errors)
            found.append(row)
        return found

    def _row(
        self,
        proposal: Proposal,
        trials: Sequence[Trial],
        ended: Mapping[str, str],
        rested: set[str],
        known: Measured,
    ) -> Seen:
        resting = [trial.row for trial in trials if trial.until and trial.row in rested]
        others = [ended.get(trial.key, "failed") for trial in trials if trial.row not in resting]
        status = _status(others, bool(resting))
        done = {t.seed: t.key for t in trials if ended.get(t.key) == "done"}
        counted = {t.seed: t.row for t in trials if t.row in resting} or done
        values, errors, scores = Numbers(), Numbers(), dict[str, dict[int, float]]()
        if status in ("done", "partial"):
            values, errors = self.costs.of(trials[0].mix.key, known)
            scores = _by_metric({s: self._scores(known.get(k, ())) for s, k in counted.items()})
            values |= self._means(scores)
        return Seen(
            point=proposal.point,
            key=trials[0].mix.key,
            status=status,
            values=values,
            rung=0 if status == "done" else proposal.until,
            n=sum(seed < self.study.seeds for seed in counted),
            errors=errors,
            scores=scores,
        )

    def _means(self, scores: Mapping[str, Mapping[int, float]]) -> Numbers:
        """Over the study's own seeds; what some mixes have beside these compares with nothing."""
        own = {
            name: [value for seed, value in by_seed.items() if seed < self.study.seeds]
            for name, by_seed in scores.items()
        }
        return {name: sum(values) / len(values) for name, values in own.items() if values}

    def _scores(self, rows: Sequence[Row]) -> Numbers:
        values = {row.metric: row.value for row in rows}
        asked = (q.place for q in self.study.questions if len(q.answers) > 1)
        if not any(place[0] == "task" for place in asked):
            return values
        both = [name for name in GAINS if name in values and f"input_{name}" in values]
        return values | {name: values[name] - values[f"input_{name}"] for name in both}


def _status(ended: Sequence[str], rests: bool) -> Status:
    """One word for a mix, as in the report: a diverged seed makes it a diverged one."""
    if "diverged" in ended:
        return "diverged"
    if rests:
        return "partial"
    return "done" if "done" in ended else "failed"


def _by_metric(scores: Mapping[int, Numbers]) -> dict[str, dict[int, float]]:
    """By metric and seed what stands by seed and metric."""
    found = dict[str, dict[int, float]]()
    for seed, values in scores.items():
        for name, value in values.items():
            found.setdefault(name, {})[seed] = value
    return found
