"""Laws are found where they are known, and intervals hold what they should."""

from __future__ import annotations

import numpy as np
import pytest

from ablate.profiling.samples import LatencySample
from ablate.profiling.scaling import ScalingError, draws, fit_growth

PIXELS = [float(side**2) for side in (32, 48, 64, 96, 128, 192, 256)]


def law(constant: float, factor: float, exponent: float) -> np.ndarray:
    return np.array([constant + factor * x**exponent for x in PIXELS])


@pytest.mark.parametrize(
    ("constant", "factor", "exponent"),
    [(0, 1e-7, 1), (1e-4, 1e-7, 1), (1e-3, 1e-12, 2), (0, 1e-6, 1.3), (0, 1e-5, 0.5)],
)
def test_an_exact_law_is_found(constant: float, factor: float, exponent: float):
    found = fit_growth(PIXELS, law(constant, factor, exponent))
    assert found.exponent == pytest.approx(exponent, abs=0.01)
    assert found.constant == pytest.approx(constant, abs=1e-6)
    assert found(PIXELS[3]) == pytest.approx(law(constant, factor, exponent)[3], rel=1e-3)
    assert found.low <= found.exponent <= found.high
    assert found.high - found.low < 0.02
    assert (found.error, found.n) == (pytest.approx(0, abs=1e-3), len(PIXELS))


def test_what_does_not_grow_has_no_exponent_above_nothing():
    found = fit_growth(PIXELS, np.full(len(PIXELS), 3e-3))
    assert found(1e4) == pytest.approx(3e-3)
    assert found.exponent == 0 or found.factor == 0


def test_one_point_far_off_moves_the_exponent_little_and_is_told():
    values = law(1e-4, 1e-7, 1)
    values[2] *= 2
    found = fit_growth(PIXELS, values)
    assert found.exponent == pytest.approx(1, abs=0.1)
    assert found.error == pytest.approx(0.5, abs=0.05)
    assert found.low < found.exponent < found.high


def test_the_interval_holds_the_exponent_in_nearly_all_repetitions():
    held = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        values = law(1e-4, 1e-7, 1.2) * np.exp(0.02 * rng.standard_normal(len(PIXELS)))
        again = values * np.exp(0.005 * rng.standard_normal((200, len(PIXELS))))
        found = fit_growth(PIXELS, values, again, seed)
        held.append(found.low <= 1.2 <= found.high)
    assert np.mean(held) >= 0.9


def test_noise_widens_the_interval():
    values = law(0, 1e-7, 1)
    widths = []
    for noise in (0.002, 0.02):
        again = values * np.exp(noise * np.random.default_rng(0).standard_normal((200, 7)))
        found = fit_growth(PIXELS, values, again)
        widths.append(found.high - found.low)
    assert widths[1] > 3 * widths[0]


def test_too_few_sizes_are_one_clear_line():
    with pytest.raises(ScalingError) as raised:
        fit_growth([1, 2, 2, 3], np.ones(4))
    assert str(raised.value) == "an exponent takes 4 different sizes; got 3"


def test_nothing_below_zero_is_fitted():
    with pytest.raises(ScalingError, match=r"takes sizes and values above 0; got 0$"):
        fit_growth([1, 2, 3, 4], np.array([1.0, 2, 0, 4]))


def samples(times: dict[str, float], rounds: int = 8, processes: int = 3) -> list[LatencySample]:
    """Times that a slow machine stretches, all of one round alike."""
    rng = np.random.default_rng(0)
    found = []
    for process in range(processes):
        for number in range(rounds):
            slow = rng.uniform(1, 2)
            found += [
                LatencySample(
                    subject=name,
                    process=process,
                    round=number,
                    seconds=slow * seconds,
                    cpu_seconds=slow * seconds,
                    flagged=False,
                )
                for name, seconds in times.items()
            ]
    return found


def test_what_slows_a_round_down_drops_out_of_ratios_in_every_resample():
    found = draws(samples({"a": 1e-3, "b": 2e-3, "c": 4e-3}))
    seconds, again = found.of(["c", "a"])
    assert seconds[0] / seconds[1] == pytest.approx(4)
    assert again[:, 0] / again[:, 1] == pytest.approx(np.full(len(again), 4.0))
    assert found.subjects == ("a", "b", "c")
