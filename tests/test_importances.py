from __future__ import annotations

import sys

import numpy as np

from reports.analysis.importances import importances
from tests.test_regression import design


def test_the_choice_that_decides_who_is_best_is_the_most_important():
    of = design(4, 4, 4)
    means = 1.0 * (of.codes[:, 1] == 2) + np.random.default_rng(0).normal(0.0, 0.05, of.mixes)
    found = importances(of, means, "higher")
    assert found.axes[0][0] == "axis1"
    assert found.axes[0][1] > 0.6
    assert abs(sum(share for _, share in found.axes) - 1.0) < 1e-9
    assert (found.reason, found.mixes) == ("", 64)
    lowest = importances(of, -means, "lower")
    assert lowest.axes == found.axes


def test_what_they_cannot_be_computed_for_has_a_reason(monkeypatch):
    few = importances(design(2, 2), np.arange(4.0), "higher")
    assert (few.axes, few.reason) == ((), "fewer than 30 mixes")
    one = importances(design(30), np.arange(30.0), "higher")
    assert one.reason == "one choice only"
    monkeypatch.setitem(sys.modules, "optuna", None)
    missing = importances(design(6, 6), np.arange(36.0), "higher")
    assert missing.reason.startswith("Optuna can't be used here: ")
