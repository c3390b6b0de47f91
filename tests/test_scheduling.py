"""Rungs, confirmation and rules for stopping, as a study writes them."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from ablate.searches.schedule import Schedule
from ablate.searches.stopping import Stop
from ablate.study import Study, load_study
from ablate.study.schema import schema


def study(search: dict[str, Any], **others: Any) -> Study:
    raw = {
        "question": "?",
        "task": {"degradation": "haze"},
        "network": {"width": 8, "stage": [{"block": ["rdcnn", "lama"]}]},
        "training": {"steps": 100, "seeds": 3},
        "search": search,
        "report": {"objectives": ["psnr", "latency"]},
    }
    return load_study(raw | others)


def test_a_study_without_rules_trains_every_mix_to_its_end():
    found = study({})
    assert found.schedule == Schedule()
    assert found.stop == Stop()
    assert found.schedule.first == 0


def test_rungs_confirmation_and_rules_stand_in_the_search_table():
    found = study(
        {
            "strategy": "random",
            "n": 2,
            "rungs": [25, 50],
            "keep": 0.25,
            "confirm": 5,
            "stop": {"trials": 40, "hours": 2, "device_hours": 1.5, "flat": 10},
        }
    )
    assert found.search.name == "random"
    assert found.schedule == Schedule(rungs=(25, 50), keep=0.25, confirm=5)
    assert found.stop == Stop(trials=40, hours=2.0, device_hours=1.5, flat=10)
    assert (found.schedule.first, found.schedule.after(25), found.schedule.after(50)) == (25, 50, 0)


ENERGY = {"report": {"objectives": ["psnr", "energy"]}, "profile": {"energy": True}}
STEPS = {"training": {"steps": [40, 100]}}

WRONG: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"rungs": [50, 25]}, {}, "search: rungs ascend, each step once; got [50, 25]"),
    ({"rungs": [25, 25]}, {}, "search: rungs ascend, each step once; got [25, 25]"),
    ({"rungs": [0]}, {}, "search: each item of rungs must be at least 1; got [0]"),
    ({"rungs": 25}, {}, "rungs"),
    ({"rungs": []}, {}, "search: rungs = [] rests nowhere; leave it out"),
    ({"rungs": [100]}, {}, "search: rungs lie before the last step of every mix, 100; got [100]"),
    ({"rungs": [50]}, STEPS, "search: rungs lie before the last step of every mix, 40; got [50]"),
    ({"rungs": [25], "keep": 0}, {}, "search: keep must be above 0 and at most 1; got 0"),
    ({"rungs": [25], "keep": 1.5}, {}, "search: keep must be above 0 and at most 1; got 1.5"),
    ({"keep": 0.5}, {}, "search: keep is about rungs, which are missing; write rungs = [25]"),
    (
        {"confirm": 3},
        {},
        "search: confirm must be more than the seeds of every mix, 3; got 3",
    ),
    ({"stop": 5}, {}, "search: search.stop is a table, written [search.stop]; got 5"),
    ({"stop": {"trials": 0}}, {}, "search: trials must be at least 1; got 0"),
    (
        {"stop": {"trials": 2}},
        {},
        "search: trials must be at least the seeds of one mix, 3; got 2",
    ),
    ({"stop": {"hours": 0}}, {}, "search: hours must be above 0; got 0"),
    ({"stop": {"hour": 1}}, {}, "search: no key is named 'hour'; did you mean 'hours'?"),
    ({"rung": [25]}, {}, "search: no key is named 'rung'; did you mean 'rungs'?"),
    (
        {"rungs": [25]},
        ENERGY,
        "search: rungs compares mixes before the end, when energy is not known yet; leave rungs or "
        "the objective energy out",
    ),
    (
        {"stop": {"flat": 5}},
        ENERGY,
        "search: flat compares mixes before the end, when energy is not known yet; leave flat or "
        "the objective energy out",
    ),
]


@pytest.mark.parametrize("search, others, message", WRONG)
def test_what_cannot_work_is_said_in_one_line(search, others, message):
    with pytest.raises(ValueError) as error:
        study(search, **others)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_schema_knows_the_keys():
    properties = schema()["properties"]["search"]["properties"]
    assert properties["rungs"]["items"] == {"type": "integer", "minimum": 1}
    assert properties["keep"]["default"] == 0.5
    assert set(properties["stop"]["properties"]) == {"trials", "hours", "device_hours", "flat"}
    assert properties["stop"]["additionalProperties"] is False


def test_a_study_with_rungs_keeps_to_its_schema():
    raw = {
        "question": "?",
        "task": {"degradation": "haze"},
        "network": {"width": 8, "stage": [{"block": ["rdcnn", "lama"]}]},
        "search": {"rungs": [25], "keep": 0.5, "confirm": 5, "stop": {"flat": 5}},
    }
    jsonschema.Draft202012Validator(schema()).validate(raw)
