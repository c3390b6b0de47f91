"""Bounds on what mixes cost: how they are written, read and kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ablate.amounts import amount
from ablate.constraints import read_constraint
from ablate.mix import Choice
from ablate.searches import Constrained, propose
from ablate.study import Study, StudyError, load_study, schema


def study(constraints: Any, strategy: str = "grid", key: str = "constraints") -> Study:
    return load_study(
        {
            "question": "?",
            "task": {"degradation": "haze"},
            "network": {"stage": [{"block": ["rdcnn", "lama"]}, {"block": ["rdcnn", "lama"]}]},
            "search": {"strategy": strategy, key: constraints},
            "profile": {"size": [[64, 64], [32, 48]]},
        }
    )


@pytest.mark.parametrize(
    ("text", "quantity", "bound"),
    [
        ("latency <= 5 ms", "latency", 5e-3),
        ("latency<=5e2 us", "latency", 5e-4),
        ("latency >= .25 s", "latency", 0.25),
        ("params <= 2 M", "params", 2e6),
        ("params <= 300 k", "params", 3e5),
        ("peak_memory <= 2 kB", "peak_memory", 2e3),
        ("params <= 20000", "params", 2e4),
        ("macs  <=  10 G", "macs", 1e10),
        ("peak_memory <= 1.5 GiB", "peak_memory", 1.5 * 2**30),
        ("peak_memory <= 100 MB", "peak_memory", 1e8),
    ],
)
def test_a_bound_is_read_in_its_own_unit(text: str, quantity: str, bound: float) -> None:
    found = read_constraint(text)
    assert (found.quantity, found.bound, found.size) == (quantity, pytest.approx(bound), None)
    assert found.sign == (">=" if ">=" in text else "<=")
    assert found.text == " ".join(text.split())


def test_a_bound_may_name_the_size_of_the_image() -> None:
    found = read_constraint("macs@32x48 <= 1 G")
    assert (found.quantity, found.size) == ("macs", (32, 48))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("latency < 5 ms", "'latency < 5 ms' is no constraint; write it as 'latency <= 5 ms', "),
        ("fast", "'fast' is no constraint; write it as "),
        ("latncy <= 5 ms", "no mix has 'latncy' before training; did you mean 'latency'? "),
        ("psnr >= 30", "no mix has 'psnr' before training"),
        ("latency <= 5", "latency has no unit '' (units: s, ms, us); got 'latency <= 5'"),
        ("params <= 5 ms", "params has no unit 'ms' (units: none, k, M, G, T); got "),
        ("latency <= 0 ms", "the bound of 'latency <= 0 ms' must be above 0 and finite"),
        ("params <= 1e999", "the bound of 'params <= 1e999' must be above 0 and finite"),
        ("latency <= 1 kms", "latency has no unit 'kms' (units: s, ms, us)"),
        ("latency <= 1e-e5 ms", "'1e-e5 ms' is no number with a unit in 'latency <= 1e-e5 ms'; "),
        (
            "latency <=",
            "'' is no number with a unit in 'latency <='; write it as 'latency <= 5 ms'",
        ),
        ("latency <= -5 ms", "the bound of 'latency <= -5 ms' must be above 0 and finite"),
        ("params@64x64 <= 1 M", "params is the same at every size; leave out @64x64"),
    ],
)
def test_what_is_no_bound_is_refused_with_the_mend(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as error:
        read_constraint(text)
    assert str(error.value).startswith(reason)


def test_a_bound_holds_at_its_end_and_not_for_what_is_unknown() -> None:
    values = np.array([4e-3, 5e-3, 6e-3, np.nan])
    assert read_constraint("latency <= 5 ms").met(values).tolist() == [True, True, False, False]
    assert read_constraint("latency >= 5 ms").met(values).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("quantity", "value", "words"),
    [
        ("latency", 7.12e-3, "7.12 ms"),
        ("latency", 2.0, "2 s"),
        ("latency", 1e-9, "0.001 us"),
        ("params", 950.0, "950"),
        ("macs", 1.5e9, "1.5 G"),
        ("peak_memory", 3 * 2.0**20, "3 MiB"),
    ],
)
def test_amounts_are_told_in_the_unit_that_suits_them(
    quantity: str, value: float, words: str
) -> None:
    assert amount(quantity, value) == words


def test_a_study_keeps_its_constraints_in_order() -> None:
    found = study(["latency <= 5 ms", "macs@32x48 <= 1 G"]).constraints
    assert [one.text for one in found] == ["latency <= 5 ms", "macs@32x48 <= 1 G"]
    assert study([]).constraints == ()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (["latency <= 5"], "latency has no unit ''"),
        (
            ["macs@99x99 <= 1 G"],
            "names a size that is not profiled (sizes: 64x64, 32x48)",
        ),
        ("latency <= 5 ms", "constraints is a list of texts, as in constraints = ["),
        ([5], "constraints is a list of texts"),
    ],
)
def test_a_study_says_what_is_wrong_with_its_constraints(written: Any, reason: str) -> None:
    with pytest.raises(StudyError) as error:
        study(written)
    assert reason in str(error.value)
    assert "search: " in str(error.value)


def test_a_misspelt_list_of_constraints_is_no_knob() -> None:
    with pytest.raises(StudyError) as error:
        study(["params <= 3 M"], key="constraint")
    assert error.value.problems == (
        "study: search: no key is named 'constraint'; did you mean 'constraints'? "
        "(keys: strategy, constraints)",
    )


def test_every_strategy_may_stand_beside_constraints_in_the_schema() -> None:
    table = schema()["properties"]["search"]
    assert table["properties"]["constraints"]["items"] == {"type": "string"}
    for rule in table["allOf"]:
        assert "constraints" in rule["then"]["propertyNames"]["enum"]


@pytest.mark.parametrize("name", ["grid", "random", "one_at_a_time", "uniform"])
def test_strategies_pass_over_what_is_not_allowed(name: str) -> None:
    points = study([], name)
    asked: list[tuple[int, ...]] = []

    def first_is_lama(point: tuple[int, ...]) -> bool:
        asked.append(point)
        return point[0] == 1

    space = Constrained(points, first_is_lama)
    proposed = propose(space, [], Choice.of(name))
    everything = propose(points, [], Choice.of(name))
    assert set(proposed) == {point for point in everything if point[0] == 1}
    assert proposed and asked
    assert (space.size, list(space.points())) == (points.size, list(points.points()))
    assert (space.axes, space.at(3)) == (points.axes, points.at(3))
    assert not Constrained(space, lambda point: False).allows((1, 0))
