from __future__ import annotations

import math

import numpy as np
import pytest

from reports.analysis.statistics import (
    holm,
    incomplete_beta,
    resampled_means,
    summarise,
    t_probability,
    t_quantile,
)


@pytest.mark.parametrize(
    ("probability", "degrees", "value"),
    [  # Abramowitz and Stegun, table 26.10
        (0.975, 1, 12.706205),
        (0.975, 2, 4.302653),
        (0.975, 4, 2.776445),
        (0.975, 10, 2.228139),
        (0.975, 30, 2.042272),
        (0.95, 3, 2.353363),
        (0.995, 5, 4.032143),
        (0.75, 1, 1.0),
    ],
)
def test_t_quantiles_are_those_of_the_tables(probability, degrees, value):
    assert t_quantile(probability, degrees) == pytest.approx(value, abs=2e-6)
    assert t_quantile(1 - probability, degrees) == pytest.approx(-value, abs=2e-6)


def test_t_with_many_degrees_is_normal():
    assert t_quantile(0.975, 100_000) == pytest.approx(1.959964, abs=1e-4)


def test_t_with_one_degree_is_cauchy():
    for t in (-3.0, 0.0, 0.5, 40.0):
        assert t_probability(t, 1) == pytest.approx(0.5 + math.atan(t) / math.pi, abs=1e-12)


def test_incomplete_beta_of_whole_numbers_is_a_binomial_tail():
    a, b, x = 3, 4, 0.3
    n = a + b - 1
    tail = sum(math.comb(n, j) * x**j * (1 - x) ** (n - j) for j in range(a, n + 1))
    assert incomplete_beta(a, b, x) == pytest.approx(tail, abs=1e-12)
    assert (incomplete_beta(a, b, 0.0), incomplete_beta(a, b, 1.0)) == (0.0, 1.0)


def test_quantiles_outside_their_range_are_refused():
    with pytest.raises(ValueError, match=r"probability must be between 0 and 1; got 1\.0"):
        t_quantile(1.0, 3)
    with pytest.raises(ValueError, match="degrees of freedom must be at least 1; got 0"):
        t_quantile(0.9, 0)


def test_a_summary_is_mean_and_t_interval():
    summary = summarise([1.0, 2.0, 3.0, math.nan])
    assert (summary.mean, summary.sd, summary.n) == (2.0, 1.0, 3)
    assert summary.high - summary.mean == pytest.approx(4.302653 / math.sqrt(3), abs=1e-5)
    assert not summary.excludes_zero


def test_one_value_has_no_spread_and_none_has_no_mean():
    assert math.isnan(summarise([5.0]).sd)
    assert summarise([5.0]).mean == 5.0
    assert math.isnan(summarise([]).mean)


def test_p_values_are_those_of_the_t_test():
    assert summarise([1.0, 2.0, 3.0]).p_value == pytest.approx(0.0741799, abs=1e-6)  # t of 3.4641
    assert summarise([-1.0, -2.0, -3.0]).p_value == pytest.approx(0.0741799, abs=1e-6)
    assert summarise([2.0, 2.0, 2.0]).p_value == 0.0
    assert summarise([2.0, 2.1]).p_value == 1.0
    edge = t_quantile(0.975, 2) / math.sqrt(3)
    assert summarise([edge - 1, edge, edge + 1]).p_value == pytest.approx(0.05)


def test_holm_stops_at_the_first_comparison_that_fails():
    assert holm([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]  # Holm's own thresholds
    assert holm([0.04]) == [True]
    assert holm([0.04, 0.04]) == [False, False]
    assert holm([]) == []


def test_two_seeds_never_support_a_claim():
    assert not summarise([1.0, 1.0]).excludes_zero
    assert summarise([1.0, 1.0, 1.0]).excludes_zero


def test_seeds_are_drawn_the_same_for_every_mix():
    values = np.array([[1.0, 2.0, 4.0], [11.0, 12.0, 14.0]])
    draws = resampled_means(values, 50, np.random.default_rng(0))
    assert draws.shape == (50, 2)
    np.testing.assert_allclose(draws[:, 1] - draws[:, 0], 10.0)
    assert len(np.unique(draws[:, 0])) > 3


@pytest.mark.parametrize("n", [2, 3, 5])
def test_resampled_means_spread_as_the_standard_error_says(n):
    values = np.random.default_rng(1).normal(30.0, 0.2, (1, n))
    draws = resampled_means(values, 40_000, np.random.default_rng(0))
    assert draws.std() == pytest.approx(values.std(ddof=1) / math.sqrt(n), rel=0.02)
    assert draws.mean() == pytest.approx(values.mean(), abs=0.003)


def test_a_mix_without_the_drawn_seeds_keeps_its_mean():
    values = np.array([[1.0, np.nan], [3.0, 5.0]])
    draws = resampled_means(values, 100, np.random.default_rng(0))
    np.testing.assert_array_equal(draws[:, 0], 1.0)
