"""What changed between two sittings, against times that are known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from reports.analysis.changes import REFERENCE, changes
from reports.analysis.statistics import t_quantile

FIELD = {f"net {n}": 0.010 * 1.5**n for n in range(6)} | {REFERENCE: 0.02}


def sitting(
    seconds: dict[str, float],
    seed: int,
    noise: float = 0.005,
    drift: float = 0.0,
    processes: int = 3,
) -> pd.DataFrame:
    """Rounds of three processes, each of which sees every network a little differently."""
    rng, rows = np.random.default_rng(seed), []
    for process in range(processes):
        own = {name: math.exp(rng.normal(0, noise)) for name in seconds}
        for turn in range(20):
            slow = math.exp(drift * rng.normal())
            rows += [
                (name, process, turn, value * own[name] * slow * math.exp(rng.normal(0, noise)))
                for name, value in seconds.items()
            ]
    return pd.DataFrame(rows, columns=["subject", "process", "round", "value"])


def test_an_injected_slow_down_is_detected_and_named_though_the_machine_changed() -> None:
    slower = {**FIELD, "net 3": 1.04 * FIELD["net 3"]}
    twice = {name: 2.0 * value for name, value in slower.items()}
    found = changes(sitting(FIELD, 1), sitting(twice, 2, drift=0.3))
    assert [change.subject for change in found.each if change.apart] == ["net 3"]
    changed = next(change for change in found.each if change.apart)
    assert changed.ratio == pytest.approx(1.04, abs=0.01)
    assert 1.0 < changed.low < 1.04 < changed.high < 1.08
    assert found.common is not None and not found.common.apart
    assert found.processes == 6


def test_sittings_of_the_same_networks_show_no_change_nineteen_times_in_twenty() -> None:
    alarms = 0
    for seed in range(20):
        found = changes(sitting(FIELD, 2 * seed), sitting(FIELD, 2 * seed + 1))
        alarms += any(change.apart for change in found.each)
    assert alarms <= 3


def test_without_noise_the_ratio_is_exact_and_what_did_not_change_is_one() -> None:
    faster = {**FIELD, "net 0": 0.9 * FIELD["net 0"]}
    found = changes(sitting(FIELD, 0, noise=0.0), sitting(faster, 0, noise=0.0))
    ratios = {change.subject: change.ratio for change in found.each}
    assert ratios.pop("net 0") == pytest.approx(0.9)
    assert list(ratios.values()) == pytest.approx([1.0] * 5)
    assert [change.subject for change in found.each if change.apart] == ["net 0"]


def test_what_slows_all_but_the_reference_is_seen_beside_it() -> None:
    slower = {name: 1.1 * value for name, value in FIELD.items()} | {REFERENCE: FIELD[REFERENCE]}
    found = changes(sitting(FIELD, 1), sitting(slower, 2))
    assert not any(change.apart for change in found.each)
    assert found.common is not None and found.common.apart
    assert found.common.ratio == pytest.approx(1.1, abs=0.02)


def test_one_network_is_held_against_the_reference() -> None:
    few = {"a": 0.01, REFERENCE: 0.02}
    found = changes(sitting(few, 1), sitting({**few, "a": 0.012}, 2))
    assert found.common is None
    (changed,) = found.each
    assert changed.apart and changed.ratio == pytest.approx(1.2, abs=0.03)


def test_the_interval_of_one_network_is_that_of_its_ratio_to_the_reference() -> None:
    rng = np.random.default_rng(4)
    gaps = rng.normal(0.0, 0.02, (2, 3))  # of a sitting and a process: log of mix over reference
    frames = [
        pd.DataFrame(
            [("a", at, 0, 0.01 * math.exp(gap)) for at, gap in enumerate(of_sitting)]
            + [(REFERENCE, at, 0, 0.01) for at in range(3)],
            columns=["subject", "process", "round", "value"],
        )
        for of_sitting in gaps
    ]
    (changed,) = changes(*frames).each
    gap = gaps[1].mean() - gaps[0].mean()
    error = math.sqrt(gaps.var(axis=1, ddof=1).sum() / 3)
    half = t_quantile(0.975, 4) * error
    assert math.log(changed.ratio) == pytest.approx(gap)
    assert math.log(changed.low) == pytest.approx(gap - half)
    assert math.log(changed.high) == pytest.approx(gap + half)


def test_a_single_process_goes_by_its_rounds_and_a_single_round_by_nothing() -> None:
    slower = {**FIELD, "net 3": 1.5 * FIELD["net 3"]}
    found = changes(sitting(FIELD, 1, processes=1), sitting(slower, 2, processes=1))
    assert "net 3" in [change.subject for change in found.each if change.apart]
    once = [frame[frame["round"] == 0] for frame in (sitting(FIELD, 1, processes=1),) * 2]
    found = changes(once[0], once[1].assign(value=lambda rows: rows["value"] * 9))
    assert not any(change.apart for change in found.each)
    assert all(change.high == math.inf for change in found.each)


def test_what_one_sitting_alone_timed_is_left_out() -> None:
    found = changes(sitting(FIELD, 1), sitting({**FIELD, "new": 1.0}, 2))
    assert {change.subject for change in found.each} == set(FIELD) - {REFERENCE}


@pytest.mark.parametrize("names", [("a", "b"), (REFERENCE,), ("a",)])
def test_of_too_few_networks_nobody_can_say_which_changed(names: tuple[str, ...]) -> None:
    few = sitting(dict.fromkeys(names, 1.0), 0)
    with pytest.raises(ValueError, match=f"need the reference .* these have {len(names)}$"):
        changes(few, few)
