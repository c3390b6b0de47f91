"""Rounds: when they end, who watches the machine meanwhile, and what a watcher's words do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from ablate.profile import Profile
from ablate.profiling.rounds import LatencyError, Rounds, run_rounds, time_calls
from ablate.profiling.samples import settled
from ablate.profiling.timing import Timed


class Clock:
    """Says of each call what it is told to, and moves its own time on by that."""

    untimed = 0
    aim = 0.0

    def __init__(self, seconds: Mapping[Callable[[], object], Callable[[], float]]) -> None:
        self.seconds, self.now = seconds, 0.0

    def time(self, call: Callable[[], object], calls: int) -> Timed:
        taken = self.seconds[call]()
        self.now += taken
        return Timed(seconds=taken, cpu_seconds=math.nan)


def quick() -> None: ...


def slow() -> None: ...


CALLS = {"quick": quick, "slow": slow}


def noisy(seconds: float, noise: float, seed: int) -> Callable[[], float]:
    rng = np.random.default_rng(seed)
    return lambda: seconds * float(np.exp(rng.normal(0, noise)))


def run(noise: float, watch: Callable[[], Mapping[str, float]] | None = None, **how: float):
    clock = Clock({quick: noisy(1.0, noise, 1), slow: noisy(2.0, noise, 2)})
    return run_rounds(
        CALLS,
        profile=Profile(**{"rounds": 100, **how}),
        process=3,
        seed=0,
        timer=clock,
        watch=watch,
        clock=lambda: clock.now,
    )


def count(found: Rounds) -> int:
    return len({sample.round for sample in found.samples})


def test_all_rounds_are_done_where_nothing_says_when_to_stop():
    found = run(0.0)
    assert (count(found), found.ended) == (100, "rounds")
    assert {sample.process for sample in found.samples} == {3}


def test_rounds_end_once_every_share_is_known_well_enough():
    steady, shaky = run(0.001, interval=0.01), run(0.3, interval=0.01)
    assert (count(steady), steady.ended) == (15, "interval")
    assert (count(shaky), shaky.ended) == (100, "rounds")
    between = run(0.02, interval=0.01)
    assert 15 < count(between) < 100
    assert count(between) % 5 == 0


def test_what_slows_all_alike_keeps_no_round_from_being_the_last():
    level = iter(range(1, 10**6))
    clock = Clock({quick: lambda: float(now[0]), slow: lambda: 2.0 * now[0]})
    now = [1]

    def watch() -> Mapping[str, float]:
        now[0] = next(level)  # each round on a slower machine
        return {}

    found = run_rounds(
        CALLS,
        profile=Profile(interval=0.01),
        process=0,
        seed=0,
        timer=clock,
        watch=watch,
    )
    assert count(found) == 15


def test_rounds_end_with_their_process_share_of_the_budget():
    found = run(0.0, budget=60.0, processes=3)  # 20 s for this process, 3 s a round
    assert (count(found), found.ended) == (7, "budget")


def test_three_rounds_are_done_whatever_the_budget():
    assert count(run(0.0, budget=1e-6)) == 3


def test_a_single_call_is_held_against_itself():
    clock = Clock({quick: noisy(1.0, 0.5, 0)})
    profile = Profile(rounds=20, interval=0.01)
    found = run_rounds({"a": quick}, profile=profile, process=0, seed=0, timer=clock)
    assert found.ended == "rounds"


@pytest.mark.parametrize("rounds", [1, 5])
def test_fewer_than_six_rounds_settle_nothing(rounds):
    assert not settled(np.ones((rounds, 2)), 0.5)
    assert settled(np.ones((6, 2)), 0.5)


def test_of_ten_rounds_the_second_and_the_ninth_value_hold_the_median():
    values = np.array([1.0, 90, 95, 99, 100, 100, 101, 105, 110, 999])[:, None]
    assert settled(values, 0.101)  # 2 * (1 + 10) / 1024 = 2 % lies outside; 90 to 110 of 100
    assert not settled(values, 0.099)


def test_the_machine_is_looked_at_once_a_round_and_told_with_it():
    looks = iter(range(1000))
    found = run(0.0, lambda: {"load": float(next(looks))}, rounds=4)
    assert [(row.process, row.round, row.values) for row in found.conditions] == [
        (3, number, {"load": float(number)}) for number in range(4)
    ]
    assert not any(row.reasons for row in found.conditions)
    assert not any(sample.flagged for sample in found.samples)


@pytest.mark.parametrize(
    ("strange", "reason"),
    [
        ({"throttle_bits": 4.0}, "throttled: "),
        ({"foreign": 2.0}, "shared: 2 other processes on the device"),
        ({"sm_clock": 1500.0}, "sm_clock 1500 MHz, 12% under the usual 1700 MHz"),
        ({"others_cpu": 0.5}, "shared: other processes used 50% of the processor"),
    ],
)
def test_a_round_on_a_throttled_or_shared_device_is_flagged(strange, reason):
    usual = {"sm_clock": 1700.0, "throttle_bits": 0.0, "foreign": 0.0, "others_cpu": 0.0}
    looks = iter([usual, usual, {**usual, **strange}, usual, usual])
    found = run(0.0, lambda: next(looks), rounds=5)
    assert {sample.round for sample in found.samples if sample.flagged} == {2}
    assert found.conditions[2].reasons[0].startswith(reason)


def test_without_a_watcher_there_are_no_conditions():
    assert run(0.0, rounds=2).conditions == ()


def test_a_call_that_raises_is_named_with_the_first_line_of_its_error():
    def broken() -> None:
        raise RuntimeError("\n  no kernel\nfor this")

    class Calling:
        untimed = 0
        aim = 0.0

        def time(self, call: Callable[[], object], calls: int) -> Timed:
            call()
            return Timed(seconds=1.0)

    with pytest.raises(LatencyError, match=r"^'bad' cannot be timed on paper: no kernel$"):
        time_calls(
            {"bad": broken},
            profile=Profile(),
            process=0,
            seed=0,
            timer=Calling(),
            where=" on paper",
        )
