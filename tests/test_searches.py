"""Every strategy keeps to the same rules; each does what its name says."""

from __future__ import annotations

import random as chance
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.mix import Choice
from ablate.planning.words import plan_lines
from ablate.plugins import load_plugins
from ablate.runs.plan import Plan, _search_words
from ablate.searches import (
    Constrained,
    NothingToTry,
    Point,
    Seen,
    Space,
    all_in_all,
    check_search,
    optimal,
    propose,
    strategies,
)
from ablate.searches.bare import Bare
from ablate.searches.conformance import RULES, breaches, search_through, trained
from ablate.searches.counting import different_mixes
from ablate.searches.drawing import PATIENCE, Fresh, drawn, neighbours, shuffled
from ablate.study import Study, StudyError, load_study

SMALL = {  # knobs with which a search takes several batches of the rules' small spaces
    "random": {"n": 7, "seed": 3},
    "tpe": {"n": 14, "batch": 4, "startup": 5},
    "nsga2": {"n": 14, "batch": 4},
    "d_optimal": {"n": 12},
}

ASKED = {"question": "?", "task": {"degradation": "haze"}}


def space(depths: list[int] | int = 1) -> Study:
    """Three axes, 3 x 2 x 2 points; with a depth of 0 some of them are the same mix."""
    stage = [
        {"block": ["rdcnn", "lama", "mwsa"], "depth": depths},
        {"block": ["rdcnn", "lama"]},
    ]
    network = {"width": [8, 16], "stage": stage}
    return load_study({"question": "?", "task": {"degradation": "haze"}, "network": network})


@pytest.fixture(scope="module")
def small() -> Study:
    return space()


@pytest.fixture(scope="module")
def alike() -> Study:
    return space([0, 1])


@pytest.mark.parametrize("name", list(strategies))
def test_every_strategy_keeps_to_the_rules(name: str) -> None:
    assert list(breaches(name, SMALL.get(name))) == []


def _repeats(study: Space, seen: Sequence[Seen]) -> list[Point]:
    return [study.at(0)] if len(seen) < 3 else []


def _strays(study: Space, seen: Sequence[Seen]) -> list[Point]:
    return [] if seen else [tuple(9 for _ in study.axes)]


def _goes_beyond(study: Space, seen: Sequence[Seen]) -> list[Point]:
    return [] if seen else list(study.points())


def _rolls_dice(study: Space, seen: Sequence[Seen]) -> list[Point]:
    fresh = Fresh(study, {row.key for row in seen})
    return [] if len(seen) > 5 else next(([p] for p in drawn(study, fresh, chance.Random())), [])


def _trips(study: Space, seen: Sequence[Seen]) -> list[Point]:
    worst = [row.values["psnr"] for row in seen]
    return [] if worst else [study.at(0), study.at(study.size - 1)]


def _forgets(study: Space, seen: Sequence[Seen]) -> list[Point]:
    return [study.at(k) for k in (0, 1, 2)] if not seen else []


def _refuses(study: Space, seen: Sequence[Seen]) -> list[Point]:
    raise ValueError("not this one")


def _says_nothing(study: Space, seen: Sequence[Seen]) -> list[Point]:
    return []


BAD = {
    "never repeats a mix: two alternatives: it does not": _repeats,
    "proposes what may be tried: two alternatives: it does not": _strays,
    "proposes what may be tried: constrained: it does not": _goes_beyond,
    "never repeats a mix: points alike: it does not": _goes_beyond,
    "the same rows, the same proposal: two alternatives: it does not": _rolls_dice,
    "survives failed rows: two alternatives: it raises KeyError: 'psnr'": _trips,
    "resumes where it was cut off: two alternatives: it does not": _forgets,
    "a study that asks nothing has one mix: two alternatives: it does not": _forgets,
    "works: it refuses every space": _refuses,
    "ends: two alternatives: it does not": _says_nothing,
}


@pytest.mark.parametrize("breach", BAD)
def test_a_strategy_that_breaks_a_rule_is_found_out(
    breach: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategies, "_entries", dict(strategies._entries))
    strategies.register(name="bad")(BAD[breach])
    found = list(breaches("bad"))
    if breach.startswith("a study that asks nothing"):
        assert any(line.startswith("a study that asks nothing has one mix") for line in found)
    else:
        assert breach in found


