"""A machine's own changes of speed are found and taken out; on a steady one nothing is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ablate.profiling.levelling import LEAST_VISITS, levelled, speed_probe
from ablate.profiling.samples import LatencySample
from ablate.profiling.summary import summarise

SUBJECTS = 8
TRUTH = np.geomspace(0.01, 0.03, SUBJECTS)


def sitting(
    *, seed: int, wobble: float, processes: int = 3, rounds: int = 20
) -> list[LatencySample]:
    """A simulated sitting on a machine that is `wobble` slower for some visits at a stretch."""
    rng = np.random.default_rng(seed)
    samples = []
    for process in range(processes):
        slow = 0.0
        for number in range(rounds):
            for subject in rng.permutation(SUBJECTS).tolist():
                if rng.random() < 0.1:  # a state lasts ten visits
                    slow = wobble * float(rng.random() < 0.5)
                seconds = TRUTH[subject] * math.exp(slow + 0.005 * rng.standard_normal())
                samples.append(
                    LatencySample(
                        subject=str(subject),
                        process=process,
                        round=number,
                        seconds=seconds,
                        cpu_seconds=seconds,
                        flagged=False,
                        host=seconds,
                        beside=4e-4 * math.exp(slow + 0.02 * rng.standard_normal()),
                    )
                )
    return samples


def errors(samples: list[LatencySample]) -> float:
    """The largest error of a subject's median beside the truth, both as ratios to all."""
    medians = np.array(
        [np.median([s.seconds for s in samples if s.subject == str(k)]) for k in range(SUBJECTS)]
    )
    gaps = np.log(medians / TRUTH)
    return float(np.abs(gaps - gaps.mean()).max())


def test_changes_of_speed_within_rounds_are_taken_out():
    samples = sitting(seed=0, wobble=0.4)
    assert errors(levelled(samples)) < 0.02 < 0.06 < errors(samples)


def test_on_a_steady_machine_hardly_anything_changes():
    samples = sitting(seed=2, wobble=0.0)
    ratios = [
        after.seconds / s.seconds for s, after in zip(samples, levelled(samples), strict=True)
    ]
    assert max(abs(math.log(ratio)) for ratio in ratios) < 0.01
    assert errors(levelled(samples)) < 0.005


def test_a_network_that_became_slower_stays_slower():
    slower = [
        replace(s, seconds=1.1 * s.seconds) if s.subject == "3" else s
        for s in sitting(seed=3, wobble=0.4)
    ]

    def median(samples: list[LatencySample]) -> float:
        return float(np.median([s.seconds for s in samples if s.subject == "3"]))

    before = median(levelled(sitting(seed=3, wobble=0.4)))
    assert median(levelled(slower)) / before == pytest.approx(1.1, abs=0.01)


def test_one_interruption_does_not_spoil_its_neighbours():
    samples = sitting(seed=4, wobble=0.0)
    samples[30] = replace(samples[30], seconds=100 * samples[30].seconds)
    after = levelled(samples)
    for at in (28, 29, 31, 32):
        assert after[at].seconds == pytest.approx(samples[at].seconds, rel=0.02)


def test_the_order_of_samples_and_the_hosts_clock_stay():
    samples = sitting(seed=5, wobble=0.4)
    after = levelled(samples)
    assert [(s.subject, s.process, s.round, s.host) for s in after] == [
        (s.subject, s.process, s.round, s.host) for s in samples
    ]
    assert after[7].cpu_seconds == after[7].seconds


def test_what_is_level_already_is_left():
    once = levelled(sitting(seed=6, wobble=0.4))
    assert levelled(once) == once
    assert levelled([]) == []


def test_on_a_busy_machine_the_processors_own_time_counts():
    samples = [
        replace(s, seconds=3 * s.seconds, flagged=True) if at % 3 == 0 else s
        for at, s in enumerate(sitting(seed=8, wobble=0.4))
    ]
    after = levelled(samples)
    assert all(s.seconds == s.cpu_seconds for s in after)
    assert errors(after) < 0.02
    quiet = [replace(s, flagged=at % 10 == 0) for at, s in enumerate(samples)]
    assert not all(s.seconds == s.cpu_seconds for s in levelled(quiet))


def test_a_busy_machine_is_said_of_levelled_samples_too():
    samples = [replace(s, flagged=True) for s in sitting(seed=9, wobble=0.0)]
    notes = {found.note for found in summarise(levelled(samples)).values()}
    assert notes == {
        "the machine was busy: 100 % of the timed visits were disturbed; "
        "what a call took of the processor's own time is given"
    }


def test_without_fixed_work_beside_it_nothing_is_taken_out():
    samples = [replace(s, beside=math.nan) for s in sitting(seed=7, wobble=0.4)]
    assert levelled(samples) == samples


def test_a_few_visits_say_too_little():
    samples = sitting(seed=10, wobble=0.4, rounds=LEAST_VISITS // SUBJECTS)
    assert levelled(samples[1:]) == samples[1:]
    assert all(s.level for s in levelled(samples))


def test_the_probe_says_how_long_the_work_took():
    probe = speed_probe()
    assert min(probe() for _ in range(3)) > 0
