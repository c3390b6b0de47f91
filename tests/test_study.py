"""A study file becomes axes, points, labels and canonical mixes."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any, Literal

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ablate.mix import Choice, Training, mix_from_json
from ablate.network import build
from ablate.study import Axis, Study, StudyError, load_study, schema
from ablate.study.lines import line_numbers
from ablate.tasks.degradations import Pixels, degradations
from ablate.topologies import topologies
from blocks import Entry, blocks

DESIGN_EXAMPLE = """\
question = "At which depth does attention pay for its latency?"

[task]
degradation = "gaussian_noise"
sigma = 25                        # of 255

[network]
topology = "unet"
width = 24                        # channels of stage 1; each later stage has twice as many

[[network.stage]]                 # full resolution
block = "rdcnn"
depth = 2

[[network.stage]]                 # 1/2: a list is a question
block = [
    "rdcnn",
    { name = "mwsa", window = [8, 16] },
    { cycle = ["emvm", "mwsa"] },     # a cycle alternates inside the stage
    "lama",
]

[[network.stage]]                 # 1/4
block = ["emvm", "lama"]
depth = 4

[training]
steps = 400
seeds = 3                         # how many

[search]
strategy = "grid"

[profile]
size = [256, 256]

[report]
objectives = ["psnr", "latency"]
"""


def study(**tables: Any) -> Study:
    """A study of two stages, with tables and keys of the network replaced."""
    network = {"width": 8, "stage": [{"block": "rdcnn"}, {"block": "lama"}]}
    task = {"degradation": "gaussian_noise"}
    raw = {"question": "?", "task": task, "network": network}
    for name, table in tables.items():
        raw[name] = {**network, **table} if name == "network" else table
    return load_study(raw)


def stages(*blocks: Any, **network: Any) -> Study:
    """A study of one stage for each block; a pair is a block and a depth."""
    tables = [
        {"block": block[0], "depth": block[1]} if isinstance(block, tuple) else {"block": block}
        for block in blocks
    ]
    return study(network={"stage": tables, **network})


def names(study: Study, slot: str, point: tuple[int, ...] = ()) -> list[str]:
    mix = study.mix(point)
    (stage,) = (stage for stage in mix.network.stages if stage.slot == slot)
    return [block.name for block in stage.blocks]


def test_the_example_of_the_design_loads_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "where_to_attend.toml").write_text(DESIGN_EXAMPLE, encoding="utf-8")
    study = load_study(tmp_path / "where_to_attend.toml")
    blocks = ("rdcnn", "mwsa window=8", "mwsa window=16", "emvm+mwsa window=8", "lama")
    assert study.axes == (
        Axis(name="stage2", labels=blocks),
        Axis(name="stage3", labels=("emvm", "lama")),
    )
    assert (study.name, study.size, study.seeds) == ("where_to_attend", 10, 3)
    assert study.text == DESIGN_EXAMPLE and study.path == tmp_path / "where_to_attend.toml"
    assert study.question == "At which depth does attention pay for its latency?"
    assert study.mix((0, 0)).training == Training(steps=400)
    assert study.mix((0, 0)).task.degradation.settings["sigma"] == 25.0
    assert study.profile.size == ((256, 256),)
    assert study.search == Choice(name="grid")
    assert study.report.objectives == ("psnr", "latency")


def test_points_count_like_an_odometer_and_can_be_addressed(tmp_path: Path) -> None:
    asked = stages(["rdcnn", "lama"], ["emvm", "mwsa", "lama"], "rdcnn")
    points = list(asked.points())
    assert points == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert [asked.at(index) for index in range(asked.size)] == points


def test_labels_and_levels_are_made_of_the_same_words() -> None:
    block = [{"name": "mwsa", "window": [4, 8]}, "rdcnn"]
    asked = study(
        task={"degradation": "gaussian_noise", "sigma": [15, 25.5]},
        network={"stage": [{"block": block, "depth": [1, 2]}], "width": [8, 16]},
        training={"rate": [1e-3, 2e-3]},
    )
    assert asked.levels((1, 0, 1, 0, 1)) == {
        "sigma": "25.5",
        "width": "8",
        "stage1": "mwsa window=8",
        "stage1.depth": "1",
        "rate": "0.002",
    }
    expected = "sigma=25.5 | width=8 | mwsa window=8 | stage1.depth=1 | rate=0.002"
    assert asked.label((1, 0, 1, 0, 1)) == expected
    assert len({asked.label(point) for point in asked.points()}) == asked.size == 48


def test_a_study_that_asks_nothing_has_one_mix_named_like_the_study() -> None:
    settled = study()
    assert (settled.axes, settled.size, list(settled.points())) == ((), 1, [()])
    assert settled.label(()) == "study" and settled.levels(()) == {}


def test_a_label_shows_what_differs_and_else_what_is_unusual() -> None:
    varied = [{"name": "mwsa", "window": [4, 8], "grow": False}]
    assert stages(varied).axes[0].labels == ("mwsa window=4", "mwsa window=8")
    single = ["rdcnn", {"name": "mwsa", "grow": False}, "lama"]
    assert stages(single).axes[0].labels == ("rdcnn", "mwsa grow=false", "lama")


def test_where_several_knobs_differ_their_defaults_go_without_saying() -> None:
    varied = [{"name": "mwsa", "window": [4, 8], "heads": [2, 4]}]
    assert stages(varied).axes[0].labels == (
        "mwsa heads=2 window=4",
        "mwsa window=4",
        "mwsa heads=2",
        "mwsa",
    )


def test_knob_lists_multiply_in_blocks_and_in_cycles() -> None:
    heads = {"name": "mwsa", "window": [4, 8], "heads": [1, 2]}
    assert len(stages(heads).axes[0].labels) == 4
    cycle = {"cycle": ["emvm", {"name": "mwsa", "window": [4, 8]}]}
    assert stages(cycle).axes[0].labels == ("emvm+mwsa window=4", "emvm+mwsa window=8")
    listed = {"cycle": ["emvm", ["mwsa", "lama"]]}
    assert stages(listed).axes[0].labels == ("emvm+mwsa", "emvm+lama")


def test_a_cycle_fills_the_positions_in_turn_and_is_cut_at_the_depth() -> None:
    cycle = {"cycle": ["emvm", "mwsa"]}
    assert names(stages((cycle, 5)), "stage1") == ["emvm", "mwsa", "emvm", "mwsa", "emvm"]
    assert names(stages((cycle, 0)), "stage1") == []
    assert stages((cycle, 1)).mix(()).key == stages(("emvm", 1)).mix(()).key


def test_settings_that_do_nothing_leave_the_key_as_it_is() -> None:
    assert stages(("mwsa", 0)).mix(()).key == stages(("rdcnn", 0)).mix(()).key
    written = {"name": "mwsa", "window": 8, "mlp_ratio": 2.66}
    assert stages(written).mix(()).key == stages("mwsa").mix(()).key
    repeated = {"cycle": ["lama", "lama"]}
    assert stages((repeated, 3)).mix(()).key == stages(("lama", 3)).mix(()).key


def test_integers_are_taken_for_numbers_and_are_the_same_mix() -> None:
    whole = study(task={"degradation": "gaussian_noise", "sigma": 15})
    point = study(task={"degradation": "gaussian_noise", "sigma": 15.0})
    assert whole.mix(()).key == point.mix(()).key


def test_every_mix_survives_json() -> None:
    asked = stages(["rdcnn", "mwsa"], {"cycle": ["emvm", "lama"]})
    for point in asked.points():
        assert mix_from_json(asked.mix(point).to_json()) == asked.mix(point)


def test_a_mix_that_was_written_before_a_setting_existed_has_it_at_its_default() -> None:
    mix = stages("rdcnn").mix(())
    older = json.loads(mix.to_json())
    del older["training"]["auxiliary"]
    assert mix_from_json(json.dumps(older)) == mix


def test_the_decoder_mirrors_the_encoder_and_they_are_one_axis() -> None:
    asked = stages(["rdcnn", "lama"], "rdcnn")
    assert [axis.name for axis in asked.axes] == ["stage1"]
    assert names(asked, "decoder1", (1,)) == names(asked, "stage1", (1,)) == ["lama"]


def test_the_decoder_overrides_key_by_key() -> None:
    stage = [{"block": ["rdcnn", "lama"], "depth": [1, 2]}, {"block": "rdcnn"}]
    decoder = [{"depth": 3}, {"block": ["lama", "rdcnn"]}]
    asked = study(network={"stage": stage, "decoder": decoder})
    assert [axis.name for axis in asked.axes] == ["stage1", "stage1.depth", "decoder2"]
    assert names(asked, "decoder1", (1, 1, 0)) == ["lama"] * 3
    assert names(asked, "stage1", (1, 1, 0)) == ["lama"] * 2
    assert names(asked, "decoder2", (0, 0, 0)) == ["lama"]
    assert asked.label((0, 0, 0)) == "rdcnn | stage1.depth=1 | decoder2=lama"


def test_slots_stand_in_one_order() -> None:
    asked = study(network={"middle": {"block": ["lama", "rdcnn"], "depth": 2}})
    slots = [stage.slot for stage in asked.mix((0,)).network.stages]
    assert slots == ["stage1", "stage2", "middle", "decoder1", "decoder2"]
    assert asked.label((1,)) == "middle=rdcnn"
    assert names(asked, "middle", (1,)) == ["rdcnn", "rdcnn"]


def test_every_mix_of_a_study_can_be_built() -> None:
    asked = stages(["rdcnn", "nafblock"], {"cycle": ["mwsa", "lama"]}, width=[8, 16])
    for point in asked.points():
        build(asked.mix(point).network)


def test_options_beside_the_topology_belong_to_it() -> None:
    options = study(network={"skip": ["add", "concat"], "supervised": True})
    assert [axis.name for axis in options.axes] == ["skip"]
    topology = options.mix((1,)).network.topology
    assert topology.name == "unet" and topology.settings["skip"] == "concat"
    assert topology.settings["supervised"] is True
    unsaid = {"widths"}  # width says it all
    assert set(topology.settings) == set(topologies["unet"].knobs) - unsaid


def test_options_may_stand_inside_the_topology() -> None:
    inside = study(network={"topology": {"name": "unet", "skip": "concat"}})
    beside = study(network={"topology": "unet", "skip": "concat"})
    assert inside.mix(()).key == beside.mix(()).key


def test_degradations_are_an_axis() -> None:
    task = {"degradation": ["haze", {"name": "gaussian_noise", "sigma": [15, 50]}]}
    asked = study(task=task)
    labels = ("haze", "gaussian_noise sigma=15", "gaussian_noise sigma=50")
    assert asked.axes == (Axis(name="degradation", labels=labels),)


def test_a_mixture_is_a_literal_list_of_degradations() -> None:
    of = ["haze", {"name": "jpeg", "quality": 30}]
    mixed = study(task={"degradation": "mixture", "of": of})
    assert mixed.axes == ()
    haze, jpeg = mixed.mix(()).task.degradation.settings["of"]  # type: ignore[misc, union-attr]
    assert haze.settings["beta"] == 1.6 and jpeg.settings["quality"] == 30  # type: ignore[union-attr]
    asked = study(task={"degradation": "mixture", "of": [["haze", "jpeg"], of]})
    assert asked.axes[0].labels == ("[haze, jpeg quality=20]", "[haze, jpeg quality=30]")


def test_defaults_inside_a_default_are_filled_in_too() -> None:
    left_out = study(task={"degradation": "mixture"})
    default = ["rain", "haze", "gaussian_noise"]
    written = study(task={"degradation": "mixture", "of": default})
    assert left_out.mix(()).key == written.mix(()).key


def test_pairs_need_no_degradation_and_their_folders_need_not_exist_yet() -> None:
    data = {"source": "pairs", "input": "no/such", "target": "folder"}
    paired = study(task={"data": data})
    assert paired.mix(()).task.degradation == Choice(name="given")
    assert paired.mix(()).task.data.settings["input"] == "no/such"


def test_knobs_of_the_data_may_be_asked_about() -> None:
    data = {"source": "folder", "train": ["few", "many"]}
    asked = study(task={"degradation": "haze", "data": data})
    assert asked.axes == (Axis(name="data.train", labels=("few", "many")),)
    assert asked.mix((1,)).task.data.settings["train"] == "many"


def test_a_loss_is_a_name_a_weighted_sum_or_a_list_of_them() -> None:
    assert study(training={"loss": "psnr"}).mix(()).training.loss == (("psnr", 1.0),)
    summed = study(training={"loss": {"l1": 1, "fft_l1": [0.05, 0.1]}})
    assert summed.axes[0].labels == ("0.05 fft_l1 + l1", "0.1 fft_l1 + l1")
    asked = study(training={"loss": ["l1", {"l1": 1.0, "fft_l1": 0.1}]})
    assert asked.axes[0].labels == ("l1", "0.1 fft_l1 + l1")
    assert asked.mix((1,)).training.loss == (("fft_l1", 0.1), ("l1", 1.0))
    assert asked.mix((0,)).key == study().mix(()).key


def test_a_pair_is_a_value_and_a_list_of_pairs_is_a_question() -> None:
    assert study(training={"betas": [0.9, 0.9]}).mix(()).training.betas == (0.9, 0.9)
    asked = study(training={"betas": [[0.9, 0.9], [0.9, 0.999]]})
    assert asked.axes == (Axis(name="betas", labels=("[0.9, 0.9]", "[0.9, 0.999]")),)


def test_sizes_are_literal_and_listed_once() -> None:
    several = study(profile={"size": [[64, 64], [128, 96], [64, 64]], "rounds": 3})
    assert several.profile.size == ((64, 64), (128, 96)) and several.profile.rounds == 3
    assert several.axes == ()


def test_knobs_of_a_strategy_are_filled_in() -> None:
    searched = study(search={"strategy": "random", "n": 5})
    assert searched.search == Choice.of("random", {"n": 5, "seed": 0})


def streaks(clean: Pixels, rng: np.random.Generator, *, width: int = 1) -> Pixels:
    """Streaks of a width, which is the name of an option of the topology too."""
    return clean


def test_axes_of_one_name_are_told_apart_by_their_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(degradations._entries, "streaks", Entry("streaks", streaks, {}))
    task = {"degradation": "streaks", "width": [1, 2]}
    assert [axis.name for axis in study(task=task).axes] == ["width"]
    both = study(task=task, network={"width": [8, 16]})
    assert [axis.name for axis in both.axes] == ["task.width", "network.width"]
    assert both.mix((1, 0)).task.degradation.settings["width"] == 2
    assert both.mix((1, 0)).network.topology.settings["width"] == 8


def test_a_study_may_name_itself() -> None:
    raw = {"question": "?", "name": "mine", "task": {"degradation": "haze"}}
    assert load_study({**raw, "network": {"stage": [{"block": "rdcnn"}]}}).name == "mine"


def test_a_dictionary_may_hold_tuples_and_paths() -> None:
    data = {"source": "folder", "train": Path("my") / "images"}
    loaded = study(task={"degradation": "haze", "data": data}, profile={"size": (64, 64)})
    assert loaded.mix(()).task.data.settings["train"] == "my/images"
    assert json.loads(loaded.text)["profile"]["size"] == [64, 64]


def test_a_million_mixes_load_at_once_and_are_built_lazily() -> None:
    many = ["rdcnn", "nafblock", "lama", "emvm", {"name": "mwsa", "window": [2, 4, 6, 8, 10, 12]}]
    stage = [{"block": many, "depth": [1, 2]}] * 4
    start = time.perf_counter()
    asked = study(network={"stage": stage, "width": [8, 16, 32, 48]})
    assert asked.size == 640_000
    assert asked.at(asked.size - 1) == tuple(len(axis.labels) - 1 for axis in asked.axes)
    assert time.perf_counter() - start < 5  # 0.3 s when nothing else runs


def test_a_mistake_far_inside_a_large_space_is_found() -> None:
    many = ["rdcnn", "nafblock", "lama", "emvm", {"name": "mwsa", "heads": [1, 2, 3]}]
    with pytest.raises(StudyError, match=r"stage 3: mwsa: channels must be a multiple of heads"):
        stages("rdcnn", "rdcnn", many, [*many[:4]], width=[8, 16, 32, 64])


def test_lines_are_known_for_every_table_key_and_item() -> None:
    text = '''question = """two