def test_every_rule_is_broken_by_some_bad_strategy() -> None:
    assert {breach.partition(":")[0] for breach in BAD} == {*RULES, "works"}


def test_a_plug_in_brings_a_strategy_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategies, "_entries", dict(strategies._entries))
    page = Path(__file__).parents[1] / "docs" / "searches.md"
    example = page.read_text(encoding="utf-8").split("```python\n")[1].partition("```")[0]
    file = tmp_path / "ends_of_the_grid.py"
    file.write_text(example, encoding="utf-8")
    load_plugins([str(file)])
    assert list(breaches("ends_of_the_grid")) == []
    raw = {**ASKED, "network": {"width": [8, 16], "stage": [{"block": "rdcnn"}]}}
    study = load_study({**raw, "search": {"strategy": "ends_of_the_grid", "far": False}})
    assert propose(study, [], study.search) == [(0,)]
    with pytest.raises(
        StudyError, match="no ends_of_the_grid knob is named 'fat'; did you mean 'fa"
    ):
        load_study({**raw, "search": {"strategy": "ends_of_the_grid", "fat": False}})


def test_the_grid_is_all_points_in_order_in_one_batch(small: Study) -> None:
    assert propose(small, [], Choice.of("grid")) == list(small.points())


def test_the_grid_asks_for_equal_mixes_once(alike: Study) -> None:
    assert alike.size == 24
    assert len(propose(alike, [], Choice.of("grid"))) == 12 + 4  # depth 0: any block is none


def test_random_draws_as_many_as_asked_and_all_where_there_are_fewer(alike: Study) -> None:
    for n, expected in ((1, 1), (7, 7), (16, 16), (99, 16)):
        points = propose(alike, [], Choice.of("random", {"n": n, "seed": 0}))
        assert len({alike.mix(point).key for point in points}) == len(points) == expected


def test_random_depends_on_its_seed_and_is_even() -> None:
    bare = Bare((3, 2, 2))
    draws = [propose(bare, [], Choice.of("random", {"n": 1, "seed": s}))[0] for s in range(600)]
    counts = {point: draws.count(point) for point in bare.points()}
    assert sum(counts.values()) == 600
    assert all(25 <= count <= 80 for count in counts.values())  # 50 expected, +- 3.7 deviations


@pytest.mark.parametrize("name", ["random", "d_optimal", "tpe", "nsga2"])
def test_a_search_does_not_walk_through_a_large_space(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimal, "CANDIDATES", 300)
    asked = list[int]()

    class Counted(Bare):
        def at(self, index: int) -> Point:
            asked.append(index)
            return super().at(index)

    large = Counted((2,) * 30)
    n = 40 if name == "d_optimal" else 20
    assert large.size > 10**9
    assert len(search_through(Choice.of(name, {"n": n}), large)) == n
    assert len(asked) <= 700


def test_a_draw_ends_where_nothing_more_is_found() -> None:
    rare = Constrained(Bare((10,) * 9), lambda point: point == (0,) * 9)
    assert len(list(drawn(rare, Fresh(rare), chance.Random(0)))) <= 1
    few = Constrained(Bare((10,) * 4), lambda point: point[:3] == (0,) * 3)
    assert few.size < PATIENCE
    assert sorted(drawn(few, Fresh(few), chance.Random(0))) == [(0, 0, 0, k) for k in range(10)]


def test_a_shuffle_has_every_number_once_and_depends_on_the_seed() -> None:
    first, again, other = (list(shuffled(50, chance.Random(seed))) for seed in (1, 1, 2))
    assert sorted(first) == list(range(50))
    assert first == again != other


def test_neighbours_differ_on_one_axis() -> None:
    found = neighbours(Bare((2, 3)), (0, 1), chance.Random(0))
    assert sorted(found) == [(0, 0), (0, 2), (1, 1)]


