from __future__ import annotations

import itertools
import math

import pandas as pd
import pytest

from reports.analysis.effects import cost_effects, seed_effects

GAIN = {"a": {"x": 0.0, "y": 1.0, "z": 5.0}, "b": {"p": 0.0, "q": 0.5}}


def design(skip: int = 0) -> pd.DataFrame:
    rows = list(itertools.product(GAIN["a"], GAIN["b"]))[skip:]
    return pd.DataFrame(rows, columns=["a", "b"], index=[f"m{at}" for at in range(len(rows))])


def additive(levels: pd.DataFrame) -> pd.Series:
    return levels["a"].map(GAIN["a"]) + levels["b"].map(GAIN["b"]) + 28.0


def per_seed(levels: pd.DataFrame, shifts=(0.0, 0.3, -0.2)) -> pd.DataFrame:
    return pd.DataFrame({seed: additive(levels) + shift for seed, shift in enumerate(shifts)})


@pytest.mark.parametrize("skip", [0, 1])
def test_an_additive_truth_is_found_whole_or_with_a_mix_missing(skip):
    levels = design(skip)
    found = seed_effects("psnr", levels, per_seed(levels))
    values = {(e.axis, e.level): e.value for e in found.effects}
    for level, gain in GAIN["a"].items():
        assert values["a", level] == pytest.approx(gain - 2.0)
    assert values["b", "q"] == pytest.approx(0.25)
    assert found.complete == (skip == 0)
    assert found.explained == pytest.approx(1.0)


def test_in_a_complete_design_an_effect_is_the_paired_mean_difference():
    levels = design()
    values = per_seed(levels)
    values.loc["m0", 1] += 7.0  # an interaction: no longer additive
    found = seed_effects("psnr", levels, values)
    by_hand = (values[levels["a"] == "x"].mean() - values.mean()).mean()
    assert found.of("a")[0].value == pytest.approx(by_hand)
    assert found.explained < 1.0


def test_seeds_that_shift_all_mixes_alike_do_not_widen_an_effect():
    levels = design()
    effect = seed_effects("psnr", levels, per_seed(levels)).of("a")[2]
    assert effect.high - effect.low == pytest.approx(0.0, abs=1e-9)
    assert effect.claimed


def test_two_seeds_claim_nothing():
    levels = design()
    found = seed_effects("psnr", levels, per_seed(levels, (0.0, 0.1)))
    assert not any(effect.claimed for effect in found.effects)


def test_seeds_that_disagree_claim_nothing():
    levels = design()
    values = per_seed(levels)
    for seed, sign in enumerate((1, -1, 0.5)):
        values[seed] = 28.0 + sign * levels["a"].map(GAIN["a"])
    assert not seed_effects("psnr", levels, values).of("a")[0].claimed


def test_what_cannot_be_told_apart_is_not_estimated():
    levels = pd.DataFrame({"a": ["x", "y"], "b": ["p", "q"]}, index=["m0", "m1"])
    found = seed_effects("psnr", levels, per_seed(levels))
    assert found.effects == ()
    assert math.isnan(found.explained)


def test_an_axis_with_one_level_is_no_choice():
    levels = design().assign(c="only")
    found = seed_effects("psnr", levels, per_seed(levels))
    assert {effect.axis for effect in found.effects} == {"a", "b"}
    assert found.complete


def test_costs_carry_the_intervals_of_the_mixes():
    levels = pd.DataFrame({"a": ["x", "y"]}, index=["m0", "m1"])
    values = pd.Series([1.0, 3.0], index=levels.index)
    found = cost_effects("latency", levels, values, values - 0.3, values + 0.4)
    low, high = found.of("a")
    assert (low.value, high.value) == pytest.approx((-1.0, 1.0))
    # half of (x - y), each with half width 0.35
    assert high.high - high.value == pytest.approx(0.5 * math.hypot(0.35, 0.35))
    assert high.claimed


def test_costs_without_intervals_are_shown_without_a_claim():
    levels = pd.DataFrame({"a": ["x", "y"]}, index=["m0", "m1"])
    nothing = pd.Series(math.nan, levels.index)
    found = cost_effects("latency", levels, pd.Series([1.0, 3.0], levels.index), nothing, nothing)
    assert math.isnan(found.of("a")[0].low)
    assert not found.of("a")[0].claimed


def test_what_the_effects_explain_is_less_what_chance_explains():
    levels = design()  # six mixes, four terms
    noise = pd.Series([1.0, -1.0, -1.0, 1.0, 0.5, -0.5], levels.index)
    found = seed_effects("psnr", levels, pd.DataFrame({0: noise}))
    plain = 6 * (1 / 6) ** 2 / 4.5  # a explains nothing, b's levels are 1/6 off the mean
    assert found.explained == pytest.approx(1 - (1 - plain) * 5 / 2)
    few = levels.drop(index=["m3", "m5"])  # four mixes for four terms
    assert math.isnan(seed_effects("psnr", few, per_seed(few)).explained)


def test_counts_are_exact_so_every_difference_is_one():
    levels = pd.DataFrame({"a": ["x", "y"], "b": ["p", "p"]}, index=["m0", "m1"])
    nothing = pd.Series(math.nan, levels.index)
    counts = pd.Series([1.0e6, 1.000001e6], levels.index)
    found = cost_effects("params", levels, counts, nothing, nothing, exact=True)
    assert all(effect.claimed for effect in found.effects)
    assert math.isnan(found.of("a")[0].low)
    same = pd.Series([1.0e6, 1.0e6], levels.index)
    found = cost_effects("params", levels, same, nothing, nothing, exact=True)
    assert not any(effect.claimed for effect in found.effects)


def test_the_spread_of_an_axis_is_its_largest_difference():
    levels = design()
    found = seed_effects("psnr", levels, per_seed(levels))
    assert found.spread("a") == pytest.approx(5.0)
    assert found.spread("nothing") == 0.0
