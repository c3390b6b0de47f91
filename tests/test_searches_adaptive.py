"""Searches that learn: what they are told, that they never repeat, and that they find the best."""

from __future__ import annotations

import logging
import math
import random as chance
from collections.abc import Callable

import pytest

from ablate.mix import Choice
from ablate.searches import Constrained, Goal, Point, Seen, Space, propose
from ablate.searches.bare import Bare
from ablate.searches.conformance import search_through
from ablate.searches.weighing import weigh, weighed_words

optuna = pytest.importorskip("optuna")

from ablate.searches.suggesting import by_nsga2, by_tpe  # noqa: E402

LEARNING = ["tpe", "nsga2"]


def row(space: Bare, point: Point, **values: float) -> Seen:
    return Seen(point=point, key=space.mix(point).key, status="done", values=values)


def towards(best: Point) -> Callable[..., Seen]:
    """Accuracy falls with the distance from one point; costs are those of its position."""

    def ended(space: Bare, point: Point) -> Seen:
        off = sum(abs(a - b) for a, b in zip(point, best, strict=True))
        return row(space, point, psnr=30.0 - off, macs=1.0)

    return ended


class Larger(Bare):
    """A space whose search weighs what a study weighs by default."""

    @property
    def goals(self) -> tuple[Goal, ...]:
        return (Goal("psnr", "higher"), Goal("latency", "lower"))


@pytest.mark.parametrize("name", LEARNING)
def test_two_hundred_asked_of_256_mixes_are_two_hundred_different_ones(name: str) -> None:
    bare, search = Bare((4,) * 4), Choice.of(name, {"n": 200, "batch": 40})
    keys = [seen.key for seen in search_through(search, bare, ended=towards((1, 2, 3, 0)))]
    assert len(keys) == len(set(keys)) == 200


@pytest.mark.parametrize("name", LEARNING)
def test_learning_finds_what_is_good_sooner_than_chance(name: str) -> None:
    bare, best, n = Bare((4,) * 5), (3, 1, 2, 0, 3), 64
    found = []
    for seed in range(3):
        search = Choice.of(name, {"n": n, "batch": 8, "seed": seed})
        seen = search_through(search, bare, ended=towards(best))
        found.append(max(one.values["psnr"] for one in seen))
    assert sum(found) / 3 >= 29  # of 1024 mixes; the best of 64 drawn has 28.35 on average


@pytest.mark.parametrize("name", LEARNING)
def test_the_batch_is_the_study_s_and_the_budget_is_kept(name: str) -> None:
    bare, search, sizes = Bare((4,) * 4), Choice.of(name, {"n": 22, "batch": 8}), list[int]()
    seen = list[Seen]()
    while batch := propose(bare, seen, search):
        sizes.append(len(batch))
        seen += [towards((0, 0, 0, 0))(bare, point) for point in batch]
    assert sizes == [8, 8, 6]


@pytest.mark.parametrize("name", LEARNING)
def test_rows_after_the_last_whole_batch_don_t_change_what_is_left_of_it(name: str) -> None:
    bare, search = Bare((4,) * 4), Choice.of(name, {"n": 24, "batch": 8})
    seen = search_through(search, bare, ended=towards((1, 1, 1, 1)))
    third = [one.point for one in seen[16:]]
    for cut in range(16, 24):
        assert propose(bare, seen[:cut], search) == third[cut - 16 :]


@pytest.mark.parametrize("name", LEARNING)
def test_what_was_learnt_matters_and_so_does_the_seed(name: str) -> None:
    bare, search = Bare((4,) * 4), Choice.of(name, {"n": 64, "batch": 16})
    first = propose(bare, [], search)
    one, other = ([towards(best)(bare, point) for point in first] for best in ((0,) * 4, (3,) * 4))
    assert propose(bare, one, search) != propose(bare, other, search)
    again = Choice.of(name, {"n": 64, "batch": 16, "seed": 1})
    assert propose(bare, [], again) != first


def test_tpe_is_told_how_far_a_mix_is_from_keeping_its_constraints() -> None:
    bare = Bare((4, 6, 6))
    told = Constrained(bare, lambda point: point[0] == 0, lambda point: float(point[0]))
    grid = [(0, a, b) for a in range(4) for b in range(4)]
    rows = [row(bare, point, psnr=25.0 + point[1], macs=1.0 + point[2]) for point in grid]

    def kept(space: Space) -> int:
        suggested = [by_tpe(space, rows, 4, seed) for seed in range(2)]
        return sum(next(one)[0] == 0 for one in suggested for _ in range(50))

    assert kept(told) >= 1.15 * kept(bare)


