"""Ranks are given only where differences hold; otherwise things are called not separable."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from reports.analysis.ranking import compare, overlapping, places
from reports.analysis.statistics import t_quantile


def samples(times: dict[str, np.ndarray]) -> pd.DataFrame:
    """Rows from arrays (processes, rounds)."""
    return pd.DataFrame(
        [
            (subject, process, turn, value)
            for subject, table in times.items()
            for (process, turn), value in np.ndenumerate(table)
        ],
        columns=["subject", "process", "round", "value"],
    )


def noisy(rng: np.random.Generator, seconds: float, spread: float) -> np.ndarray:
    return seconds * np.exp(rng.normal(0, spread, (3, 20)))


def test_what_slows_all_alike_down_is_no_doubt():
    rng = np.random.default_rng(0)
    busy = np.exp(rng.normal(0, 1.0, (3, 20)))
    found = places(compare(samples({"a": 1.0 * busy, "b": 1.01 * busy, "c": 1.02 * busy})))
    assert [(place.subject, place.low, place.high) for place in found] == [
        ("a", 1, 1),
        ("b", 2, 2),
        ("c", 3, 3),
    ]
    assert [place.ratio for place in found] == pytest.approx([1.0, 1.01, 1.02])


def test_what_cannot_be_told_apart_shares_its_ranks():
    rng = np.random.default_rng(1)
    times = {"slow": noisy(rng, 2.0, 0.01)}
    times |= {name: noisy(rng, 1.0, 0.01) for name in ("a", "b")}
    found = {place.subject: place for place in places(compare(samples(times)))}
    assert {(found[name].low, found[name].high) for name in "ab"} == {(1, 2)}
    assert (found["a"].tied, found["b"].tied, found["slow"].tied) == (("b",), ("a",), ())
    assert (found["slow"].low, found["slow"].high) == (3, 3)
    assert found["slow"].ratio_low < 2.0 < found["slow"].ratio_high


def test_an_injected_slow_down_is_found():
    rng = np.random.default_rng(2)
    times = {f"m{at}": noisy(rng, 1.0, 0.005) for at in range(8)}
    times["m3"] *= 1.03
    found = places(compare(samples(times)))
    assert (found[-1].subject, found[-1].low, found[-1].high, found[-1].tied) == ("m3", 8, 8, ())


def test_the_interval_is_students_over_processes():
    gaps = np.array([0.0, 0.3, 0.6])  # of log time, in three processes
    times = {"a": np.exp(np.zeros((3, 4))), "b": np.exp(np.repeat(gaps[:, None], 4, 1))}
    compared = compare(samples(times))
    assert (compared.processes, compared.rounds) == (3, 12)
    half = t_quantile(0.975, 2) * gaps.std(ddof=1) / math.sqrt(3)
    assert compared.half == pytest.approx(np.array([[0, half], [half, 0]]))
    assert compared.ratio(1, 0) == pytest.approx(
        (math.exp(0.3), math.exp(0.3 - half), math.exp(0.3 + half))
    )


def test_true_ties_are_seldom_called_differences():
    rng = np.random.default_rng(3)
    wrong = pairs = 0
    for _ in range(60):
        drift = rng.normal(0, 0.007, (3, 1, 6))
        logs = drift + rng.normal(0, 0.01, (3, 20, 6))
        times = {f"m{at}": np.exp(logs[:, :, at]) for at in range(6)}
        slower = compare(samples(times)).slower
        wrong, pairs = wrong + int(slower.sum()), pairs + 15
    assert wrong / pairs < 0.09


def test_a_single_process_goes_by_its_rounds_and_a_single_round_says_nothing():
    rng = np.random.default_rng(4)
    one = {"a": noisy(rng, 1.0, 0.01)[:1], "b": noisy(rng, 1.1, 0.01)[:1]}
    assert [place.tied for place in places(compare(samples(one)))] == [(), ()]
    once = {name: table[:, :1] for name, table in one.items()}
    found = places(compare(samples(once)))
    assert [(place.low, place.high) for place in found] == [(1, 2), (1, 2)]
    assert math.isfinite(found[1].ratio) and math.isinf(found[1].ratio_high)


def test_mixes_that_are_one_network_are_tied_exactly():
    rng = np.random.default_rng(5)
    same = noisy(rng, 1.0, 0.01)
    found = places(compare(samples({"a": same, "b": same, "c": noisy(rng, 1.5, 0.01)})))
    assert found[0].tied == ("b",) and found[1].tied == ("a",)
    assert (found[1].ratio, found[1].ratio_low, found[1].ratio_high) == (1.0, 1.0, 1.0)


def test_rounds_that_lack_a_subject_are_left_out():
    times = {"a": np.ones((2, 4)), "b": np.full((2, 4), 2.0)}
    rows = samples(times)
    rows = rows.drop(rows.index[(rows["subject"] == "b") & (rows["round"] == 3)])
    assert compare(rows).rounds == 6
    with pytest.raises(ValueError, match="no round timed all subjects; got"):
        compare(rows[(rows["subject"] == "b") | (rows["round"] == 3)])
    with pytest.raises(ValueError, match="a time is not positive; got"):
        compare(samples({"a": np.zeros((1, 1))}))


def test_intervals_alone_separate_where_they_do_not_overlap():
    value, low = np.array([1.0, 1.1, 2.0, 1.0]), np.array([0.9, 1.0, 1.9, np.nan])
    found = overlapping(["a", "b", "c", "unknown"], value, low, np.array([1.1, 1.2, 2.1, np.nan]))
    ranks = {place.subject: (place.low, place.high) for place in found}
    assert ranks == {"a": (1, 3), "b": (1, 3), "unknown": (1, 4), "c": (3, 4)}
    slowest = next(place for place in found if place.subject == "c")
    assert slowest.ratio == pytest.approx(2.0)
    assert (slowest.ratio_low, slowest.ratio_high) == pytest.approx((1.9 / 1.1, 2.1 / 0.9))


def test_two_hundred_are_compared_at_once():
    rng = np.random.default_rng(6)
    times = {f"m{at}": noisy(rng, 1 + 0.05 * at, 0.005) for at in range(200)}
    found = places(compare(samples(times)))
    assert len(found) == 200
    assert all(place.low <= at <= place.high for at, place in enumerate(found, 1))
