from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import pytest

from reports.graphics.families import LOOKS
from reports.networks.compact import compact
from reports.networks.drawing import drawing
from reports.networks.filling import Filled, families_of_blocks, filled_stages, words
from reports.networks.layout import Join, layout, network
from reports.networks.picture import LETTER

U = ("stage1", "stage2", "stage3", "decoder1", "decoder2", "decoder3")


def spec(topology: str, slots: Mapping[str, Sequence[str]], **options: object) -> str:
    stages = [
        {"slot": slot, "blocks": [{"name": name, "knobs": []} for name in names]}
        for slot, names in slots.items()
    ]
    chosen = {"name": topology, "knobs": [list(pair) for pair in options.items()]}
    return json.dumps({"network": {"topology": chosen, "stages": stages}, "task": {}})


def filled(slots: Sequence[str], blocks: str = "emvm", depth: int = 2) -> list[Filled]:
    return [Filled(slot, blocks, ("mamba",) * depth) for slot in slots]


def widths(topology: str, slots: Sequence[str], **options: object) -> dict[str, int]:
    return {place.slot: place.channels for place in layout(topology, options, slots).places}


# Where stages lie


def test_a_u_shape_doubles_its_channels_where_it_halves_the_resolution():
    plan = layout("unet", {"width": 24}, U)
    lying = {place.slot: (place.row, place.channels, place.divisor) for place in plan.places}
    assert lying["stage1"] == lying["decoder1"] == (0, 24, 1)
    assert lying["stage2"] == lying["decoder2"] == (1, 48, 2)
    assert lying["stage3"] == lying["decoder3"] == (2, 96, 4)
    assert [place.slot for place in plan.places] == [
        *("stage1", "stage2", "stage3", "decoder3", "decoder2", "decoder1")
    ]


def test_every_decoder_stage_but_the_last_without_a_middle_is_given_a_skip():
    slots = layout("unet", {"width": 8}, U)
    names = [place.slot for place in slots.places]
    skips = {(names[j.start], names[j.end]) for j in slots.joins if j.kind == "skip"}
    assert skips == {("stage1", "decoder1"), ("stage2", "decoder2")}
    with_middle = layout("unet", {"width": 8}, (*U, "middle"))
    names = [place.slot for place in with_middle.places]
    skips = {(names[j.start], names[j.end]) for j in with_middle.joins if j.kind == "skip"}
    assert skips == {(f"stage{k}", f"decoder{k}") for k in (1, 2, 3)}
    middle = with_middle.places[names.index("middle")]
    assert (middle.row, middle.channels, middle.divisor, middle.side) == (3, 64, 8, "bottom")


def test_widths_that_are_given_are_taken_as_they_are():
    assert widths("unet", U, width=16, widths=[10, 20, 30])["stage3"] == 30


def test_restormer_keeps_the_uppermost_skip_whole_and_refines_with_it():
    slots = (*U, "middle", "refinement")
    whole = widths("restormer", slots, width=48, top_skip="concat")
    assert (whole["stage1"], whole["decoder1"], whole["refinement"]) == (48, 96, 96)
    assert (whole["decoder2"], whole["middle"]) == (96, 384)
    reduced = widths("restormer", slots, width=48, top_skip="reduce")
    assert (reduced["decoder1"], reduced["refinement"]) == (48, 48)


def test_restormer_refines_above_its_uppermost_decoder():
    plan = layout("restormer", {"width": 48}, (*U, "refinement"))
    rows = {place.slot: place.row for place in plan.places}
    assert (rows["refinement"], rows["stage1"], rows["decoder1"]) == (0, 1, 1)
    assert Join(len(plan.places) - 2, len(plan.places) - 1) in plan.joins


def test_a_mountain_fuses_all_resolutions_but_the_last_one_pass_fewer_the_lower_they_lie():
    plan = layout("mountain", {"width": 8, "passes": 2}, (*U, "middle", "fusion"))
    fusions = [(place.row, place.times) for place in plan.places if place.slot == "fusion"]
    assert fusions == [(0, 2), (1, 1)]  # pass 1 fuses stages 1 and 2, pass 2 stage 1
    names = [place.slot for place in plan.places]
    first = names.index("fusion")
    skips = {(j.start, j.end) for j in plan.joins if j.kind == "skip"}
    assert (names.index("stage1"), first) in skips
    assert (first, names.index("decoder1")) in skips
    assert (names.index("stage2"), first) in skips  # what lies below is brought up
    assert (names.index("stage1"), names.index("decoder1")) not in skips


