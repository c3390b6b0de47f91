"""Equal footing: every mix of a study is brought to one cost, and the mismatch is known."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ablate.amounts import read_amount
from ablate.costs.footing_rows import (
    footing_facts,
    footing_metrics,
    footing_rows,
    footing_words,
    note_left_out,
)
from ablate.events import Warned
from ablate.footing import Filling, Footing, FootingError, Solver, amount_words
from ablate.footing.making import block_macs, counted, macs_at
from ablate.footing.outline import Outline
from ablate.footing.prices import Counted
from ablate.footing.searching import MOST_DEPTHS, _depths_around
from ablate.footing.sums import CountedSums
from ablate.mix import Choice, Mix
from ablate.network import build
from ablate.profiling.flops import count_macs, count_parameters
from ablate.runs.marks import fingerprint
from ablate.searches import propose
from ablate.study import Study, StudyError, load_study
from ablate.widths import canonical_widths, with_widths
from reports.record import Measurement, Record

SIZE = (32, 32)


def study(stages: list[Mapping[str, Any]] | None = None, **network: Any) -> Study:
    tables = stages or [{"block": ["nafblock", "rdcnn"]}, {"block": ["nafblock", "lama"]}]
    return load_study(
        {
            "question": "?",
            "task": {"degradation": "gaussian_noise"},
            "network": {"width": 16, **network, "stage": tables},
            "profile": {"size": list(SIZE)},
        }
    )


def wrong(stages: list[Mapping[str, Any]] | None = None, **network: Any) -> str:
    with pytest.raises(StudyError) as caught:
        study(stages, **network)
    return str(caught.value)


def macs(mix: Mix) -> int:
    with torch.device("meta"):
        model = build(mix.network)
    return count_macs(model, SIZE).total


def params(mix: Mix) -> int:
    with torch.device("meta"):
        return count_parameters(build(mix.network))


# every mix costs the same


@pytest.mark.parametrize(("equal", "cost"), [("macs", macs), ("params", params)])
def test_every_mix_has_the_cost_of_the_first_within_two_percent(equal, cost) -> None:
    level, written = study(equal=equal), study()
    wanted = cost(written.mix((0, 0)))
    assert level.target == wanted
    assert level.mix((0, 0)) == written.mix((0, 0))
    for point in level.points():
        found = cost(level.mix(point))
        assert abs(found / wanted - 1) <= 0.02
        solved = level.solved(point)
        assert solved is not None and solved.cost == pytest.approx(found, abs=1e-3)
        assert solved.mismatch == pytest.approx(found / wanted - 1)
    written_costs = [cost(written.mix(point)) for point in written.points()]
    assert max(written_costs) / min(written_costs) > 1.2  # it was not so before


def test_a_mix_is_the_same_whenever_it_is_asked_for_and_in_every_study_that_is_loaded() -> None:
    first, second = study(equal="macs"), study(equal="macs")
    points = list(first.points())
    keys = [first.mix(point).key for point in points]
    assert [second.mix(point).key for point in reversed(points)] == keys[::-1]
    assert len(set(keys)) == len(points)


def test_what_fills_the_network_and_how_deep_stays_where_width_is_solved_for() -> None:
    level, written = study(equal="macs"), study()
    for point in level.points():
        assert level.mix(point).network.stages == written.mix(point).network.stages


def test_a_mix_that_has_the_cost_already_stays_as_it_is_written() -> None:
    alone = study([{"block": "nafblock"}], equal="params")
    assert alone.mix(()) == study([{"block": "nafblock"}]).mix(())


def test_the_cost_may_be_that_of_another_mix_or_an_amount() -> None:
    named = study(equal="macs", equal_to="rdcnn | lama")
    assert named.target == macs(study().mix((1, 1)))
    assert named.mix((1, 1)) == study().mix((1, 1))
    for given in ("20 M", 2e7):
        asked = study(equal="macs", equal_to=given)
        assert asked.target == 2e7
        assert abs(macs(asked.mix((1, 0))) / 2e7 - 1) <= 0.02


def test_depth_is_solved_for_where_that_is_asked() -> None:
    stages = [{"block": ["nafblock", "rdcnn"], "depth": 6}, {"block": "nafblock", "depth": 6}]
    level = study(stages, equal="macs", equal_by="depth", equal_within=0.1)
    written = study(stages)
    wanted = macs(written.mix((0,)))
    shallow = level.mix((1,)).network
    assert shallow.topology == written.mix((1,)).network.topology
    assert abs(macs(level.mix((1,))) / wanted - 1) <= 0.1
    depths = {stage.slot: len(stage.blocks) for stage in shallow.stages}
    assert depths["stage1"] == depths["decoder1"] and depths["stage2"] == depths["decoder2"]
    assert depths != dict.fromkeys(depths, 6)


def test_width_trims_what_depth_cannot_meet() -> None:
    stages = [{"block": ["nafblock", "rdcnn"], "depth": 2}, {"block": "nafblock"}]
    level = study(stages, equal="macs", equal_by="depth_and_width")
    wanted = macs(study(stages).mix((0,)))
    assert abs(macs(level.mix((1,))) / wanted - 1) <= 0.02


def test_deep_and_narrow_can_be_asked_against_shallow_and_wide() -> None:
    stages = [{"block": "nafblock", "depth": [1, 3]}, {"block": "nafblock"}]
    level = study(stages, equal="macs")
    shallow, deep = (level.mix(point) for point in level.points())
    assert abs(macs(deep) / macs(shallow) - 1) <= 0.02
    assert deep.network.topology.settings["width"] < shallow.network.topology.settings["width"]
    assert len(deep.network.stages[0].blocks) == 3


def test_widths_that_blocks_cannot_have_are_left_out() -> None:
    heads = {"name": "mwsa", "heads": 4, "window": 4}
    stages = [{"block": ["nafblock", heads]}, {"block": heads}]
    level = study(stages, equal="macs", equal_within=0.05)
    for point in level.points():
        topology = level.mix(point).network.topology
        widths = topology.settings.get("widths") or (topology.settings["width"],)
        assert widths[-1] % 4 == 0 and (point == (0,) or widths[0] % 4 == 0)


@pytest.mark.parametrize("topology", ["unet", "restormer", "mountain", "residual_groups"])
def test_blocks_and_frame_add_up_to_the_whole_network_in_every_topology(topology) -> None:
    array = "group" if topology == "residual_groups" else "stage"
    tables = [{"block": "nafblock", "depth": 2}, {"block": {"name": "mwsa", "window": 4}}]
    extra = {"fusion": {"block": "nafblock"}} if topology == "mountain" else {}
    extra |= {"refinement": {"block": "lama"}} if topology == "restormer" else {}
    raw = {"topology": topology, "width": 8, array: tables, **extra}
    loaded = load_study(
        {"question": "?", "task": {"degradation": "gaussian_noise"}, "network": raw}
    )
    network = loaded.mix(()).network
    fillings = [Filling(s.slot, s.blocks, len(s.blocks), s.slot) for s in network.stages]
    outline = Outline(network.topology, tuple(f.slot for f in fillings))
    widths = (12,) if topology == "residual_groups" else (12, 20)
    for measure in (count_parameters, lambda model: count_macs(model, (20, 28)).total):
        sums = CountedSums(outline, fillings, Counted(outline, measure))
        mix = Mix(
            task=loaded.mix(()).task,
            network=type(network)(
                topology=with_widths(network.topology, widths), stages=network.stages
            ),
        )
        with torch.device("meta"):
            whole = build(mix.network)
        assert sums.cost(widths, {}) == measure(whole)


# what cannot be


def test_a_cost_that_cannot_be_met_is_one_line_with_the_mix_and_the_closest() -> None:
    text = wrong([{"block": ["nafblock", "rdcnn"]}], equal="macs", equal_by="depth")
    line = next(line for line in text.splitlines() if "rdcnn" in line)
    assert line.startswith("study: network: equal macs: rdcnn: no depth brings it within 2 % of ")
    assert "the closest is width 16 and depth 1 with" in line
    assert 'or equal_by = "depth_and_width"' in line and "write equal_within = 0." in line


@pytest.mark.parametrize(
    ("by", "mend"),
    [("width", 'equal_by = "depth_and_width"'), ("depth_and_width", "another equal_to")],
)
def test_no_mend_is_named_that_a_study_may_not_write(by: str, mend: str) -> None:
    text = wrong([{"block": ["nafblock", "lama"]}], equal="params", equal_to=1, equal_by=by)
    assert all(line.endswith(f" %); write {mend}") for line in text.splitlines())


def test_a_block_that_can_be_built_at_no_width_is_named_with_its_reason() -> None:
    broken = {"name": "mwsa", "window": -1}
    text = wrong([{"block": ["nafblock", broken]}], equal="params")
    assert "equal params: mwsa window=-1: mwsa: window must be at least 1" in text


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"equal": "mac"}, "equal must be one of 'macs', 'params', 'latency'; got 'mac'"),
        ({"equal_to": 5}, "equal_to says more about equal, which is missing"),
        ({"equal": "macs", "equal_to": -1}, "equal_to must be above 0 and finite; got -1"),
        ({"equal": "macs", "equal_to": float("inf")}, "must be above 0 and finite; got inf"),
        ({"equal": "macs", "equal_to": True}, "equal_to must be an amount"),
        ({"equal": "macs", "equal_to": "lama | lama"}, "nor the label of a mix, such as 'naf"),
        ({"equal": "macs", "equal_within": 0}, "equal_within must be above 0 and at most 0.5"),
        ({"equal": "macs", "equal_by": "height"}, "equal_by must be one of 'width', 'depth'"),
        ({"equal": "macs", "width": [8, 16]}, "equal_by = 'width' solves for width, which is a"),
        ({"equal": "latency"}, "equal latency needs a latency model first: ablate latency-model"),
        ({"equal": "macs", "equal_model": "x.json"}, "equal_model is for equal = 'latency'"),
        ({"width": 8, "widths": [8, 24]}, "width is not used where widths are given"),
    ],
)
def test_what_cannot_be_asked_is_refused(network: dict[str, Any], said: str) -> None:
    assert said in wrong(**network)


def test_a_topology_without_a_width_says_so() -> None:
    solver = Solver(Footing(equal="params"), lambda outline: counted(outline, count_parameters))
    with pytest.raises(FootingError, match="unet has no width that could be solved for"):
        solver.cost(Choice(name="unet"), ())


# amounts and widths in words


@pytest.mark.parametrize(
    ("text", "quantity", "value"),
    [
        ("1.5 G", "macs", 1.5e9),
        ("300k", "params", 3e5),
        ("300 K", "params", 3e5),
        ("5 ms", "latency", 5e-3),
        ("2e6", "macs", 2e6),
        ("5 ms", "macs", None),
        ("nafblock | lama", "macs", None),
        ("0 G", "macs", None),
    ],
)
def test_amounts_are_read_with_their_unit(text: str, quantity: Any, value: float | None) -> None:
    assert read_amount(text, quantity) == value


def test_amounts_are_written_with_their_unit() -> None:
    assert amount_words(3e5, "params") == "300 k parameters"
    assert amount_words(1.52e9, "macs") == "1.52 G MACs"
    assert amount_words(420, "params") == "420 parameters"
    assert amount_words(0.0043, "latency") == "4.3 ms"


def test_widths_that_double_are_written_as_width() -> None:
    unet = Choice.of("unet", {"width": 32, "widths": (8, 16, 32)})
    assert canonical_widths(unet) == Choice.of("unet", {"width": 8})
    assert with_widths(unet, (8, 20)) == Choice.of("unet", {"width": 8, "widths": (8, 20)})
    assert with_widths(unet, (8, 16)) == Choice.of("unet", {"width": 8})


# keys, record and plan


def test_a_study_without_a_footing_has_the_keys_and_the_fingerprint_it_always_had() -> None:
    quickstart = load_study("quickstart")
    assert quickstart.mix((0, 0)).key == "5eb96f945fd890be"  # as records of before have them
    assert quickstart.mix((1, 4)).key == "c79fd77224b45631"
    assert fingerprint(quickstart) == "eba48a49c1efef07"
    assert fingerprint(study(equal="macs")) != fingerprint(study())


def test_the_record_says_how_far_each_mix_is_off() -> None:
    level = study(equal="macs")
    mix = level.mix((1, 1))
    counted = [Measurement("a", "macs", macs(mix), mode="32x32")]
    rows = {row.metric: row.value for row in footing_rows(level, "a", mix.network, counted)}
    assert rows["footing"] == pytest.approx(macs(mix) / level.target - 1)
    assert rows["solved_width"] == mix.network.topology.settings["width"]
    assert "solved_depth" not in rows
    assert {metric.name for metric in footing_metrics(level)} >= set(rows)
    facts = json.loads(footing_facts(level)["footing"])
    assert facts["equal"] == "macs" and facts["size"] == "32x32" and facts["within"] == 0.02
    assert footing_rows(study(), "a", mix.network, counted) == []
    assert footing_metrics(study()) == () and footing_facts(study()) == {}


def test_a_plan_says_what_all_mixes_cost_and_the_largest_mismatch() -> None:
    level = study(equal="macs", equal_to="20 M")
    words = footing_words(level, [0.01, -0.014])
    assert words == (
        "equal footing: 20 M MACs at 32x32 each, within 2 %, by width; "
        "the largest mismatch is -1.4 %"
    )
    assert footing_words(study(), []) == ""


def test_what_is_tried_does_not_grow_without_end_with_resolutions_and_places() -> None:
    for places in range(1, 40):
        tried = math.prod(len(around) for around in _depths_around([3.4] * places))
        assert tried <= MOST_DEPTHS
    assert _depths_around([3.4, 1.2]) == [[2, 3, 4, 5], [1, 2, 3]]
    assert _depths_around([5.6] * 7) == [[5, 6]] * 7
    many = _depths_around([2.2] * 3 + [9.5] * 12)
    assert many == [[2]] * 3 + [[9, 10]] * 12


def test_a_mix_that_cannot_cost_what_all_do_is_left_out_and_told() -> None:
    level = study(equal="params")
    tight = replace(level, footing=replace(level.footing, equal_within=1e-9))
    assert tight.allows((0, 0)) and not tight.allows((1, 1)) and not tight.allows((1, 1))
    (reason,) = tight.left_out
    assert reason == tight.refusal((1, 1))
    assert reason.startswith("equal params: rdcnn | lama: no width brings it within 1e-07 % of ")
    assert propose(tight, [], tight.search) == [p for p in tight.points() if tight.allows(p)]
    words = footing_words(tight, [])
    left = len(tight.left_out)
    end = "mixes were left out: no width or depth gives the cost that all have"
    assert words.endswith(f"; {left} {end}")
    assert study().left_out == () and study().allows((1, 1))


def test_mixes_that_were_left_out_are_written_down(tmp_path: Path) -> None:
    level = study(equal="params")
    tight = replace(level, footing=replace(level.footing, equal_within=1e-9))
    told: list[object] = []
    with Record.create(tmp_path / "record.sqlite", "s", "", "", {}, ()) as record:
        note_left_out(tight, record, told.append)
        assert told == [] and record.notes().empty
        tight.allows((1, 1))
        note_left_out(tight, record, told.append)
        (text,) = record.notes()["text"]
    assert text.startswith("1 mix was left out: no width or depth gives the cost that all have; ")
    assert told == [Warned(text)]


@pytest.mark.parametrize("topology", ["unet", "mountain"])
def test_a_block_by_itself_costs_what_it_adds_to_its_network(topology: str) -> None:
    slots = ("stage1", "stage2", "middle", "decoder2", "decoder1", "fusion")
    has = {"unet": slots[:5], "mountain": slots}[topology]
    outline = Outline(Choice(name=topology, knobs=(("width", 16),)), has)
    size = (20, 28)
    within = Counted(outline, macs_at(size))
    alone = Counted(outline, macs_at(size), block_macs, size)
    assert set(alone._sides) == {(call.slot, call.number) for call in outline.calls}
    for call in outline.calls:
        sizes, choice = call.sizes(outline.written), Choice(name="nafblock")
        expected = within.block(call, choice, 0, sizes)
        assert alone.block(call, choice, 0, sizes) == expected
