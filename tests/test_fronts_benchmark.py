"""The benchmark of fronts judges what is said of made-up studies by their truth."""

from __future__ import annotations

import numpy as np

from benchmarks.fronts import Told, judge, ours, study, usual


def test_a_rule_is_judged_by_what_came_true():
    made = [study(3, np.random.default_rng(seed)) for seed in range(8)]
    for rule in (ours, usual):
        found = judge(rule, made)
        on = found["on the front"]
        assert isinstance(on, dict)
        assert sum(on["claims"]) == 8 * 24
        assert 0.0 <= on["brier"] < 0.1
        share = found["intervals of what the front covers that hold the truth"]
        assert isinstance(share, float)
        assert 0.5 <= share <= 1.0


def test_the_brier_score_is_the_mean_square_of_what_was_missed():
    told = Told(np.array([0.0, 0.5, 0.5, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    found = told.words()
    assert found["brier"] == 0.125
    assert found["said"] == [0.0, 0.5, 1.0]
    assert found["came true"] == [0.0, 0.5, 1.0]
    assert found["claims"] == [1, 2, 1]
