"""Rungs, confirmation and the end of a search: who goes on, and when it can be claimed."""

from __future__ import annotations

import hashlib
import math
import random

import numpy as np
import pytest

from ablate.mix import Choice
from ablate.searches import Goal, Point, Proposal, Seen, Space
from ablate.searches.bare import Bare
from ablate.searches.confirm import confirmations
from ablate.searches.dominance import beaten_by, goals_of, surely_beaten
from ablate.searches.proposing import cut_short, proposals, search_on
from ablate.searches.rungs import REPLICATED, REPLICATES, promotions, spread_at
from ablate.searches.schedule import Schedule, SearchPlan, furthest
from ablate.searches.stopping import Spent, Stop, is_flat, most_at_once, time_is_up, trials_begun
from ablate.searches.words import least_steps, schedule_words, within_budget
from reports.analysis.seeds import effects_of_seeds, levelled, scatter
from reports.analysis.statistics import t_quantile

GOALS = (Goal("psnr", "higher"), Goal("macs", "lower"))
SPREAD = {"psnr": (0.1, 6)}  # standard deviation between seeds, degrees of freedom


def plan(
    schedule: Schedule | None = None,
    stop: Stop | None = None,
    *,
    seeds: int = 2,
    search: str = "grid",
    goals: tuple[Goal, ...] = GOALS,
) -> SearchPlan:
    return SearchPlan(
        search=Choice.of(search),
        goals=goals,
        seeds=seeds,
        schedule=schedule or Schedule(rungs=(25, 50), keep=0.5),
        stop=stop or Stop(),
    )


def mix(
    name: int,
    psnr: float,
    macs: float = 1.0,
    rung: int = 25,
    n: int = 1,
    by_seed: tuple[float, ...] = (),
) -> Seen:
    """A mix that rests at a rung or, at rung 0, came to its end; each seed beside its mean."""
    return Seen(
        point=(name,),
        key=f"m{name}",
        status="partial" if rung else "done",
        values={"psnr": psnr, "macs": macs},
        rung=rung,
        n=n,
        scores={"psnr": {seed: psnr + value for seed, value in enumerate(by_seed)}},
    )


def scattered(number: int, by: float) -> tuple[float, float]:
    """Two seeds that scatter beside what mix and seed add: mixes take turns to be lucky."""
    return (by, -by) if number % 2 else (-by, by)


def names(found: list[Proposal]) -> list[tuple[int, int]]:
    """Which mixes are proposed, and how far."""
    return [(proposal.point[0], proposal.until) for proposal in found]


def test_a_rank_is_the_number_of_mixes_that_are_as_good_in_all_and_better_in_one():
    rows = [mix(0, 30, 1), mix(1, 31, 2), mix(2, 30, 2), mix(3, 30, 1), mix(4, 29, 3)]
    assert beaten_by(goals_of(rows, plan())) == [0, 0, 3, 0, 4]


def test_a_mix_of_which_a_goal_is_unknown_ranks_last_and_beats_nothing():
    unknown = Seen(point=(9,), key="m9", status="partial", values={"psnr": 99.0}, rung=25)
    rows = [unknown, mix(0, 30, 1), mix(1, 29, 2)]
    assert beaten_by(goals_of(rows, plan())) == [3, 0, 1]
    assert surely_beaten(rows, plan(), SPREAD) == [False, False, True]


def test_seeds_scatter_beside_what_mix_and_seed_add():
    own, luck = np.array([[30.0], [28.0], [33.0]]), np.array([[1.0, -1.0, 0.0]])
    chance = np.array([[0.1, -0.1, 0.0], [-0.1, 0.0, 0.1], [0.0, 0.1, -0.1]])  # sums to 0 each way
    sd, degrees = scatter(own + luck + chance)
    assert degrees == (3 - 1) * (3 - 1)
    assert sd == pytest.approx(math.sqrt(6 * 0.01 / 4))
    assert effects_of_seeds(own + luck + chance) == pytest.approx(luck[0])


