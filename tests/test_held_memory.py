"""What trainings take of a GPU is measured where it can be, and forecast with a margin."""

from __future__ import annotations

from contextlib import closing

from ablate.runs.held_memory import MEASURED, memory_needs
from reports.record import Measurement, Metric, MixRow, Record, TrialRow


def test_a_mix_takes_what_its_trials_held_or_its_forecast_and_a_margin(tmp_path):
    with closing(Record.create(tmp_path / "r.sqlite", "s", "", "?", {}, ())) as record:
        record.define([Metric("training_memory", "byte", "lower", "")])
        record.add_mixes([MixRow(key, key, "{}") for key in ("measured", "forecast", "unknown")])
        steps = [Measurement(mix, "training_memory", 1000) for mix in ("measured", "forecast")]
        record.add_sitting(steps, (), ())
        for seed, held in enumerate(("700", "900", "800")):
            trial = TrialRow(f"t{seed}", "measured", seed, "done", facts={MEASURED: held})
            record.add_trial(trial)
        record.add_trial(TrialRow("t9", "unknown", 0, "done", facts={"worker": "cpu"}))
        assert memory_needs(record) == {"measured": 900, "forecast": 1500}