def test_generations_are_the_batches_and_the_best_of_them_are_crossed() -> None:
    bare = Bare((6,) * 4)
    rows = [row(bare, (5, 5, 5, k), psnr=40.0, macs=1.0) for k in range(2)]
    rows += [row(bare, (0, k, 1, 1), psnr=20.0, macs=9.0) for k in range(2)]
    suggested = by_nsga2(bare, rows * 2, 4, 0)  # two generations
    points = [next(suggested) for _ in range(40)]
    from_best = sum(position == 5 for point in points for position in point[:3])
    assert from_best >= 80  # of 120; by chance 20, and one axis in four is drawn anew


def test_nsga2_goes_on_when_one_or_none_of_a_generation_is_left() -> None:
    bare, search = Bare((3, 3)), Choice.of("nsga2", {"n": 8, "batch": 4})
    points = propose(bare, [], search)
    for good in (0, 1):
        rows = [
            row(bare, point, psnr=30.0, macs=1.0)
            if k < good
            else Seen(point=point, key=bare.mix(point).key, status="diverged")
            for k, point in enumerate(points)
        ]
        assert len(set(propose(bare, rows, search))) == 4


def test_four_hundred_generations_are_gone_through_without_deep_recursion() -> None:
    bare = Bare((40, 60))
    rows = [row(bare, bare.at(k), psnr=k % 7, macs=k % 5) for k in range(800)]
    assert len(next(by_nsga2(bare, rows, 2, 0))) == 2


def test_optuna_announces_nothing_and_keeps_its_own_setting(caplog: pytest.LogCaptureFixture):
    before = optuna.logging.get_verbosity()
    with caplog.at_level(logging.INFO):
        next(by_tpe(Bare((2, 2)), [], 4, 0))
    assert not caplog.records and optuna.logging.get_verbosity() == before


def test_what_is_timed_never_steers_a_search() -> None:
    space = Larger((2, 2))
    points = list(space.points())
    counted = [row(space, p, psnr=25.0, macs=2.0, latency=chance.random()) for p in points]
    assert [goal.name for goal in weigh(space, counted).goals] == ["psnr", "macs"]
    predicted = [row(space, p, psnr=25.0, macs=2.0, predicted_latency=0.1) for p in points]
    assert weigh(space, predicted).goals == (
        Goal("psnr", "higher"),
        Goal("predicted_latency", "lower"),
    )
    assert weigh(space, predicted).values == ((25.0, 0.1),) * 4
    neither = [row(space, p, psnr=25.0, latency=0.5) for p in points]
    assert [goal.name for goal in weigh(space, neither).goals] == ["psnr"]
    assert weigh(space, []).goals == ()


def test_what_stands_in_place_of_latency_is_said() -> None:
    space = Larger((2, 2))
    assert weighed_words(space, ["macs"]) == "the search weighs psnr and macs in place of latency"
    both = ["macs", "predicted_latency"]
    words = "the search weighs psnr and predicted_latency in place of latency"
    assert weighed_words(space, both) == words
    assert weighed_words(Bare((2, 2)), both) == "the search weighs psnr and macs"


def test_failed_and_incomparable_rows_have_no_numbers() -> None:
    bare = Bare((2, 2, 2))
    good = [row(bare, (0, 0, k), psnr=25.0 + k, macs=1.0) for k in range(2)]
    failed = Seen(point=(0, 1, 0), key="f", status="failed")
    diverged = Seen(point=(0, 1, 1), key="d", status="diverged", values={"psnr": 9.0, "macs": 1.0})
    assert weigh(bare, [failed, *good, diverged]).values == (None, (25.0, 1.0), (26.0, 1.0), None)
    endless = row(bare, (1, 1, 1), psnr=math.inf, macs=1.0)
    assert [goal.name for goal in weigh(bare, [*good, endless]).goals] == ["macs"]


def test_only_trainings_of_one_length_compare_the_longest_that_enough_have_had() -> None:
    bare = Bare((4, 4))

    def at(rung: int, count: int) -> list[Seen]:
        status = "partial" if rung else "done"
        values = {"psnr": float(rung), "macs": 1.0}
        return [
            Seen(point=(0, 0), key=f"{rung} {k}", status=status, values=values, rung=rung)  # type: ignore[arg-type]
            for k in range(count)
        ]

    rows = [*at(25, 9), *at(50, 4), *at(0, 2)]
    for least, length in ((2, 0.0), (3, 50.0), (5, 25.0), (10, 25.0)):
        values = [one for one in weigh(bare, rows, least).values if one is not None]
        assert {one[0] for one in values} == {length}
