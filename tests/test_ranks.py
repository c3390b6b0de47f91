"""Networks held against each other from raw samples: apart only where it can be told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from ablate.profiling.ranks import compare_samples
from ablate.profiling.samples import LatencySample
from reports.analysis.ranking import places
from tests.test_latency import samples_of

FIELD = {f"net {n}": 0.010 * 1.5**n for n in range(5)}


def ranks(samples: Sequence[LatencySample]) -> dict[str, tuple[int, int]]:
    """The best and the worst rank that each may have."""
    found = places(compare_samples(samples))
    return {place.subject: (place.low, place.high) for place in found}


def test_networks_far_apart_have_a_rank_each():
    found = ranks(samples_of(FIELD, noise=0.02))
    assert found == {f"net {n}": (n + 1, n + 1) for n in range(5)}


def test_networks_that_take_the_same_share_their_ranks():
    found = ranks(samples_of({**FIELD, "twin": FIELD["net 2"]}, noise=0.02))
    assert found["twin"] == found["net 2"] == (3, 4)
    assert found["net 3"] == (5, 5)


def test_a_single_process_ranks_by_its_rounds():
    found = ranks(samples_of(FIELD, noise=0.02, processes=1))
    assert [found[f"net {n}"][0] for n in range(5)] == [1, 2, 3, 4, 5]


def test_networks_that_are_alike_are_rarely_called_different():
    same = {f"net {n}": 0.010 for n in range(20)}
    found = compare_samples(samples_of(same, noise=0.03, rounds=15))
    assert found.slower.sum() <= 0.1 * 190


def test_on_a_busy_machine_the_least_cpu_time_ranks():
    drift = lambda process, number: 1.0 + (process * 7 + number) % 5  # noqa: E731
    samples = samples_of(FIELD, noise=0.01, drift=drift, busy=0.6)
    rng = np.random.default_rng(1)
    upset = [replace(s, seconds=s.seconds * float(rng.uniform(1, 9))) for s in samples]
    assert ranks(upset) == {f"net {n}": (n + 1, n + 1) for n in range(5)}


def test_two_hundred_networks_are_ranked():
    many = {f"net {n:03}": 0.010 * 1.05**n for n in range(200)}
    samples = samples_of(many, noise=0.001, processes=2, rounds=4)
    assert list(ranks(samples).values()) == [(n, n) for n in range(1, 201)]


def test_an_injected_slow_down_of_one_mix_is_detected_among_equals():
    same = {f"net {n}": 0.010 for n in range(8)}
    assert ranks(samples_of({**same, "net 5": 0.0104}, noise=0.01))["net 5"] == (8, 8)


def test_a_lacking_visit_is_an_error_here_too():
    with pytest.raises(ValueError, match=r"^round 19 of process 2 lacks 'net 4'"):
        compare_samples(samples_of(FIELD)[:-1])


def test_samples_may_lack_everything_but_their_time():
    bare = [
        LatencySample(
            subject=s.subject,
            process=s.process,
            round=s.round,
            seconds=s.seconds,
            cpu_seconds=math.nan,
            flagged=True,
        )
        for s in samples_of(FIELD)
    ]
    assert ranks(bare)["net 0"] == (1, 1)