def test_a_mountain_without_passes_is_a_u_shape():
    slots = (*U, "middle", "fusion")
    assert layout("mountain", {"width": 8, "passes": 0}, slots) == layout(
        "unet", {"width": 8}, slots
    )


def test_groups_follow_one_another_at_full_resolution():
    plan = layout("residual_groups", {"width": 60}, ("group1", "group2", "group3"))
    assert [(p.row, p.channels, p.divisor) for p in plan.places] == [
        (0, 60, 1),
        (1, 60, 1),
        (2, 60, 1),
    ]
    assert plan.joins == (Join(0, 1), Join(1, 2))


@pytest.mark.parametrize("topology", ["", "somebody's own", "unet"])
def test_stages_of_an_unknown_topology_follow_one_another(topology: str):
    plan = layout(topology, {"width": 8}, ("first", "second"))
    assert [place.side for place in plan.places] == ["whole", "whole"]
    assert [place.channels for place in plan.places] == [0, 0]


@pytest.mark.parametrize("text", ["", "{}", "[]", "not JSON", '{"network": {"stages": 3}}', "null"])
def test_a_specification_that_says_nothing_is_no_error(text: str):
    assert network(text).topology == ""


def test_a_specification_says_topology_options_and_blocks():
    known = network(spec("unet", {"stage1": ["emvm", "mwsa"]}, width=16))
    assert (known.topology, known.options["width"]) == ("unet", 16)
    assert known.blocks == {"stage1": ("emvm", "mwsa")}


# What stages hold


def test_a_cycle_of_two_in_four_positions_comes_twice():
    assert words("emvm + mwsa", 4) == "emvm + mwsa\u00a0×2"
    assert words("emvm", 4) == "emvm\u00a0×4"
    assert words("emvm + mwsa", 3) == "emvm + mwsa,\u00a03\u00a0blocks"
    assert words("emvm + mwsa", 2) == "emvm + mwsa"
    assert words("empty", 0) == "empty"


def test_the_family_of_a_block_is_learnt_from_stages_that_tell_it():
    rows = [
        ("emvm + mwsa window=8", "mamba + attention"),
        ("rdcnn", "cnn"),
        ("emvm window=1 + emvm", "mamba"),
        ("a + b + c", "moe + prompt"),  # which is which cannot be told
    ]
    assert families_of_blocks(rows) == {"emvm": "mamba", "mwsa": "attention", "rdcnn": "cnn"}


def test_each_block_has_its_own_family_where_the_specification_names_it():
    rows = [("stage1", "emvm + mwsa", "mamba + attention", 3), ("stage2", "x", "moe", 2)]
    named = {"stage1": ("emvm", "mwsa", "emvm")}
    first, second = filled_stages(rows, named, {"emvm": "mamba", "mwsa": "attention"})
    assert first.families == ("mamba", "attention", "mamba")
    assert second.families == ("moe", "moe")
    (unnamed,) = filled_stages(rows[:1], {}, {})
    assert unnamed.families == ("mamba", "attention", "mamba")


# How they are drawn