def test_uniform_gives_stages_with_the_same_alternatives_the_same_one() -> None:
    kinds = ["rdcnn", "lama", "mwsa"]
    stage = [{"block": kinds}, {"block": kinds}, {"block": ["rdcnn", "lama"]}]
    study = load_study(
        {"question": "?", "task": {"degradation": "haze"}, "network": {"width": 8, "stage": stage}}
    )
    points = propose(study, [], Choice.of("uniform"))
    assert points == [(0, 0, 0), (0, 0, 1), (1, 1, 0), (1, 1, 1), (2, 2, 0), (2, 2, 1)]


def test_one_at_a_time_changes_one_axis_of_the_first_mix(small: Study) -> None:
    points = propose(small, [], Choice.of("one_at_a_time"))
    assert points == [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 2, 0), (0, 0, 1)]


def test_swap_changes_the_blocks_of_a_mix_and_nothing_else(small: Study) -> None:
    assert [axis.name for axis in small.axes] == ["width", "stage1", "stage2"]
    assert small.block_axes == (1, 2)
    points = propose(small, [], Choice.of("swap"))
    assert points == [(0, 0, 0), (0, 1, 0), (0, 2, 0), (0, 0, 1)]
    base = small.label((1, 2, 1))
    points = propose(small, [], Choice.of("swap", {"base": base}))
    assert points == [(1, 2, 1), (1, 0, 1), (1, 1, 1), (1, 2, 0)]
    points = propose(small, [], Choice.of("swap", {"base": base, "stage": "stage2"}))
    assert points == [(1, 2, 1), (1, 2, 0)]


def test_leave_one_out_puts_the_stand_in_into_each_stage_in_turn() -> None:
    points = propose(Bare((3, 2, 4)), [], Choice.of("leave_one_out"))
    assert points == [(0, 0, 0), (2, 0, 0), (0, 1, 0), (0, 0, 3)]
    settings = {"base": "block1 | identity | block2", "stand_in": "identity"}
    points = propose(Bare((3, 2, 4)), [], Choice.of("leave_one_out", settings))
    assert points == [(1, 1, 2), (2, 1, 2), (1, 1, 3)]  # stage 2 is without its block already


def test_leave_one_out_begins_with_blocks_where_the_stand_in_is_written_first() -> None:
    stage = [{"block": ["identity", "rdcnn"]}, {"block": ["lama", "identity"]}, {"block": "rdcnn"}]
    raw = {**ASKED, "network": {"width": 8, "stage": stage}}
    study = load_study({**raw, "search": {"strategy": "leave_one_out"}})
    points = propose(study, [], study.search)
    assert [study.label(point) for point in points] == [
        "rdcnn | lama",
        "identity | lama",
        "rdcnn | identity",
    ]


REFUSED = {
    "random: n must be at least 1; got 0": {"strategy": "random", "n": 0},
    "d_optimal: n must be at least 1; got 0": {"strategy": "d_optimal", "n": 0},
    "tpe: startup must be at least 1; got 0": {"strategy": "tpe", "startup": 0},
    "nsga2: batch must be at least 2; got 1": {"strategy": "nsga2", "batch": 1},
    "d_optimal: n must be at least 5, the numbers behind the mean and all main effects; got 4": {
        "strategy": "d_optimal",
        "n": 4,
    },
    "d_optimal: n must be at least 10, the numbers behind the mean and all main and two-way "
    "effects; got 9": {"strategy": "d_optimal", "n": 9, "two_way": True},
    "swap: base: no mix is labelled 'mwsa'; labels look like 'width=8 | rdcnn | rdcnn'": {
        "strategy": "swap",
        "base": "mwsa",
    },
    "swap: stage: no stage 'stage3' has several blocks; did you mean 'stage2'? "
    "(there are: stage1, stage2)": {"strategy": "swap", "stage": "stage3"},
    "leave_one_out: stand_in: 'identity' must be an alternative of every stage that has several; "
    "missing in: stage1, stage2": {"strategy": "leave_one_out"},
    "factorial: factorial compares two alternatives of each axis, but stage1 has 3; leave two of "
    "them, or use d_optimal": {"strategy": "factorial"},
}


