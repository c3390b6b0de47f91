"""Ranks only where they can be told, and changes between sittings."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ablate.profiling.ranks import changes, compare_samples, ranks, separable
from ablate.profiling.samples import LatencySample
from tests.test_latency import samples_of

FIELD = {f"net {n}": 0.010 * 1.5**n for n in range(5)}


def test_networks_far_apart_have_a_rank_each():
    found = ranks(samples_of(FIELD, noise=0.02))
    assert {subject: rank.words for subject, rank in found.items()} == {
        f"net {n}": str(n + 1) for n in range(5)
    }
    assert not any(rank.tied for rank in found.values())


def test_networks_that_take_the_same_share_their_ranks():
    found = ranks(samples_of({**FIELD, "twin": FIELD["net 2"]}, noise=0.02))
    assert found["twin"].words == found["net 2"].words == "3 to 4"
    assert found["twin"].tied == ("net 2",)
    assert found["net 3"].words == "5"


def test_a_single_process_ranks_by_its_rounds():
    found = ranks(samples_of(FIELD, noise=0.02, processes=1))
    assert [found[f"net {n}"].low for n in range(5)] == [1, 2, 3, 4, 5]


def test_networks_that_are_alike_are_rarely_called_different():
    same = {f"net {n}": 0.010 for n in range(20)}
    found = ranks(samples_of(same, noise=0.03, rounds=15))
    pairs = sum(20 - 1 - len(rank.tied) for rank in found.values()) / 2
    assert pairs <= 0.1 * 190


def test_on_a_busy_machine_the_least_cpu_time_ranks():
    drift = lambda process, number: 1.0 + (process * 7 + number) % 5  # noqa: E731
    samples = samples_of(FIELD, noise=0.01, drift=drift, busy=0.6)
    rng = np.random.default_rng(1)
    upset = [replace(s, seconds=s.seconds * float(rng.uniform(1, 9))) for s in samples]
    found = ranks(upset)
    assert [found[f"net {n}"].words for n in range(5)] == ["1", "2", "3", "4", "5"]


def test_two_hundred_networks_are_ranked():
    many = {f"net {n:03}": 0.010 * 1.05**n for n in range(200)}
    samples = samples_of(many, noise=0.001, processes=2, rounds=4)
    assert [rank.words for rank in ranks(samples).values()] == [str(n) for n in range(1, 201)]


def test_an_injected_slow_down_of_one_mix_is_detected_among_equals():
    same = {f"net {n}": 0.010 for n in range(8)}
    samples = samples_of({**same, "net 5": 0.0104}, noise=0.01)
    slower = [name for name in same if name != "net 5" and separable(samples, name, "net 5")]
    assert len(slower) == 7
    assert ranks(samples)["net 5"].words == "8"


def test_an_injected_slow_down_is_detected_between_sittings_and_named():
    before = samples_of(FIELD, noise=0.01)
    slower = {**FIELD, "net 3": 1.06 * FIELD["net 3"]}
    after = samples_of(slower, noise=0.01, drift=lambda process, number: 2.0 + number / 10)
    found = changes(before, after)
    assert list(found) == ["net 3"]
    assert found["net 3"].ratio == pytest.approx(1.06, abs=0.01)
    assert found["net 3"].low < 1.06 < found["net 3"].high


def test_sittings_of_the_same_networks_show_no_change():
    before, again = samples_of(FIELD, noise=0.01), samples_of(FIELD, noise=0.01)
    assert changes(before, again) == {}


def test_a_sure_change_that_is_too_small_to_matter_is_none():
    slower = {**FIELD, "net 3": 1.005 * FIELD["net 3"]}
    assert changes(samples_of(FIELD), samples_of(slower)) == {}
    assert list(changes(samples_of(FIELD), samples_of(slower), least=0.001)) == ["net 3"]


def test_one_process_with_one_round_shows_no_change():
    alone = samples_of(FIELD, processes=1, rounds=1)
    slower = samples_of({**FIELD, "net 3": 9.0}, processes=1, rounds=1)
    assert changes(alone, slower) == {}


def test_of_two_networks_nobody_can_say_which_changed():
    two = samples_of({"a": 1.0, "b": 2.0})
    with pytest.raises(ValueError, match=r"need three subjects in common; these have 2$"):
        changes(two, two)


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
    assert ranks(bare)["net 0"].words == "1"
