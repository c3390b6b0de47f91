from __future__ import annotations

import math

import numpy as np
import pytest

from reports.analysis.design import Design
from reports.analysis.estimates import of_trials
from reports.analysis.interactions import interactions
from reports.analysis.variance import shares
from tests.test_regression import design


def trials(of: Design, together: float, noise: float = 0.02, seeds: int = 3, seed: int = 0):
    """The first two axes do something together: plus and minus in the corners of two levels."""
    rng = np.random.default_rng(seed)
    sign = (1 - 2 * (of.codes[:, 0] == 1)) * (1 - 2 * (of.codes[:, 1] == 1))
    values = 28.0 + 0.2 * of.codes[:, 0] - 0.1 * of.codes[:, 1] + together * sign
    return values[:, None] + rng.normal(0.0, noise, (of.mixes, seeds)) + rng.normal(0.0, 1.0, seeds)


def test_a_cell_is_what_its_mean_has_beyond_row_and_column():
    of = design(2, 2, 3)
    values = trials(of, 0.1)
    found = interactions(of_trials(of, values))
    first = next(pair for pair in found.pairs if pair.axes == ("axis0", "axis1"))
    means = values.mean(axis=1)
    a, b = of.codes[:, 0], of.codes[:, 1]
    by_hand = (
        means[(a == 0) & (b == 0)].mean()
        - means[a == 0].mean()
        - means[b == 0].mean()
        + means.mean()
    )
    cell = first.cells[0][0]
    assert cell.value == pytest.approx(by_hand)
    assert cell.low < 0.1 < cell.high
    assert cell.mixes == 3
    assert first.cells[0][1].value == pytest.approx(-by_hand)
    assert first.largest == pytest.approx(abs(by_hand))


def test_only_axes_that_interact_are_said_to():
    found = interactions(of_trials(design(2, 2, 3), trials(design(2, 2, 3), 0.1)))
    assert [pair.axes for pair in found.pairs if pair.interacts] == [("axis0", "axis1")]
    assert found.pairs[0].cells[0][0].claimed
    assert not any(c.claimed for pair in found.pairs[1:] for row in pair.cells for c in row)


def test_without_an_interaction_few_studies_claim_one():
    of = design(2, 3, 2)
    claimed = sum(
        any(pair.interacts for pair in interactions(of_trials(of, trials(of, 0.0, seed=at))).pairs)
        for at in range(60)
    )
    assert claimed <= 8  # three are due


def test_an_interaction_is_found_among_some_of_the_combinations():
    of = design(3, 3, 3, drop=(0, 4, 11, 16, 20))
    found = interactions(of_trials(of, trials(of, 0.2)))
    assert found.pairs[0].axes == ("axis0", "axis1")
    assert found.pairs[0].interacts
    assert not found.pairs[1].interacts
    assert found.untold == ()


def test_two_levels_that_never_meet_leave_their_axes_unjudged():
    of = design(2, 2, 2)
    of = of.only((of.codes[:, 0] == 0) | (of.codes[:, 1] == 0))
    found = interactions(of_trials(of, trials(of, 0.0)))
    assert ("axis0", "axis1") in found.untold


def test_a_fraction_cannot_tell_interactions_from_each_other():
    of = design(2, 2, 2, 2)
    of = of.only(of.codes.sum(axis=1) % 2 == 0)  # half of 2^4: AB = CD, AC = BD, AD = BC
    found = interactions(of_trials(of, trials(of, 0.1)))
    mixed = {pair.axes: pair.mixed_with for pair in found.pairs}
    assert mixed["axis0", "axis1"] == (("axis2", "axis3"),)
    assert mixed["axis0", "axis2"] == (("axis1", "axis3"),)


def test_two_axes_with_one_seed_tell_nothing():
    of = design(2, 3)
    (pair,) = interactions(of_trials(of, trials(of, 0.5, seeds=1))).pairs
    assert not pair.interacts
    assert pair.p_value == 1.0
    assert math.isnan(pair.cells[0][0].low)


def test_the_parts_of_a_complete_design_add_up_to_the_whole():
    of = design(3, 2, 2)
    measured = of_trials(of, trials(of, 0.1))
    found = shares(measured, interactions(measured))
    assert found.complete and found.repeated
    parts = [each.share for each in found.axes]
    parts += [found.pairs, found.more, found.seeds, found.rest]
    assert sum(parts) == pytest.approx(1.0)
    values = measured.trials
    by_level = np.array([values[of.codes[:, 0] == level].mean() for level in range(3)])
    by_hand = 12 * ((by_level - values.mean()) ** 2).sum() / ((values - values.mean()) ** 2).sum()
    assert next(e.share for e in found.axes if e.name == "axis0") == pytest.approx(by_hand)


def test_what_axes_explain_by_chance_is_said_beside_their_share():
    of, total, chance = design(3, 3), [], []
    for at in range(100):
        values = np.random.default_rng(at).normal(0.0, 1.0, (9, 3))
        found = shares(of_trials(of, values))
        total.append(found.axes[0].share + found.axes[1].share)
        chance.append(found.axes[0].by_chance + found.axes[1].by_chance)
    assert np.mean(total) == pytest.approx(np.mean(chance), rel=0.12)


def test_missing_combinations_leave_each_axis_what_it_alone_explains():
    of = design(3, 3, drop=(8,))
    measured = of_trials(of, trials(of, 0.0, noise=0.0, seeds=1))
    found = shares(measured)
    assert not found.complete and not found.repeated
    assert math.isnan(found.rest) and math.isnan(found.pairs)
    # type II by hand: what the sum leaves over more without the axis
    design_of_other = measured.model.design.columns[:, [0, 3, 4]]
    means = measured.means
    left = means - design_of_other @ np.linalg.lstsq(design_of_other, means, rcond=None)[0]
    total = ((means - means.mean()) ** 2).sum()
    first = next(each.share for each in found.axes if each.name == "axis0")
    assert first == pytest.approx((left**2).sum() / total)
    assert found.shared == pytest.approx(1.0 - sum(each.share for each in found.axes))


def test_nothing_that_varies_has_no_shares():
    assert shares(of_trials(design(2, 2), np.ones((4, 3)))) is None