def test_of_one_mix_alone_seeds_scatter_by_their_deviation():
    lone = np.array([[30.0, 31.0, 32.0], [28.0, math.nan, math.nan]])
    assert scatter(lone) == (pytest.approx(1.0), 2)
    assert scatter(lone[1:])[1] == 0
    assert scatter(lone[:0])[1] == 0


def test_means_over_fewer_seeds_are_levelled_by_what_these_add():
    values = np.array([[30.0, 32.0], [20.0, 22.0], [25.0, math.nan]])  # the second seed adds 2
    assert effects_of_seeds(values) == pytest.approx([-1.0, 1.0])
    level = levelled(values)
    assert level[:2].tolist() == values[:2].tolist()
    assert level[2, 0] == pytest.approx(26.0)
    assert (levelled(values[:2]) == values[:2]).all()


def test_effects_of_seeds_are_found_where_cells_are_missing():
    own, luck = np.array([[30.0], [28.0], [33.0], [31.0]]), np.array([[1.0, -1.5, 0.5]])
    values = own + luck
    values[0, 2] = values[1, 0] = values[3, 1:] = math.nan
    assert effects_of_seeds(values) == pytest.approx(luck[0], abs=1e-6)


@pytest.mark.parametrize("n", [1, 4])
def test_of_two_mixes_one_is_surely_beaten_from_students_margin_on(n):
    margin = t_quantile(0.95, 6) * 0.1 * math.sqrt(2 / n)
    for lead, beaten in ((0.99 * margin, False), (1.01 * margin, True)):
        rows = [mix(0, 30.0, n=n), mix(1, 30.0 + lead, n=n)]
        assert surely_beaten(rows, plan(), SPREAD) == [beaten, False]


def test_the_more_mixes_could_beat_one_by_luck_the_larger_is_the_margin():
    lead = 1.01 * t_quantile(0.95, 6) * 0.1 * math.sqrt(2)
    assert surely_beaten([mix(0, 30.0), mix(1, 30.0 + lead)], plan(), SPREAD)[0]
    crowd = [mix(0, 30.0), mix(1, 30.0 + lead), *(mix(k, 30.0) for k in range(2, 20))]
    assert not surely_beaten(crowd, plan(), SPREAD)[0]
    needed = 1.01 * t_quantile(1 - 0.05 / 32, 6) * 0.1 * math.sqrt(2)  # 19, up to a power of 2
    crowd[1] = mix(1, 30.0 + needed)
    assert surely_beaten(crowd, plan(), SPREAD)[0]
    dear = [mix(0, 30.0), mix(1, 30.0 + lead), *(mix(k, 30.0, macs=2.0) for k in range(2, 20))]
    assert surely_beaten(dear, plan(), SPREAD)[0]  # what costs more could not beat it anyway


def test_between_mixes_that_lost_different_seeds_nothing_is_claimed():
    rows = [mix(0, 20.0, n=3), mix(1, 30.0, n=2)]
    assert surely_beaten(rows, plan(), SPREAD) == [False, False]


def test_what_costs_more_beats_nobody_and_equal_costs_are_equal():
    rows = [mix(0, 30.0, macs=1.0), mix(1, 39.0, macs=1.1), mix(2, 35.0, macs=1.0)]
    assert surely_beaten(rows, plan(), SPREAD) == [True, False, False]
    rows = [mix(0, 30.0, macs=1.0), mix(1, 39.0, macs=1.1)]
    assert surely_beaten(rows, plan(), SPREAD) == [False, False]


def test_a_cost_that_is_known_with_an_error_must_lead_by_more_than_that():
    goals = (Goal("psnr", "higher"), Goal("latency", "lower"))

    def timed(name: int, psnr: float, latency: float) -> Seen:
        values = {"psnr": psnr, "latency": latency}
        errors = {"latency": 0.01}
        return Seen(
            point=(name,), key=f"m{name}", status="partial", values=values, rung=25, errors=errors
        )

    margin = 1.6448536 * math.hypot(0.01, 0.01)
    for lead, beaten in ((0.99 * margin, False), (1.01 * margin, True)):
        rows = [timed(0, 30.0, 1.0), timed(1, 35.0, 1.0 - lead)]
        assert surely_beaten(rows, plan(goals=goals), SPREAD) == [beaten, False]


