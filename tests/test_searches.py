"""Every strategy proposes each mix at most once, ends, and depends only on what it is given."""

from __future__ import annotations

import pytest

from ablate.mix import Choice
from ablate.searches import Point, Seen, propose, strategies
from ablate.study import Study, load_study

SETTINGS = {name: Choice.of(name) for name in strategies}
SETTINGS["random"] = Choice.of("random", {"n": 7, "seed": 3})


def space(depths: list[int] | int = 1) -> Study:
    """Three axes, 3 x 2 x 2 points; with a depth of 0 some of them are the same mix."""
    stage = [
        {"block": ["rdcnn", "lama", "mwsa"], "depth": depths},
        {"block": ["rdcnn", "lama"]},
    ]
    network = {"width": [8, 16], "stage": stage}
    return load_study({"question": "?", "task": {"degradation": "haze"}, "network": network})


def row(study: Study, point: Point, number: int) -> Seen:
    """What becomes of a mix: every third fails, and so has no values."""
    key = study.mix(point).key
    if number % 3 == 2:
        return Seen(point=point, key=key, status="failed")
    return Seen(point=point, key=key, status="done", values={"psnr": 30.0 - number, "latency": 1.0})


def run(study: Study, search: Choice) -> list[Seen]:
    """Search to the end, one batch after the other."""
    seen: list[Seen] = []
    while batch := propose(study, seen, search):
        seen += [row(study, point, len(seen) + k) for k, point in enumerate(batch)]
        assert len(seen) <= study.size
    return seen


every_strategy = pytest.mark.parametrize("name", SETTINGS)


@every_strategy
def test_a_search_ends_without_repeating_a_mix(name: str) -> None:
    for study in (space(), space([0, 1])):
        keys = [row.key for row in run(study, SETTINGS[name])]
        assert keys and len(set(keys)) == len(keys)


@every_strategy
def test_proposals_are_points_of_the_study(name: str) -> None:
    study = space()
    assert {row.point for row in run(study, SETTINGS[name])} <= set(study.points())


@every_strategy
def test_the_same_rows_give_the_same_proposals(name: str) -> None:
    study, again = space(), space()
    seen = run(study, SETTINGS[name])
    for count in range(len(seen) + 1):
        rows = seen[:count]
        assert propose(study, rows, SETTINGS[name]) == propose(again, rows, SETTINGS[name])


@every_strategy
def test_a_search_that_was_cut_off_goes_on_to_the_same_mixes(name: str) -> None:
    study = space()
    seen = run(study, SETTINGS[name])
    for count in range(len(seen) + 1):
        rest = propose(study, seen[:count], SETTINGS[name])
        assert {row.key for row in seen[count:]} == {study.mix(point).key for point in rest}


@every_strategy
def test_mixes_that_all_failed_are_not_proposed_for_ever(name: str) -> None:
    study, seen = space(), list[Seen]()
    while batch := propose(study, seen, SETTINGS[name]):
        keys = [(point, study.mix(point).key) for point in batch]
        seen += [Seen(point=point, key=key, status="failed") for point, key in keys]
        assert len(seen) <= study.size


@every_strategy
def test_a_study_that_asks_nothing_has_one_proposal(name: str) -> None:
    network = {"stage": [{"block": "rdcnn"}]}
    raw = {"question": "?", "task": {"degradation": "haze"}, "network": network}
    assert propose(load_study(raw), [], SETTINGS[name]) == [()]


def test_the_grid_is_all_points_in_order_in_one_batch() -> None:
    study = space()
    assert propose(study, [], Choice.of("grid")) == list(study.points())


def test_the_grid_asks_for_equal_mixes_once() -> None:
    study = space([0, 1])
    assert study.size == 24
    assert len(propose(study, [], Choice.of("grid"))) == 12 + 4  # depth 0: any block is none


def test_random_draws_as_many_as_asked_and_all_where_there_are_fewer() -> None:
    study = space([0, 1])
    for n, expected in ((1, 1), (7, 7), (16, 16), (99, 16)):
        points = propose(study, [], Choice.of("random", {"n": n, "seed": 0}))
        assert len({study.mix(point).key for point in points}) == len(points) == expected


def test_random_depends_on_its_seed_and_is_even() -> None:
    study = space()
    draws = [
        propose(study, [], Choice.of("random", {"n": 1, "seed": seed}))[0] for seed in range(600)
    ]
    counts = {point: draws.count(point) for point in study.points()}
    assert sum(counts.values()) == 600
    assert all(25 <= count <= 80 for count in counts.values())  # 50 expected, +- 3.7 deviations


def test_random_does_not_walk_through_a_large_space() -> None:
    blocks = ["rdcnn", "lama", "nafblock", "emvm", {"name": "mwsa", "window": [2, 4, 8, 16]}]
    network = {"width": [8, 16], "stage": [{"block": blocks}] * 6}
    raw = {"question": "?", "task": {"degradation": "haze"}, "network": network}
    study = load_study(raw)
    assert study.size == 2 * 8**6
    assert len(propose(study, [], Choice.of("random", {"n": 20, "seed": 0}))) == 20


def test_uniform_gives_stages_with_the_same_alternatives_the_same_one() -> None:
    kinds = ["rdcnn", "lama", "mwsa"]
    stage = [{"block": kinds}, {"block": kinds}, {"block": ["rdcnn", "lama"]}]
    study = load_study(
        {"question": "?", "task": {"degradation": "haze"}, "network": {"width": 8, "stage": stage}}
    )
    points = propose(study, [], Choice.of("uniform"))
    assert points == [(0, 0, 0), (0, 0, 1), (1, 1, 0), (1, 1, 1), (2, 2, 0), (2, 2, 1)]


def test_one_at_a_time_changes_one_axis_of_the_first_mix() -> None:
    points = propose(space(), [], Choice.of("one_at_a_time"))
    assert points == [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 2, 0), (0, 0, 1)]


def test_an_unknown_strategy_is_an_error_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="no strategy is named 'gird'; did you mean 'grid'"):
        propose(space(), [], Choice.of("gird"))


def test_random_refuses_to_draw_nothing() -> None:
    with pytest.raises(ValueError, match="n must be at least 1; got 0"):
        propose(space(), [], Choice.of("random", {"n": 0, "seed": 0}))
