"""What mixes cost that nobody built: parts are found, put together, and corrected."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from ablate.composition.choosing import choose
from ablate.composition.counting import COUNTED, Setting, counted
from ablate.composition.skeletons import CompositionError, chosen_by, skeletons
from ablate.composition.tables import Grid, Quantity, Table
from ablate.latency_model.fitting import Terms, agreement, fit, kendall
from ablate.latency_model.parts import Part, frame_of, holding, parts_of
from ablate.network import build
from ablate.profile import Profile
from ablate.profiling.flops import count_macs, count_parameters
from ablate.profiling.memory import forecast_inference
from ablate.study import Study, load_study


def study(stages: list[dict[str, Any]], **network: Any) -> Study:
    """A small study of these stages."""
    return load_study(
        {
            "name": "small",
            "question": "?",
            "task": {"degradation": "haze"},
            "network": {"width": 8, "stage": stages, **network},
            "profile": {"size": [16, 16]},
        }
    )


KINDS = [{"block": ["rdcnn", "lama", "identity"]}, {"block": ["rdcnn", "mwsa"], "depth": [0, 1, 2]}]


def test_parts_of_a_network_are_its_stages_and_empty_ones_have_none() -> None:
    points = study(KINDS)
    network = points.mix((1, 1, 0)).network
    stages = list(parts_of(network, "stage"))
    assert [part.slot for part in stages] == ["stage1", "decoder1"]
    assert {part.blocks[0].name for part in stages} == {"lama"}


def test_a_block_that_is_told_its_index_is_a_part_of_its_own_at_each_index() -> None:
    points = study([{"block": {"cycle": ["rdcnn", "mwsa"]}, "depth": 4}])
    first = [part for part in parts_of(points.mix(()).network, "block") if part.slot == "stage1"]
    assert [(part.blocks[0].name, len(part.blocks)) for part in first] == [
        ("rdcnn", 1), ("mwsa", 1), ("rdcnn", 1), ("mwsa", 2),
    ]  # fmt: skip


def test_skeletons_hold_exactly_the_networks_of_the_study() -> None:
    points = study(KINDS, width=[8, 16])
    found = skeletons(points)
    assert len(found) == 2
    made = set()
    for skeleton in found:
        axes = sorted({axis for fillings in skeleton.slots.values() for axis in fillings.axes})
        for positions in itertools.product(*(range(len(points.axes[a].labels)) for a in axes)):
            at = dict(zip(axes, positions, strict=True))
            stages = []
            for fillings in skeleton.slots.values():
                shape = [len(points.axes[a].labels) for a in fillings.axes]
                option = np.ravel_multi_index([at[a] for a in fillings.axes], shape) if shape else 0
                stages.append(fillings.options[int(option)])
            made.add((skeleton.frame, tuple(stages)))
    networks = [points.mix(point).network for point in points.points()]
    assert made == {(frame_of(n), tuple(s.blocks for s in n.stages)) for n in networks}


def test_a_study_that_joins_stages_in_too_many_ways_is_refused() -> None:
    widths = list(range(8, 8 * 67, 8))
    with pytest.raises(CompositionError, match=r"66 ways \(width\).*at most 64"):
        skeletons(study([{"block": "rdcnn"}], width=widths))


def test_blocks_are_measured_where_there_are_too_many_different_stages() -> None:
    assert chosen_by(skeletons(study(KINDS))) == "stage"
    many = [{"block": ["rdcnn", "lama", "mwsa"], "depth": list(range(1, 13))}] * 2
    assert chosen_by(skeletons(study(many))) == "block"


def test_a_part_is_held_by_the_base_with_nothing_else_changed() -> None:
    points = study(KINDS)
    base = points.mix((0, 0, 1)).network
    other = points.mix((1, 0, 1)).network.stages[0]
    part = Part(frame=frame_of(base), slot="stage1", blocks=other.blocks)
    held = holding(part, base)
    assert held.stages[0] == other
    assert held.stages[1:] == base.stages[1:]


@pytest.mark.parametrize("by", ["stage", "block"])
def test_counts_of_parts_add_up_to_those_of_every_whole_network(by: Any) -> None:
    points = study(KINDS)
    found, setting = skeletons(points), Setting(size=(16, 16), profile=points.profile)
    names = ("params", "macs")
    prices = Grid(points, counted(points, found, names, by, setting)).at(list(points.points()))
    for number, point in enumerate(points.points()):
        with torch.device("meta"):
            model = build(points.mix(point).network)
        assert prices["params"][number] == count_parameters(model)
        assert prices["macs"][number] == count_macs(model, (16, 16)).total


def test_peak_memory_is_the_weights_and_the_worst_stage_where_no_stage_is_an_identity() -> None:
    points = study([{"block": ["rdcnn", "lama"]}, {"block": ["rdcnn", "mwsa"]}])
    found, setting = skeletons(points), Setting(size=(32, 32), profile=Profile())
    grid = Grid(points, counted(points, found, COUNTED, "stage", setting))
    for point in points.points():
        with torch.device("meta"):
            model = build(points.mix(point).network)
        exact = forecast_inference(model, setting.shape).peak
        assert grid.at([point])["peak_memory"][0] == exact


def test_a_grid_prices_all_points_in_chunks_as_one_by_one() -> None:
    points = study(KINDS, width=[8, 16])
    tables = []
    for frame, skeleton in enumerate(skeletons(points)):
        slots = []
        for place, fillings in enumerate(skeleton.slots.values()):
            shape = tuple(len(points.axes[axis].labels) for axis in fillings.axes)
            numbers = 10.0**place * (1 + np.arange(np.prod(shape, dtype=int))).reshape(shape)
            slots.append((fillings.axes, numbers))
        tables.append(Table(own=0.5 + frame, slots=tuple(slots)))
    grid = Grid(points, {"sum": Quantity(tables=tuple(tables))})
    chunks = [chunk.values["sum"] for chunk in grid.prices(chunk=7)]
    assert [len(chunk) for chunk in chunks] == [7, 7, 7, 7, 7, 1]
    together = np.concatenate(chunks)
    for number, point in enumerate(points.points()):
        width, first, second, depth = point
        filled = 3 * second + depth
        expected = 0.5 + width + 101 * (first + 1) + 1010 * (filled + 1)
        assert together[number] == grid.at([point])["sum"][0] == expected


def test_a_study_of_one_network_has_one_price() -> None:
    points = study([{"block": "rdcnn"}])
    table = Table(own=1.0, slots=(((), np.array(2.0)), ((), np.array(3.0))))
    values = [
        chunk.values["a"] for chunk in Grid(points, {"a": Quantity(tables=(table,))}).prices()
    ]
    assert [list(chunk) for chunk in values] == [[6.0]]


def test_an_affine_law_is_found_exactly_and_boundary_terms_are_left_out() -> None:
    totals = [1e-3, 2e-3, 3.5e-3, 5e-3, 8e-3, 9e-3]
    terms = [Terms(total=total, rest=5e-4, relaid=1000.0 * k) for k, total in enumerate(totals)]
    found = fit(terms, [2e-4 + 1.05 * total for total in totals])
    assert set(found.coefficients) == {"constant", "sum"}
    assert found.coefficients["constant"] == pytest.approx(2e-4)
    assert found.coefficients["sum"] == pytest.approx(1.05)
    assert found.left_out == pytest.approx(0, abs=1e-9)


def test_a_boundary_term_is_taken_where_it_lowers_the_error_of_what_is_left_out() -> None:
    rng = np.random.default_rng(0)
    totals = rng.uniform(1e-3, 9e-3, 8)
    moved = rng.integers(0, 2, 8) * 50_000.0
    terms = [Terms(total=t, rest=5e-4, relaid=m) for t, m in zip(totals, moved, strict=True)]
    found = fit(terms, [1e-4 + t + 2e-8 * m for t, m in zip(totals, moved, strict=True)])
    assert found.coefficients["relaid"] == pytest.approx(2e-8)


def test_a_law_by_which_a_small_network_takes_no_time_is_not_considered() -> None:
    terms = [Terms(total=total, rest=0.0) for total in (1.0, 1.1, 1.2, 1.3)]
    steep = fit(terms, [0.1, 0.4, 0.7, 1.0])  # exactly affine, and negative below 1
    assert set(steep.coefficients) == {"sum"}
    falling = fit(terms, [1.3, 1.2, 1.1, 1.0])  # exactly affine, and more work takes less time
    assert set(falling.coefficients) == {"sum"}
    assert falling.coefficients["sum"] > 0


def test_two_networks_give_a_multiple_and_one_gives_nothing() -> None:
    terms = [Terms(total=total, rest=0.0) for total in (1.0, 2.0)]
    assert fit(terms, [1.1, 2.2]).coefficients == {"sum": pytest.approx(1.1)}
    with pytest.raises(ValueError, match="at least 2 measured networks; got 1"):
        fit(terms[:1], [1.0])


def test_agreement_is_what_arithmetic_says() -> None:
    found = agreement([1.1, 1.8, 3.0], [1.0, 2.0, 3.0])
    assert found.mape.value == pytest.approx(0.2 / 3)
    assert found.worst == pytest.approx(0.1)
    assert found.tau.value == 1.0
    assert found.r2 == pytest.approx(1 - 0.05 / 2)
    assert found.mape.low <= found.mape.value <= found.mape.high
    with pytest.raises(ValueError, match="2 predictions for 1 measurements"):
        agreement([1.0, 2.0], [1.0])


def test_kendall_counts_pairs_and_corrects_for_ties() -> None:
    first = np.array([1.0, 2.0, 3.0, 4.0])
    assert kendall(first, np.array([1.0, 2.0, 4.0, 3.0])) == pytest.approx((5 - 1) / 6)
    assert kendall(first, -first) == -1
    assert kendall(first, np.array([1.0, 1.0, 2.0, 3.0])) == pytest.approx(5 / np.sqrt(6 * 5))
    assert np.isnan(kendall(first, np.ones(4)))


def test_fitted_networks_meet_every_filling_and_unseen_ones_are_others() -> None:
    kinds = ["rdcnn", "lama", "mwsa", "identity"]
    points = study([{"block": kinds}] * 3)
    chosen = choose(points, 8, 8)
    assert len(chosen.fitted) == len(chosen.unseen) == 8
    networks = {points.mix(point).network for point in (*chosen.fitted, *chosen.unseen)}
    assert len(networks) == 16
    for axis in range(3):
        assert {point[axis] for point in chosen.fitted} == {0, 1, 2, 3}
    assert choose(points, 8, 8) == chosen


def test_a_small_study_is_halved() -> None:
    chosen = choose(study([{"block": ["rdcnn", "lama", "mwsa"]}]), 8, 8)
    assert (len(chosen.fitted), len(chosen.unseen)) == (2, 1)