def test_where_nothing_is_known_of_seeds_nobody_is_surely_beaten():
    rows = [mix(0, 20.0), mix(1, 30.0)]
    assert surely_beaten(rows, plan(), {}) == [False, False]
    assert surely_beaten(rows, plan(), {"psnr": (math.nan, 0)}) == [False, False]
    assert promotions(rows, plan()) == [Proposal((0,), until=50), Proposal((1,), until=50)]


def test_claims_are_wrong_in_at_most_one_case_of_twenty():
    chance, wrong = np.random.default_rng(0), 0
    for _ in range(300):  # twelve mixes alike, two seeds, of which one is kinder to all
        values = chance.normal(30.0, 0.1, (12, 2)) + np.array([0.5, -0.5])
        rows = [mix(k, float(v.mean()), n=2) for k, v in enumerate(values)]
        wrong += sum(surely_beaten(rows, plan(), {"psnr": scatter(values)}))
    assert wrong / (300 * 12) < 0.05


def test_the_better_half_goes_on_and_so_does_who_is_not_surely_beaten():
    psnr = (31.0, 30.9, 30.8, 25.0)  # the third is behind by less than the margin
    rows = [mix(k, v, n=2, by_seed=scattered(k, 0.1)) for k, v in enumerate(psnr)]
    assert names(promotions(rows, plan())) == [(0, 50), (1, 50), (2, 50)]
    sure = [mix(k, 31.0 - k, n=2, by_seed=scattered(k, 0.01)) for k in range(4)]
    assert names(promotions(sure, plan())) == [(0, 50), (1, 50)]


def test_equals_of_the_last_one_that_is_kept_are_kept():
    front = [mix(k, 30.0 + k, macs=1.0 + k, n=2, by_seed=scattered(k, 0.001)) for k in range(3)]
    worse = [mix(3, 20.0, macs=9.0, n=2, by_seed=scattered(3, 0.001))]
    assert names(promotions(front + worse, plan())) == [(0, 50), (1, 50), (2, 50)]


def test_from_the_last_rung_mixes_go_to_their_end_and_nothing_is_proposed_twice():
    rows = [mix(k, 30.0 - k, n=2, by_seed=scattered(k, 0.01)) for k in range(4)]
    rows += [mix(k, 31.0 - k, rung=50, n=2, by_seed=scattered(k, 0.01)) for k in range(2)]
    assert names(promotions(rows, plan())) == [(0, 0)]
    rows += [mix(0, 33.0, rung=0, n=2)]
    assert promotions(rows, plan()) == []


def test_what_diverged_or_failed_further_on_is_not_proposed_again():
    rows = [mix(k, 30.0 - k, n=2, by_seed=scattered(k, 0.01)) for k in range(4)]
    rows += [Seen(point=(0,), key="m0", status="failed", rung=50)]
    rows += [Seen(point=(1,), key="m1", status="diverged", rung=50)]
    assert promotions(rows, plan()) == []


def test_who_was_left_behind_is_taken_up_once_more_mixes_are_kept():
    rows = [mix(k, 30.0 - k, n=2, by_seed=scattered(k, 0.01)) for k in range(4)]
    rows += [mix(k, 33.0 - k, rung=50, n=2, by_seed=scattered(k, 0.01)) for k in range(2)]
    rows += [mix(0, 35.0, rung=0, n=2)]
    assert promotions(rows, plan()) == []
    rows += [
        mix(k, 20.0 - k, n=2, by_seed=scattered(k, 0.01)) for k in range(4, 6)
    ]  # six now: three are kept
    assert names(promotions(rows, plan())) == [(2, 50)]