NETWORKS = {
    "unet": (U, {"width": 16}),
    "unet with a middle": ((*U, "middle"), {"width": 16}),
    "restormer": ((*U, "middle", "refinement"), {"width": 48}),
    "mountain": ((*U, "middle", "fusion"), {"width": 16, "passes": 2}),
    "residual_groups": (tuple(f"group{k}" for k in range(1, 7)), {"width": 60}),
    "unknown": (("one", "two", "three"), {}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_no_two_boxes_of_a_picture_touch_and_all_lie_inside(name: str):
    slots, options = NETWORKS[name]
    made = drawing(spec(name.split(" ")[0], {}, **options), filled(slots, "emvm + mwsa a=1"))
    assert {box.slot for box in made.boxes} == set(slots)
    for box in made.boxes:
        assert box.x >= 0 and box.x + box.width <= made.width
        assert box.y >= 0 and box.y + box.height <= made.height
    for one, two in combinations(made.boxes, 2):
        apart = one.x + one.width < two.x or two.x + two.width < one.x
        assert apart or one.y + one.height < two.y or two.y + two.height < one.y


@pytest.mark.parametrize("name", NETWORKS)
def test_lines_run_straight_and_end_at_boxes(name: str):
    slots, options = NETWORKS[name]
    made = drawing(spec(name.split(" ")[0], {}, **options), filled(slots))
    edges = [(box.x, box.x + box.width, box.y, box.y + box.height) for box in made.boxes]
    for line in made.lines:
        (x0, y0), (x1, y1) = line.points
        assert x0 == pytest.approx(x1) or y0 == pytest.approx(y1)
        above = [left <= x1 <= right and y1 in (top, bottom) for left, right, top, bottom in edges]
        beside = [x1 in (left, right) and top < y1 < bottom for left, right, top, bottom in edges]
        assert any(above + beside), line


def test_words_are_wrapped_to_their_box_and_cut_where_they_are_too_long():
    long = "mwsa " + " ".join(f"knob{k}=value{k}" for k in range(9))
    made = drawing(spec("unet", {}, width=8), filled(U, long))
    for box in made.boxes:
        assert len(box.lines) == 2
        assert box.lines[-1].endswith("…")
        assert all(len(line) * LETTER < box.width for line in box.lines)
        assert "knob8=value8" in box.says


def test_shares_are_drawn_as_long_as_they_are_and_said():
    made = drawing(spec("unet", {}, width=8), filled(U), {"stage1": 0.5}, of="latency")
    first, second = made.boxes[:2]
    assert first.percent == "50\u00a0%" and "50\u00a0% of the latency" in first.says
    assert first.bar == pytest.approx((first.width - 16) / 2)
    assert second.percent == "" and second.bar == 0.0 and math.isnan(second.share)


def test_a_slot_that_fills_several_places_has_its_share_once():
    slots = (*U, "middle", "fusion")
    made = drawing(spec("mountain", {}, width=8, passes=2), filled(slots), {"fusion": 0.25})
    assert [box.percent for box in made.boxes if box.slot == "fusion"] == ["25\u00a0%", ""]


def test_a_slot_that_is_filled_twice_in_a_place_says_so_in_its_name():
    made = drawing(
        spec("mountain", {}, width=8, passes=2), filled((*U, "middle", "fusion"), "nafblock")
    )
    assert [box.name for box in made.boxes if box.slot == "fusion"] == ["fusion\u00a0×2", "fusion"]
    assert all(box.lines == ("nafblock", "×2") for box in made.boxes if box.slot == "fusion")


def test_a_box_has_a_cell_for_each_block_and_a_shape_for_each_family():
    stage = Filled("stage1", "emvm + mwsa", ("mamba", "attention", "mamba", "attention"))
    made = drawing("{}", [stage])
    (box,) = made.boxes
    assert [cell.slug for *_, cell in box.cell_places] == ["mamba", "attention"] * 2
    assert box.kinds == (LOOKS["mamba"], LOOKS["attention"])
    x, width, _ = box.cell_places[-1]
    assert x + width == pytest.approx(box.x + box.width - 8)


def test_a_stage_without_blocks_is_an_empty_box():
    (box,) = drawing("{}", [Filled("stage1", "empty", ())]).boxes
    assert (box.cell_places, box.lines) == ((), ("empty",))


def test_a_network_without_stages_is_an_empty_picture():
    assert drawing("{}", []).boxes == ()


def test_the_script_is_given_each_frame_and_each_filling_once():
    one = drawing(spec("unet", {}, width=8), filled(U), {"stage1": 0.5})
    two = drawing(spec("unet", {}, width=8), filled(U, "rdcnn"))
    three = drawing(spec("unet", {}, width=16), filled(U))
    made = compact({"a": one, "b": two, "c": three})
    mixes = made["mixes"]
    assert len(made["frames"]) == 2 and len(made["fills"]) == 2
    assert mixes["a"] == [0, [0] * 6, [50, -1, -1, -1, -1, -1]]
    assert mixes["b"][:2] == [0, [1] * 6]
    assert mixes["c"][:2] == [1, [0] * 6]
    assert made["frames"][0]["boxes"][0][4] == "stage1 · 8\u00a0ch"
    assert made["fills"][1] == [["rdcnn\u00a0×2"], "rdcnn\u00a0×2", ["mamba"], ["mamba"] * 2]
