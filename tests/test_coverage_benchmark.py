"""Intervals hold a known truth as often as they say; few studies here, 1,000 in the benchmark."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.coverage import RESULTS, SCENARIOS, Scenario, coverage, main, tried, truth


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario("full", (3, 2, 2), 3, True),
        Scenario("full", (3, 2, 2), 3, False, favouring=True),
        Scenario("half", (3, 3, 2), 3, True),
        Scenario("searched", (4, 4, 4), 3, True),
    ],
    ids=lambda each: f"{each.name}-{'favouring' if each.favouring else 'interacting'}",
)
def test_intervals_hold_the_truth(scenario):
    found = coverage(scenario, 40)
    for kind in (found.effects, found.swaps):
        assert 0.87 <= kind.share <= 1.0


def test_a_truth_is_the_mean_over_every_combination():
    drawn = truth(Scenario("half", (3, 4, 2), 3, True), np.random.default_rng(0))
    for level, true in enumerate(drawn.mains[1]):
        rows = drawn.grid[:, 1] == level
        assert drawn.values[rows].mean() - drawn.values.mean() == pytest.approx(true)


def test_a_search_looks_more_often_where_it_is_good():
    scenario, rng = Scenario("searched", (4, 4, 4), 3, False), np.random.default_rng(1)
    drawn = truth(scenario, rng)
    rows = tried(scenario, drawn.grid, drawn.values[:, None], rng)
    assert len(set(rows.tolist())) == len(rows) == 48
    assert drawn.values[rows].mean() > drawn.values.mean()


def test_the_benchmark_writes_what_it_found(tmp_path, capsys):
    assert main(["--studies", "1", "--workers", "1", "--out", str(tmp_path / "found.json")]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found["scenarios"]) == len(SCENARIOS)
    assert "covered" in capsys.readouterr().err


def test_the_kept_results_are_within_two_percent_of_what_intervals_promise():
    kept = json.loads(RESULTS.read_text())
    assert kept["studies"] >= 1000
    for row in kept["scenarios"]:
        covered = row["covered"]
        assert covered["effects"] == pytest.approx(0.95, abs=0.02), row
        assert covered["swaps"] == pytest.approx(0.95, abs=0.02), row
        assert 0.93 <= covered["interactions"] <= 0.98, row  # wide where there are none to find


def test_the_kept_studies_without_any_effect_seldom_claim_one():
    for row in json.loads(RESULTS.read_text())["scenarios"]:
        claimed = row["studies_that_claim"]
        if not row["effects"]:
            assert claimed["a_swap"] <= 0.065, row  # 5 % are due; chance adds 1.4 % at most
        if not row["interacting"]:
            assert claimed["an_interaction"] <= 0.065, row