def test_seeds_scatter_as_at_the_nearest_rung_where_several_were_tried():
    rows = [mix(k, 30, n=1, by_seed=scattered(k, 0.3)) for k in range(2)]
    rows += [mix(k, 31, rung=50, by_seed=(0.0,)) for k in range(2)]
    assert spread_at(rows, 50, plan())["psnr"] == (pytest.approx(0.6), 1)  # sqrt(4 * 0.09 / 1)
    rows += [mix(k, 31, rung=50, by_seed=scattered(k, 0.1)) for k in range(2, 4)]
    assert spread_at(rows, 50, plan())["psnr"] == (pytest.approx(0.2), 1)


def test_with_one_seed_to_a_mix_the_first_few_show_how_far_seeds_scatter():
    space = Bare((10,))
    asked = proposals(space, [], plan(seeds=1))
    assert [proposal.seeds for proposal in asked] == [REPLICATES] * REPLICATED + [0] * 2
    assert {proposal.until for proposal in asked} == {25}
    assert {proposal.seeds for proposal in proposals(space, [], plan(seeds=2))} == {0}
    whole = proposals(space, [], plan(Schedule(), seeds=1))
    assert {(proposal.until, proposal.seeds) for proposal in whole} == {(0, 0)}


def trained(space: Space, proposal: Proposal, settings: SearchPlan) -> Seen:
    """What becomes of a proposal: better with more steps, seeds scatter by 0.02 dB."""
    key, n = space.mix(proposal.point).key, proposal.seeds or settings.seeds
    number = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16)
    if number % 11 == 0:
        return Seen(point=proposal.point, key=key, status="failed", rung=proposal.until)
    true = 25 + number % 997 / 200 + (proposal.until or 100) / 50
    draws = [true + random.Random(f"{key} {seed}").gauss(0, 0.02) for seed in range(n)]
    values = {
        "psnr": float(np.mean(draws[: settings.seeds])),
        "macs": float(1 + sum(proposal.point)),
    }
    return Seen(
        point=proposal.point,
        key=key,
        status="partial" if proposal.until else "done",
        values=values,
        rung=proposal.until,
        n=min(n, settings.seeds),
        scores={"psnr": dict(enumerate(draws))},
    )


def search(space: Space, settings: SearchPlan, seen: list[Seen] | None = None) -> list[Seen]:
    rows = list(seen or [])
    while batch := proposals(space, rows, settings):
        rows += [trained(space, proposal, settings) for proposal in batch]
        assert len(rows) < 500
    return rows


FULL = Schedule(rungs=(25, 50), keep=0.4, confirm=4)


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("name", ["grid", "random"])
def test_a_search_over_rungs_ends_and_trains_nothing_twice(name, seeds):
    settings = plan(FULL, seeds=seeds, search=name)
    rows = search(Bare((3, 3, 4)), settings)
    steps = [(row.key, row.rung, row.trials) for row in rows]
    assert len(set(steps)) == len(steps)
    whole = {row.key for row in rows if not row.rung}
    rested = {row.key for row in rows if row.rung == 25 and row.status == "partial"}
    assert whole < rested  # some were left behind, and nobody jumped over a rung
    assert len(whole) >= 0.4 * 0.4 * len(rested)


def test_no_mix_of_the_true_front_is_left_behind():
    space, settings = Bare((3, 3, 4)), plan(FULL, seeds=2)
    rows = search(space, settings)
    every = [trained(space, Proposal(point), settings) for point in space.points()]
    alive = [row for row in every if row.status == "done"]
    ranks = beaten_by(goals_of(alive, settings))
    best = {row.key for row, rank in zip(alive, ranks, strict=True) if rank == 0}
    assert best <= {row.key for row in rows if not row.rung}


def test_the_same_rows_give_the_same_batch_and_a_search_goes_on_where_it_was():
    space, settings = Bare((3, 3, 4)), plan(FULL, seeds=1)
    rows, begun = search(space, settings), list[Seen]()
    while batch := proposals(space, begun, settings):
        assert batch == proposals(Bare((3, 3, 4)), list(begun), settings)
        begun += [trained(space, proposal, settings) for proposal in batch]
        assert begun == rows[: len(begun)]
    assert len(begun) == len(rows)


