"""A run in progress: trains what the strategy proposes, then times it all side by side."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.composition.rows import predicted_rows
from ablate.costs.counts import count_mix
from ablate.costs.footing_rows import footing_rows
from ablate.events import PhaseBegan, PhaseStep
from ablate.mix import Mix
from ablate.runs.context import Context, Trial
from ablate.runs.rows import mix_row
from ablate.runs.searching import Searching
from ablate.runs.timing import time_run
from ablate.runs.trainer import Trainer
from ablate.searches import Point
from reports.record import Record


class Runner:
    """A run in progress: everything it learns goes into the record at once."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.trainer = Trainer(context)
        self.mixes: dict[str, Mix] = {}
        self.labels: dict[str, str] = {}

    @property
    def failed_seconds(self) -> float:
        """What attempts at trials took that failed."""
        return self.trainer.failures.seconds

    def search(self, workers: int) -> None:
        """Train batch after batch of mixes until the strategy proposes no more."""
        Searching(self).run(workers)

    def enter(self, points: Sequence[Point]) -> None:
        """Put the mixes at some points into the record, with what can be counted of them."""
        study, record, listener = self.context.study, self.context.record, self.context.listener
        mixes = [(study.mix(point), study.label(point)) for point in points]
        self.mixes |= {mix.key: mix for mix, _ in mixes}
        self.labels |= {mix.key: label for mix, label in mixes}
        rows = [mix_row(study.mix(p), study.label(p), study.levels(p)) for p in points]
        record.add_mixes(rows)
        counted = _counted(record, self.context.device)
        new = [row for row in rows if row.key not in counted]
        listener(PhaseBegan("costs", len(new)))
        for done, row in enumerate(new, 1):
            self._count(self.mixes[row.key])
            listener(PhaseStep("costs", done, len(new)))

    def train(self, trials: Sequence[Trial], workers: int) -> None:
        """Train those of the trials that are not in the record; their mixes were entered.

        Raises:
            StudyStopped: They fail, and so would the others.
            KeyboardInterrupt, SystemExit: A signal asked for the end of the run.
        """
        self.trainer.train(trials, workers, len(self.mixes))

    def time(self) -> None:
        """Time all networks side by side, now that nothing trains on the device any more."""
        time_run(self.context, self.mixes, self.labels)

    def _count(self, mix: Mix) -> None:
        context = self.context
        measurements, notes = count_mix(mix, context.study.profile, context.device)
        predicted = predicted_rows(mix, context.limits, context.device) if context.limits else []
        footing = footing_rows(context.study, mix.key, mix.network, measurements)
        context.record.add_sitting([*measurements, *predicted, *footing], (), notes)


def _counted(record: Record, device: str) -> set[str]:
    """Mixes whose costs are known; those whose memory was found on another device are not."""
    measured = record.measurements()
    memory = measured[measured["metric"] == "peak_memory"]
    here = set(memory[memory["device"] == device]["subject"])
    elsewhere = set(memory["subject"]) - here
    return set(measured[measured["metric"] == "params"]["subject"]) - elsewhere