@pytest.mark.parametrize("text", REFUSED)
def test_knobs_that_cannot_work_are_said_when_the_study_is_read(text: str) -> None:
    stage = [{"block": ["rdcnn", "lama", "mwsa"]}, {"block": ["rdcnn", "lama"]}]
    network = {"width": [8, 16], "stage": stage}
    with pytest.raises(StudyError) as refused:
        load_study({**ASKED, "network": network, "search": REFUSED[text]})
    assert refused.value.problems == (f"study: search: {text}",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("swap", r"no stage has several blocks to swap \(axes: width\); use one_at_a_time"),
        ("leave_one_out", "missing in: no stage with alternatives"),
    ],
)
def test_a_design_of_stages_needs_stages_with_alternatives(name: str, text: str) -> None:
    raw = {**ASKED, "network": {"width": [8, 16], "stage": [{"block": "rdcnn"}]}}
    with pytest.raises(StudyError, match=text):
        load_study({**raw, "search": {"strategy": name}})


def test_an_unknown_strategy_is_an_error_with_the_nearest(small: Study) -> None:
    with pytest.raises(ValueError, match="no strategy is named 'gird'; did you mean 'grid'"):
        propose(small, [], Choice.of("gird"))


def test_a_search_without_a_mix_says_so() -> None:
    nothing = Constrained(Bare((2, 2)), lambda point: False)
    for name in strategies:
        with pytest.raises(NothingToTry, match=f"'{name}' proposes no mix; of 4 points, none that"):
            propose(nothing, [], Choice.of(name, SMALL.get(name, {})))
    done = [trained(nothing, (0, 0))]
    assert propose(nothing, done, Choice.of("grid")) == []


def test_how_many_mixes_a_search_will_try() -> None:
    bare = Bare((4, 4))
    for name, settings, expected in (
        ("grid", {}, 16),
        ("random", {"n": 5}, 5),
        ("tpe", {"n": 9, "batch": 4}, 9),
        ("nsga2", {"n": 64, "batch": 4}, 16),
    ):
        search = Choice.of(name, settings)  # type: ignore[arg-type]
        assert all_in_all(bare, propose(bare, [], search), search) == expected
    check_search(bare, Choice.of("grid"))


def test_a_constrained_space_says_how_far_a_point_is_from_being_allowed() -> None:
    bare = Bare((2, 2))
    for beyond, far in ((None, 1.0), (lambda point: 0.25, 0.25), (lambda point: 0.0, 1.0)):
        one = Constrained(bare, lambda point: point != (1, 1), beyond)
        assert [one.excess(point) for point in bare.points()] == [0, 0, 0, far]
        assert Constrained(one, lambda point: True).excess((1, 1)) == 1.0 + far
    assert (one.goals, one.block_axes, one.label((0, 1))) == (
        bare.goals,
        bare.block_axes,
        bare.label((0, 1)),
    )
    assert one.point_of(bare.label((1, 1))) == (1, 1)


def test_the_objectives_of_a_study_know_their_directions(small: Study) -> None:
    assert [(goal.name, goal.better) for goal in small.goals] == [
        ("psnr", "higher"),
        ("latency", "lower"),
    ]
    assert small.excess((0, 0, 0)) == 0.0


def test_mixes_are_counted_once_however_many_points_describe_them(
    small: Study, alike: Study
) -> None:
    assert different_mixes(small) == small.size == 12
    assert (alike.size, different_mixes(alike)) == (24, 16)


def test_mixes_of_a_large_study_are_counted_by_groups_of_axes() -> None:
    made = list[Point]()

    class Watched(Bare):
        def mix(self, point: Point):  # type: ignore[no-untyped-def]
            made.append(point)
            return super().mix(point)

    def without(point: Point) -> Point:
        """Axis 1 means nothing where axis 0 is at 0; so does axis 3 where axis 4 is."""
        first = 0 if point[0] == 0 else point[1]
        third = 0 if point[4] == 0 else point[3]
        return (point[0], first, point[2], third, *point[4:])

    large = Watched((6,) * 9, without)
    assert large.size > 10_000_000
    assert different_mixes(large) == (1 + 5 * 6) ** 2 * 6**5
    assert len(made) <= 3 * 4096
    assert different_mixes(Bare((50,) * 9)) is None  # its pairs alone are too many