def test_a_strategy_sees_each_mix_once_by_its_longest_training():
    rows = [mix(0, 1), mix(1, 2), mix(0, 3, rung=50), mix(1, 4, rung=0), mix(1, 5, rung=0, n=5)]
    assert [(row.key, row.values["psnr"]) for row in furthest(rows)] == [("m0", 3), ("m1", 5)]


LUCK = (0.0, -0.8, -0.8, -0.8, -0.8)  # what a mix is with each seed, beside the first


def test_the_front_is_confirmed_until_all_that_are_on_it_have_their_seeds():
    settings, one = plan(Schedule(confirm=5), seeds=1), (0.0,)
    rows = [
        mix(0, 31.0, rung=0, by_seed=one),
        mix(1, 30.9, rung=0, by_seed=one),
        mix(2, 29.0, macs=0.5, rung=0, by_seed=one),
        mix(3, 40.0, by_seed=one),  # was left at a rung: it is not on the front
    ]
    assert confirmations(rows, settings) == [Proposal((0,), seeds=5), Proposal((2,), seeds=5)]
    rows += [mix(0, 31.0, rung=0, by_seed=LUCK)]  # its first seed was a lucky one
    rows += [mix(2, 29.0, macs=0.5, rung=0, by_seed=(0.0,) * 5)]
    assert confirmations(rows, settings) == [Proposal((1,), seeds=5)]
    rows += [mix(1, 30.9, rung=0, by_seed=(0.0, -0.3, -0.3, -0.3, -0.3))]
    assert confirmations(rows, settings) == []


def test_kind_seeds_of_the_others_push_no_mix_off_the_front():
    settings, kind = plan(Schedule(confirm=5), seeds=1), (0.0, 1.0, 1.0, 1.0, 1.0)
    rows = [mix(k, v, m, rung=0, by_seed=(0.0,)) for k, v, m in ((0, 30.0, 1.0), (2, 29.0, 0.5))]
    rows += [mix(k, v, m, rung=0, by_seed=kind) for k, v, m in ((0, 30.0, 1.0), (2, 29.0, 0.5))]
    rows += [mix(1, 30.1, rung=0, by_seed=(0.0,))]  # 30.8 is the mean of the first one
    assert confirmations(rows, settings) == [Proposal((1,), seeds=5)]


def test_a_mix_that_cannot_be_confirmed_is_not_asked_for_ever():
    settings, lone = plan(Schedule(confirm=5), seeds=1), mix(0, 31.0, rung=0, by_seed=(0.0,))
    again = mix(0, 31.0, rung=0, by_seed=(0.0, 0.0))  # three of five seeds failed
    assert confirmations([lone], settings) == [Proposal((0,), seeds=5)]
    assert confirmations([lone, again], settings) == []
    assert confirmations([], settings) == []
    assert confirmations([lone], plan(Schedule(), seeds=1)) == []


def test_a_budget_of_trials_is_kept_to_and_what_rests_is_brought_to_its_end():
    space = Bare((3, 3, 4))
    settings = plan(Schedule(rungs=(25,), keep=0.5), Stop(trials=21), seeds=2)
    rows = search(space, settings)
    assert len({row.key for row in rows}) == 10
    assert trials_begun(rows, 2) == 20
    assert any(not row.rung for row in rows)
    assert cut_short(space, rows, settings) == "20 of 21 trials were begun"
    enough = plan(Schedule(), Stop(trials=36), seeds=1)
    assert cut_short(space, search(space, enough), enough) == ""  # the grid was through as well


def test_a_small_budget_leaves_less_seeds_to_the_first_mixes():
    asked = proposals(Bare((5,)), [], plan(seeds=1, stop=Stop(trials=5)))
    assert [proposal.seeds for proposal in asked] == [2, 2, 1]