lines # no comment"""  # a comment
[task]
a."b.c" = 1
[[network.stage]]
block = [ # what
  "x",
  { name = "y", knob = [1,
    2] },
]
[[network.stage]]
block = 'z#'
depth = 1.5
'''
    lines = line_numbers(text)
    assert lines[("question",)] == 1 and lines[("task",)] == 3
    assert lines[("task", "a", "b.c")] == 4
    assert lines[("network", "stage", 0)] == 5
    assert lines[("network", "stage", 0, "block", 0)] == 7
    assert lines[("network", "stage", 0, "block", 1, "knob")] == 8
    assert lines[("network", "stage", 0, "block", 1, "knob", 1)] == 9
    assert lines[("network", "stage", 1, "block")] == 12
    assert lines[("network", "stage", 1, "depth")] == 13


class Kinds:
    """A block with a knob of every type."""

    def __init__(
        self,
        channels: int,
        *,
        number: float,
        kernel: tuple[int, int] = (3, 3),
        rates: tuple[int, ...] = (1, 2),
        mode: Literal["a", "b"] = "a",
        level: Literal[1, 2] = 1,
        experts: tuple[Choice, ...] = (Choice(name="rdcnn"),),
    ) -> None:
        self.channels = channels


def test_every_type_of_knob_is_read_and_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(blocks._entries, "kinds", Entry("kinds", Kinds, {}))
    block = {"name": "kinds", "number": 1, "kernel": [[3, 3], [3, 5]], "rates": [1], "mode": "b"}
    asked = stages(block)
    assert asked.axes[0].labels == ("kinds kernel=[3, 3]", "kinds kernel=[3, 5]")
    knobs = asked.mix((1,)).network.stages[0].blocks[0].settings
    assert (knobs["number"], knobs["kernel"], knobs["rates"]) == (1.0, (3, 5), (1,))
    experts = [["rdcnn", "lama"], [{"name": "mwsa", "window": 4}]]
    asked = stages({"name": "kinds", "number": 0.5, "experts": experts})
    window = "kinds experts=[mwsa window=4]"
    assert asked.axes[0].labels == ("kinds experts=[rdcnn, lama]", window)
    for wrong in ({"kernel": [3]}, {"kernel": 3}, {"rates": [1.5]}, {"level": 3}, {"experts": [4]}):
        with pytest.raises(StudyError):
            stages({"name": "kinds", "number": 1, **wrong})
    with pytest.raises(StudyError, match="kinds needs number, a number"):
        stages("kinds")
    validator = jsonschema.Draft202012Validator(schema())
    raw = {"question": "?", "network": {"stage": [{"block": [{**block, "experts": experts}]}]}}
    validator.validate(raw)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 40)
    | st.floats()
    | st.sampled_from(["", "rdcnn", "haze", "unet", "x", "mwsa", "pairs"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "cycle", "block", "window", "x"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)
PLACES: list[tuple[str | int, ...]] = [
    ("question",), ("name",), ("task",), ("task", "degradation"), ("task", "sigma"),
    ("task", "data"), ("task", "data", "source"), ("network",), ("network", "topology"),
    ("network", "width"), ("network", "stage"), ("network", "stage", 0),
    ("network", "stage", 0, "block"), ("network", "stage", 0, "depth"), ("network", "decoder"),
    ("network", "middle"), ("training",), ("training", "steps"), ("training", "loss"),
    ("training", "betas"), ("training", "seeds"), ("training", "scale_weights"), ("evaluation",),
    ("evaluation", "crop"), ("search",), ("search", "strategy"), ("profile",),
    ("profile", "size"), ("report",), ("report", "objectives"),
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES), junk=JUNK)
def test_whatever_stands_in_a_study_it_loads_or_is_refused_in_words(
    place: tuple[str | int, ...], junk: Any
) -> None:
    raw: dict[str, Any] = {"question": "?", "task": {"degradation": "haze"}}
    raw["network"] = {"width": 8, "stage": [{"block": "rdcnn"}]}
    raw = copy.deepcopy(raw)
    inner: Any = raw
    for key in place[:-1]:
        inner = inner[key] if isinstance(inner, list) else inner.setdefault(key, {})
    inner[place[-1]] = junk
    try:
        loaded = load_study(raw)
    except StudyError as error:
        assert error.problems and all("\n" not in problem for problem in error.problems)
    else:
        assert loaded.mix(loaded.at(loaded.size - 1)).key


def test_the_schema_is_a_schema_and_knows_what_the_loader_knows() -> None:
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    json.dumps(made)
    validator = jsonschema.Draft202012Validator(made)
    good = {
        "question": "?",
        "task": {"degradation": "rain", "density": [5, 10]},
        "network": {"width": [8, 16], "stage": [{"block": {"name": "mwsa", "window": [4, 8]}}]},
        "training": {"loss": [{"l1": 1, "fft_l1": 0.1}, "l1"], "betas": [[0.9, 0.9]], "seeds": 3},
        "profile": {"size": [[64, 64], [32, 64]]},
    }
    validator.validate(good)
    for table, key, value in [
        ("task", "sigma", 25),
        ("network", "widht", 8),
        ("network", "stage", [{"block": "rdcn"}]),
        ("network", "stage", [{"block": {"name": "mwsa", "windw": 8}}]),
        ("network", "stage", [{"depth": 2}]),
        ("training", "steps", 0),
        ("training", "loss", "l2"),
        ("training", "seeds", [0, 1]),
        ("profile", "size", 256),
        ("search", "n", 3),
        ("report", "objectives", ["latensy"]),
    ]:
        wrong = {**good, table: {**good.get(table, {}), key: value}}
        assert list(validator.iter_errors(wrong)), (table, key)


def test_the_schema_carries_what_the_docstrings_say() -> None:
    made = schema()
    training = made["properties"]["training"]["properties"]
    assert training["steps"]["description"] == "Optimiser steps."
    assert training["steps"]["default"] == Training().steps
    tables = made["$defs"]["block"]["anyOf"][1:]
    (mwsa,) = (table for table in tables if table["properties"]["name"]["const"] == "mwsa")
    assert mwsa["properties"]["window"]["default"] == 8
    assert mwsa["description"] == blocks["mwsa"].summary
