"""What the benchmark of repeatability computes, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ablate.profiling.latency import REFERENCE
from benchmarks.latency_repeatability import main, settings_of
from benchmarks.repeatability import Measurement, agreement, measured, tau_b, unpaired_signs
from tests.test_latency import samples_of


def said(seconds: list[float], apart: float = 1.05) -> Measurement:
    """A measurement that calls two networks apart if one takes that many times longer."""
    ratio = np.log(np.array(seconds)[:, None] / np.array(seconds)[None])
    signs = np.where(np.abs(ratio) > math.log(apart), np.sign(ratio), 0).astype(int)
    return Measurement(seconds=np.array(seconds), signs=signs, flagged=0.0, note="", wall=1.0)


def test_errors_are_those_of_ratios_so_that_a_slower_machine_is_no_error():
    row = agreement([(said([1.0, 2.0, 4.0]), said([3.0, 6.0, 12.0]))])
    assert (row.error_max, row.tau, row.tau_ties, row.inverted) == (0.0, 1.0, 1.0, 0.0)
    row = agreement([(said([1.0, 2.0, 4.0]), said([1.0, 2.0, 5.0]))])
    assert row.error_max == row.error_median == pytest.approx(0.25)  # of two pairs of three


def test_ties_count_as_ties_and_not_as_ranks():
    first, second = said([1.00, 1.01, 2.0]), said([1.01, 1.00, 2.0])
    row = agreement([(first, second)])
    assert row.tau == pytest.approx(1 / 3)  # one pair of three is swapped
    assert row.tau_ties == 1.0
    assert row.apart == pytest.approx(2 / 3)
    assert row.inverted == 0.0


def test_pairs_that_are_told_apart_the_other_way_round_are_inverted():
    row = agreement([(said([1.0, 2.0, 4.0]), said([2.0, 1.0, 4.0]))])
    assert row.inverted == pytest.approx(1 / 3)


def test_kendalls_tau_b_by_hand():
    assert tau_b(np.array([1, 1, 0]), np.array([1, -1, 1])) == pytest.approx(0.0)
    assert tau_b(np.array([1, 1, 0]), np.array([1, 1, 1])) == pytest.approx(2 / math.sqrt(6))
    assert math.isnan(tau_b(np.zeros(3, dtype=int), np.ones(3, dtype=int)))


def test_networks_timed_one_after_the_other_are_told_apart_by_resampled_medians():
    rng = np.random.default_rng(0)
    visits = np.array([1.0, 1.0, 1.5]) * rng.lognormal(0, 0.05, size=(60, 3))
    assert unpaired_signs(visits).tolist() == [[0, 0, -1], [0, 0, -1], [1, 1, 0]]


def test_samples_of_a_sitting_are_read_in_the_order_of_the_mixes(monkeypatch):
    options = type("Options", (), {"mixes": 2, "rounds": 5, "processes": 2})()
    _, mixes, profile = settings_of(options)
    assert (len(mixes), profile.rounds, profile.processes) == (2, 5, 2)
    keys = [mix.network.key for mix in mixes]
    found = measured(mixes, samples_of({keys[0]: 3.0, keys[1]: 1.0, REFERENCE: 2.0}), 9.0)
    assert found.seconds.tolist() == pytest.approx([3.0, 1.0])
    assert found.signs.tolist() == [[0, 1], [-1, 0]]


def test_the_study_has_enough_mixes_of_several_families():
    options = type("Options", (), {"mixes": 1000, "rounds": 5, "processes": 2})()
    study, mixes, _ = settings_of(options)
    assert len(mixes) == study.size == 25
    assert len({mix.network.key for mix in mixes}) == 25


def test_an_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--sizes", "8"])
    assert "unrecognized arguments: --sizes" in capsys.readouterr().err
