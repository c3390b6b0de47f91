from __future__ import annotations

import math

import numpy as np
import pytest

from reports.analysis.power import claim_probability, smallest_difference
from reports.analysis.statistics import t_quantile


@pytest.mark.parametrize(
    ("d", "n", "power"),
    [(0.5, 34, 0.8077775), (1.0, 10, 0.8030969), (0.8, 15, 0.8212918)],  # tables of G*Power
)
def test_the_power_of_a_paired_t_test_is_that_of_the_tables(d, n, power):
    assert claim_probability(d * math.sqrt(n), n - 1) == pytest.approx(power, abs=2e-4)


@pytest.mark.parametrize("degrees", [1, 2, 5, 30, 400])
def test_without_a_difference_a_claim_is_made_as_often_as_the_level_allows(degrees):
    assert claim_probability(0.0, degrees) == pytest.approx(0.05, abs=1e-8)


@pytest.mark.parametrize("n", [3, 5])
def test_the_smallest_difference_is_claimed_in_four_of_five_simulated_studies(n):
    sd = 0.11
    truth = smallest_difference(sd, n)
    gaps = np.random.default_rng(5).normal(truth, sd, (40_000, n))
    error = gaps.std(axis=1, ddof=1) / math.sqrt(n)
    claimed = abs(gaps.mean(axis=1)) > t_quantile(0.975, n - 1) * error
    assert claimed.mean() == pytest.approx(0.8, abs=0.007)


def test_a_pooled_scatter_sees_smaller_differences():
    assert smallest_difference(0.1, 3, degrees=20) < 0.7 * smallest_difference(0.1, 3)


def test_the_smallest_difference_grows_with_the_scatter_and_the_power():
    assert smallest_difference(0.2, 4) == pytest.approx(2 * smallest_difference(0.1, 4))
    assert smallest_difference(0.1, 4, power=0.9) > smallest_difference(0.1, 4)
    assert smallest_difference(0.0, 3) == 0.0


def test_too_few_seeds_for_any_claim_see_no_difference():
    assert smallest_difference(0.1, 2) == math.inf


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ValueError, match=r"sd must be at least 0; got -1\.0"):
        smallest_difference(-1.0, 3)
    with pytest.raises(ValueError, match=r"power must be between 0\.05 and 1; got 1\.0"):
        smallest_difference(1.0, 3, power=1.0)
