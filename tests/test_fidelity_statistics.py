"""How alike two orders are, when the best few have settled, and which verdicts turned."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reports.analysis.fidelity import (
    MOST_PAIRED,
    agreement,
    bands,
    between_seeds,
    lost,
    overlap,
    some,
)
from reports.analysis.settling import settled, settling
from reports.analysis.verdicts import turned, verdicts

UP = np.arange(12.0)


def test_the_same_order_agrees_wholly_and_the_opposite_one_not_at_all():
    assert agreement(UP, UP**2).tau == 1.0
    assert agreement(UP, -UP).tau == -1.0


def test_tau_counts_pairs():
    swapped = np.array([1.0, 0.0, 2.0, 3.0])  # 5 of 6 pairs in the same order, 1 in the other
    assert agreement(np.arange(4.0), swapped).tau == pytest.approx(4 / 6)


def test_few_mixes_have_a_tau_and_no_interval():
    found = agreement(np.arange(4.0), np.arange(4.0))
    assert (found.tau, found.n) == (1.0, 4)
    assert math.isnan(found.low) and math.isnan(found.high)


def test_a_perfect_order_of_more_mixes_is_surer():
    few, many = (agreement(np.arange(float(n)), np.arange(float(n))) for n in (6, 60))
    assert few.low < 0.8 < 0.97 < many.low < many.high == 1.0


@pytest.mark.parametrize(("n", "rho"), [(6, 0.9), (12, 0.7), (24, 0.95), (80, 0.0)])
def test_intervals_cover_the_tau_of_the_mixes_that_these_were_drawn_from(n: int, rho: float):
    """Of two normal numbers with correlation rho tau is 2 asin(rho) / pi (Greiner 1909)."""
    rng, truth, covered = np.random.default_rng(3), 2 * math.asin(rho) / math.pi, 0
    for _ in range(200):
        first = rng.standard_normal(n)
        second = rho * first + math.sqrt(1 - rho**2) * rng.standard_normal(n)
        found = agreement(first, second, draws=200)
        covered += found.low <= truth <= found.high
    assert covered / 200 >= 0.91


def test_of_the_best_few_those_that_stay_are_counted():
    before, after = UP, UP.copy()
    after[11] = -1.0  # the best one falls to the last place
    found = overlap(before, after, 3)
    assert found.share == pytest.approx(2 / 3)
    assert 0.0 <= found.low <= 1 / 3 < 1.0 == found.high
    assert overlap(UP, UP, 3, draws=0).share == 1.0
    assert math.isnan(overlap(UP, UP, 3, draws=0).low)


@pytest.mark.parametrize("k", [0, 13])
def test_the_best_few_are_at_least_one_and_at_most_all(k: int):
    with pytest.raises(ValueError, match=rf"^the best k of 12 mixes: expected 1 to 12; got {k}$"):
        overlap(UP, UP, k)


def test_bands_hold_the_best_and_small_ones_are_left_out():
    found = bands(UP)
    assert {name: len(members) for name, members in found.items()} == {"all": 12, "best half": 6}
    assert set(found["best half"]) == {6, 7, 8, 9, 10, 11}
    assert len(bands(np.arange(16.0))["best quarter"]) == 4


def test_what_the_best_one_at_a_checkpoint_lacks_in_the_end_is_lost():
    assert lost(np.array([3.0, 2.0, 1.0]), np.array([28.0, 28.4, 27.0])) == pytest.approx(0.4)
    assert lost(UP, UP) == 0.0


def test_the_best_have_settled_from_the_first_checkpoint_that_stays_as_the_end():
    course = np.array(
        [
            [4.0, 3.0, 2.0, 1.0],  # the best two are those of the end, but they leave again
            [4.0, 1.0, 3.0, 2.0],
            [3.0, 4.0, 2.0, 1.0],
            [4.0, 3.0, 1.0, 2.0],
        ]
    )
    assert settled(course, 2) == 2
    assert settled(course, 1) == 3
    assert settled(np.tile(UP, (3, 1)), 3) == 0


def test_how_often_they_have_settled_rises_to_always():
    rng = np.random.default_rng(0)
    values = np.stack([UP[:, None] + rng.normal(0, spread, (12, 5)) for spread in (8, 2, 0.01)])
    often = settling(values, 3, draws=200)
    assert often[0] < often[1] <= often[2] == 1.0
    assert np.isnan(settling(values[:, :, :1], 3)).all()


def test_far_apart_mixes_settle_at_once_whatever_the_seeds():
    values = np.tile(10 * UP[None, :, None], (3, 1, 4)) + np.arange(4.0)
    assert settling(values, 3).tolist() == [1.0, 1.0, 1.0]


def test_two_seeds_agree_as_far_as_their_noise_lets_them():
    """Noise as large as the mixes' spread: each seed correlates 1/2 with another, tau is 1/3."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal((900, 1)) + rng.standard_normal((900, 4))
    assert between_seeds(values, values) == pytest.approx(1 / 3, abs=0.025)
    assert between_seeds(UP[:, None] + np.zeros(2), UP[:, None] + np.zeros(2)) == 1.0
    assert math.isnan(between_seeds(UP[:, None], UP[:, None]))
    gaps = np.where(np.eye(12, 2) > 0, np.nan, UP[:, None])
    assert between_seeds(gaps, gaps) == 1.0


def test_of_very_many_mixes_some_are_paired_always_the_same():
    assert some(5).tolist() == [0, 1, 2, 3, 4]
    drawn = some(10**6)
    assert len(drawn) == MOST_PAIRED == len(set(drawn.tolist()))
    assert (drawn == some(10**6)).all()


def test_a_difference_far_above_the_scatter_is_a_verdict_and_one_below_is_none():
    noise = np.random.default_rng(2).normal(0, 0.05, (3, 3))
    values = np.array([[30.0], [28.0], [28.01]]) + noise
    assert verdicts(values) == {(0, 1): 1, (0, 2): 1, (1, 2): 0}
    assert verdicts(-values)[0, 1] == -1


def test_what_a_seed_adds_for_all_mixes_alike_is_no_scatter():
    noise = np.random.default_rng(2).normal(0, 0.01, (3, 3))
    values = np.array([[30.0], [29.9], [29.8]]) + np.array([0.0, 1.0, -1.0]) + noise
    assert set(verdicts(values).values()) == {1}


def test_fewer_seeds_than_any_claim_needs_support_no_verdict():
    assert set(verdicts(UP[:4, None]).values()) == {0}
    noise = np.random.default_rng(2).normal(0, 0.01, (4, 2))
    assert set(verdicts(UP[:4, None] + noise).values()) == {0}


def test_among_equal_mixes_hardly_a_study_claims_anything():
    rng = np.random.default_rng(5)
    claims = [any(verdicts(rng.normal(0, 1, (5, 3))).values()) for _ in range(300)]
    assert sum(claims) / 300 < 0.085  # 5 %, and what 300 studies scatter


def test_verdicts_stand_fade_come_up_and_turn_round():
    noise = 0.01 * np.array([1.0, -1.0, 0.5])

    def trained(*means: float) -> np.ndarray:
        return np.array([mean + turn * noise for turn, mean in enumerate(means, -1)])

    found = turned(trained(30, 29, 28, 28), trained(30, 29, 29, 31))
    assert (found.pairs, found.before, found.new) == (6, 5, 1)
    assert (found.kept, found.faded, found.reversed) == (2, 1, ((0, 3), (1, 3)))
