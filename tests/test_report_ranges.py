"""Costs of which a range was measured, and shares of a variance that overlap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reports.analysis.statistics import NORMAL_95
from reports.numbers.measured import cost_values, quality_values
from reports.numbers.mixes import mixes
from reports.numbers.objectives import interval
from reports.numbers.results import read
from reports.numbers.sources import sources
from reports.paper.best import best_of
from reports.paper.results_table import results_sheet
from reports.record import Metric
from tests.handmade import PSNR, Made, record

ENERGY = Metric("energy", "J", "lower")


def test_the_range_of_three_windows_is_widened_to_an_interval_of_their_median(tmp_path: Path):
    rng = np.random.default_rng(0)
    made, errors = [], []
    for at in range(400):
        windows = 5.0 + rng.normal(0, 0.1, 3)
        errors.append(float(np.median(windows)) - 5.0)
        energy = (float(np.median(windows)), float(windows.min()), float(windows.max()))
        made.append(Made(f"mix {at}", {0: 30.0}, {"stage1": str(at % 2)}, {"energy": energy}))
    one = read(
        record(tmp_path / "record", made, metrics=(PSNR, ENERGY), objectives=("psnr", "energy"))
    )
    found = interval(one.table, "energy")
    sigma = (found["high"] - found["low"]).to_numpy() / 2 / 1.96
    assert np.sqrt((sigma**2).mean()) == pytest.approx(np.std(errors), rel=0.1)
    assert one.table["energy_low"].iloc[0] == made[0].costs["energy"][1]  # the table has the range
    shown = cost_values(one, "energy").noise
    assert shown is not None and shown.scale == pytest.approx((sigma * 1.96 / NORMAL_95) ** 2)


def test_ranges_of_windows_that_hardly_miss_each_other_tell_nobody_apart(tmp_path: Path):
    energies = {"a": (1.0, 0.9, 1.1), "b": (1.25, 1.15, 1.35), "c": (9.0, 8.9, 9.1)}
    made = [
        Made(label, {0: 30.0 + at}, {"stage1": label}, {"energy": energies[label]})
        for at, label in enumerate("abc")
    ]
    one = read(
        record(tmp_path / "record", made, metrics=(PSNR, ENERGY), objectives=("psnr", "energy"))
    )
    best = best_of(one, "energy", [each.key for each in made])
    assert (best.mix, best.alike) == ("mix a", {"mix b"})
    caption = results_sheet(one, mixes(one)).caption
    assert caption.endswith("intervals of costs, of energy the range.")


def test_shares_that_add_up_to_more_than_all_say_so(tmp_path: Path):
    changed = ({}, {"one": "b"}, {"two": "b"}, {"three": "b"})
    made = [
        Made(
            f"mix {at}",
            {seed: 30.0 + 0.2 * bool(at) + 0.01 * ((at + seed) % 3) for seed in range(3)},
            {"one": "a", "two": "a", "three": "a", **levels},
        )
        for at, levels in enumerate(changed)
    ]
    shown = sources(quality_values(read(record(tmp_path / "record", made))), "higher")
    assert shown is not None
    assert sum(row.share for row in shown.rows) > 1.0
    assert " They add up to more than all of it: " in shown.sentence