def test_a_study_of_a_thousand_million_mixes_is_checked_alternative_by_alternative() -> None:
    blocks = [{"name": "mwsa", "window": [2, 4, 6, 8, 10]}, {"name": "rdcnn"}, "lama", "nafblock"]
    blocks += ["plain_block", "identity"]
    network = {"width": [8, 16], "stage": [{"block": blocks, "depth": [1, 2]}] * 7}
    study = load_study({**ASKED, "network": network})
    assert study.size == 2 * 20**7  # 2.56 thousand million
    assert len(propose(study, [], Choice.of("random", {"n": 20, "seed": 0}))) == 20


def test_all_points_are_never_held_at_once() -> None:
    large = Bare((10,) * 9)
    assert isinstance(large.points(), Iterator)
    assert large.at(123_456_789) == (1, 2, 3, 4, 5, 6, 7, 8, 9)


def test_a_grid_of_a_thousand_million_mixes_is_refused_before_it_is_listed() -> None:
    with pytest.raises(ValueError, match=r"grid is every one of 1,000,000,000 points, and more"):
        propose(Bare((10,) * 9), [], Choice.of("grid"))


def test_only_axes_of_one_table_are_looked_at_together(alike: Study) -> None:
    names = [axis.name for axis in alike.axes]
    assert names == ["width", "stage1", "stage1.depth", "stage2"]
    pairs = {tuple(names[axis] for axis in pair) for pair in alike.related_axes}
    assert pairs == {("stage1", "stage1.depth")}
    network = {
        "topology": ["unet", {"name": "mountain", "passes": 0}],
        "stage": [{"block": ["rdcnn", "lama"]}] * 2,
    }
    study = load_study({**ASKED, "network": network})
    assert study.related_axes == ((0, 1), (0, 2))  # topology and each stage
    raw = {**ASKED, "network": {"width": 8, "stage": [{"block": ["rdcnn", "lama"]}]}}
    study = load_study({**raw, "training": {"rate": [1e-3, 2e-3], "augment": [True, False]}})
    names = [axis.name for axis in study.axes]
    pairs = {tuple(names[axis] for axis in pair) for pair in study.related_axes}
    assert pairs == {("rate", "augment")} or pairs == {("augment", "rate")}


def test_a_large_study_knows_how_many_of_its_mixes_differ() -> None:
    stage = {"block": ["rdcnn", "lama", "nafblock"], "depth": [0, 1, 2]}
    study = load_study({**ASKED, "network": {"width": [8, 16], "stage": [stage] * 4}})
    assert study.size == 2 * 9**4
    assert different_mixes(study, study.related_axes) == 2 * (1 + 2 * 3) ** 4


def planned(study: Study, **more: object) -> Plan:
    points = propose(study, [], study.search)
    plan = Plan(
        mixes=(),
        total=all_in_all(study, points, study.search),
        size=study.size,
        seeds=1,
        workers=1,
        training_seconds=None,
        latency_seconds=None,
        memory=None,
        different=different_mixes(study, study.related_axes),
        design=_search_words(study, points, study, None),
    )
    return replace(plan, **more)  # type: ignore[arg-type]


def test_a_plan_says_what_a_design_mixes_up_and_how_many_mixes_differ() -> None:
    stage = [{"block": ["rdcnn", "lama"], "depth": [1, 0]}]
    raw = {**ASKED, "network": {"width": [8, 16], "stage": stage}}
    study = load_study({**raw, "search": {"strategy": "factorial"}})
    lines = plan_lines(planned(study))
    assert "out of 8 possible mixes" in lines
    assert "8 points describe 6 different mixes" in lines
    assert "  width: - stage1*stage1.depth" in lines


def test_a_plan_says_what_a_search_that_learns_weighs() -> None:
    network = {"width": [8, 16], "stage": [{"block": ["rdcnn", "lama", "nafblock"]}]}
    search = {"strategy": "nsga2", "n": 5, "batch": 3}
    study = load_study({**ASKED, "network": network, "search": search})
    lines = plan_lines(planned(study))
    assert lines[0].startswith("5 mixes x 1 seed")
    assert "3 mixes at a time; the search weighs psnr and macs in place of latency" in lines
    assert not any("different mixes" in line for line in lines)