def test_time_that_is_up_ends_a_search_and_leaves_what_rests():
    space = Bare((5,))
    settings = plan(stop=Stop(hours=2.0, device_hours=3.0))
    rested = [trained(space, proposal, settings) for proposal in proposals(space, [], settings)]
    assert search_on(space, rested, settings, Spent(hours=1.9, device_hours=2.9))
    assert not search_on(space, rested, settings, Spent(hours=2.0))
    assert not search_on(space, rested, settings, Spent(device_hours=3.5))
    assert time_is_up(settings.stop, Spent(hours=2.25)) == "2.25 of 2 hours are spent"
    words = time_is_up(settings.stop, Spent(device_hours=3.5))
    assert words == "3.5 of 3 device hours are spent"


def test_where_rules_are_looked_at_batches_are_small():
    space = Bare((5, 5))
    assert most_at_once(Stop(trials=9), 1) is None
    assert len(proposals(space, [], plan(stop=Stop(hours=1.0)))) == 8
    assert len(proposals(space, [], plan(stop=Stop(flat=30), seeds=2))) == 15
    assert len(proposals(space, [], plan())) == 25


def test_flat_is_when_the_last_trials_left_the_hypervolume_as_it_was():
    better = [mix(k, 30.0 + k, rung=0) for k in range(3)]
    worse = [mix(k, 20.0, macs=2.0, rung=0) for k in range(3, 6)]
    assert not is_flat(better, 1, GOALS, 1)
    assert not is_flat(better + worse, 4, GOALS, 1)
    assert is_flat(better + worse, 3, GOALS, 1)
    assert not is_flat(worse, 4, GOALS, 1)  # fewer trials than that
    assert is_flat(better + worse, 6, GOALS, 2)  # two trials to a mix
    left = [mix(k, 50.0, macs=0.1) for k in range(6, 9)]  # at a rung: they add nothing
    assert is_flat(better + left, 3, GOALS, 1)
    assert not is_flat(left, 2, GOALS, 1)  # nothing came to its end yet


def test_a_search_ends_when_it_is_flat():
    space = Bare((2, 5, 5))

    def ended(point: Point) -> Seen:
        row = trained(space, Proposal(point), settings)
        return Seen(
            point=point,
            key=row.key,
            status="done",
            values={"psnr": 30.0 - space.label(point).count("block0"), "macs": 1.0},
        )

    settings = plan(Schedule(), Stop(flat=10), seeds=1)
    rows = list[Seen]()
    while batch := proposals(space, rows, settings):
        rows += [ended(proposal.point) for proposal in batch]
    assert len(rows) < space.size
    assert cut_short(space, rows, settings) == "the hypervolume has not grown in the last 10 trials"


def test_rungs_leave_a_known_part_of_the_steps():
    schedule = Schedule(rungs=(25, 50), keep=0.5)
    assert least_steps(schedule, 100) == (25 + 0.5 * 25 + 0.25 * 50) / 100
    assert least_steps(Schedule(), 100) == 1.0


def test_what_a_schedule_means_is_said_before_it_is_run():
    schedule = Schedule(rungs=(25, 50), keep=0.5, confirm=5)
    stop = Stop(trials=40, hours=2, device_hours=1.5, flat=20)
    assert schedule_words(schedule, stop, 24, 1, 100) == (
        "rungs: all 24 mixes rest at step 25, at least 12 go on to step 50, at least 6 go on to "
        "the end (step 100): 50 % of the training steps, and more where mixes cannot be told apart",
        "the first 8 mixes have 2 seeds at step 25, to learn how far seeds scatter",
        "confirm: mixes on the front get 5 seeds in the end, 4 more each; that comes on top",
        "stop: after 40 trials or 2 h or 1.5 h of training or 20 trials without a larger "
        "hypervolume; looked at after every 20 mixes at most",
    )
    assert schedule_words(Schedule(), Stop(), 24, 3, 100) == ()
    assert within_budget(stop, 24, 3) == 13
    assert within_budget(Stop(), 24, 3) == 24
