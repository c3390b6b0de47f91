"""The latency model of a study: exact where times add up, and at home on one machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablate.composition import limits as limiting
from ablate.composition.finding import load, model_folders, usable_model
from ablate.composition.forecasting import forecast, from_calls
from ablate.composition.limits import limits
from ablate.composition.making import Survey, _wider, compose, make_model, survey
from ablate.composition.predicting import latency_quantity, uncovered
from ablate.composition.rows import predicted_metrics, predicted_rows
from ablate.composition.skeletons import CompositionError, skeletons
from ablate.composition.tables import Grid
from ablate.composition.words import lines, range_of
from ablate.latency_model.fingerprint import fingerprint as fingerprint_of
from ablate.latency_model.measuring import Conditions, MeasuringError, PartsTimed
from ablate.latency_model.model import LatencyModel, OutsideRange
from ablate.latency_model.parts import Frame, Part, parts_of
from ablate.latency_model.storage import ModelError, file_name, read, save
from ablate.mix import Choice, Network
from ablate.plugins import load_plugins
from ablate.profiling.latency import LatencySample
from ablate.profiling.modes import Mode
from ablate.runs.marks import fingerprint
from ablate.runs.running import run
from ablate.searches import propose
from ablate.study import Study, load_study
from ablate.widths import with_widths
from blocks import blocks

KINDS = ["rdcnn", "lama", "mwsa", "identity"]
SECONDS = {"rdcnn": 1e-3, "lama": 2e-3, "mwsa": 3e-3, "identity": 1e-6}
REST, SLOPE, CONSTANT = 4e-3, 1.05, 3e-4


def study(width: Any = 8, **search: Any) -> Study:
    """Three stages of four kinds each."""
    return load_study(
        {
            "name": "small",
            "question": "?",
            "task": {"degradation": "haze"},
            "network": {"width": width, "stage": [{"block": KINDS}] * 3},
            "search": search,
            "profile": {"size": [16, 16], "rounds": 2, "processes": 1},
        }
    )


def conditions(points: Study) -> Conditions:
    return Conditions(size=(16, 16), profile=points.profile, mode=Mode(), device="cpu")


def part_seconds(part: Part) -> float:
    """A law that is linear in the logarithm of the width."""
    width = part.frame.width_at()
    assert width is not None
    return sum(SECONDS[choice.name] for choice in part.blocks) * width / 8


def whole_seconds(network: Network) -> float:
    inside = sum(part_seconds(part) for part in parts_of(network, "stage"))
    return CONSTANT + SLOPE * (REST + inside)


def timed(
    surveyed: Survey, slower: str = "", dropped: str = ""
) -> tuple[dict[Part, str], PartsTimed]:
    """What would be measured if times added up; the base has its rest without a correction."""
    names = {part: part.words + str(number) for number, part in enumerate(surveyed.parts)}
    seconds = {name: part_seconds(part) for part, name in names.items()}
    seconds |= {one.key: whole_seconds(one) for _, _, one in surveyed.wholes}
    for base in surveyed.bases.values():
        inside = sum(part_seconds(part) for part in parts_of(base, "stage"))
        seconds[base.key] = REST + inside
    if slower:
        seconds[slower] *= 1.3
    lost = {name: "out of memory" for part, name in names.items() if part.blocks[0].name == dropped}
    samples = tuple(
        LatencySample(
            subject=name, process=0, round=n, seconds=value, cpu_seconds=value, flagged=False
        )
        for n in range(2)
        for name, value in seconds.items()
        if name not in lost
    )
    relaid = dict.fromkeys(names.values(), 0)
    return names, PartsTimed(samples=samples, relaid=relaid, dropped=lost)


def model_of(points: Study, widths: tuple[int, ...] = (), **how: str) -> LatencyModel:
    """Composed of what the law says; bases are not among the networks it is fitted to."""
    surveyed = survey(points, widths=widths)
    bases = {base.key for base in surveyed.bases.values()}
    wholes = tuple(row for row in surveyed.wholes if row[2].key not in bases)
    surveyed = replace(surveyed, wholes=wholes)
    return compose(points, surveyed, conditions(points), *timed(surveyed, **how))


def test_where_times_add_up_every_mix_is_predicted_exactly() -> None:
    points = study()
    model = model_of(points)
    assert model.fit.coefficients["sum"] == pytest.approx(SLOPE)
    assert model.fit.coefficients["constant"] == pytest.approx(CONSTANT)
    assert model.check is not None
    assert model.check.mape.value == pytest.approx(0, abs=1e-9)
    for point in points.points():
        mix = points.mix(point)
        assert model.predict(mix) == pytest.approx(whole_seconds(mix.network))
        assert model.outside(mix) == ""


def test_all_points_at_once_have_the_price_that_each_has_alone() -> None:
    points = study(width=[8, 16])
    model = model_of(points)
    grid = Grid(points, {"latency": latency_quantity(points, skeletons(points), model)})
    together = np.concatenate([chunk.values["latency"] for chunk in grid.prices(chunk=50)])
    alone = [model.predict(points.mix(point)) for point in points.points()]
    assert together == pytest.approx(np.array(alone))
    found = range_of(grid, "latency")
    assert (found.points, found.priced) == (128, 128)
    assert (found.least, found.most) == (pytest.approx(min(alone)), pytest.approx(max(alone)))


def test_a_network_that_is_slower_than_its_parts_shows_in_the_error() -> None:
    points = study()
    slow = next(n for _, role, n in survey(points).wholes if role == "unseen")
    model = model_of(points, slower=slow.key)
    assert model.check is not None
    assert model.error == model.check.worst == pytest.approx(1 - 1 / 1.3, rel=1e-6)


def test_what_was_never_measured_is_outside_the_range() -> None:
    model = model_of(study())
    other = study(width=24)
    with pytest.raises(OutsideRange, match=r"width 24 is outside the measured widths \(8\)"):
        model.predict(other.mix((0, 0, 0)))
    raw = {"question": "?", "task": {"degradation": "haze"}}
    stages = [{"block": "nafblock"}, {"block": "rdcnn"}, {"block": "rdcnn"}]
    naf = load_study({**raw, "network": {"width": 8, "stage": stages}})
    assert model.outside(naf.mix(())) == (
        "stage1: nafblock was not measured; the model knows nothing of it"
    )
    concat = load_study({**raw, "network": {"width": 8, "skip": "concat", "stage": stages}})
    assert model.outside(concat.mix(())) == (
        "unet with these options and places was not measured; the model knows nothing of it"
    )


def test_a_part_that_could_not_run_has_no_price_and_says_why() -> None:
    points = study()
    model = model_of(points, dropped="mwsa")
    first = points.mix((2, 0, 0))
    reason = "stage1: mwsa could not be measured: out of memory; the model knows nothing of it"
    assert model.outside(first) == reason
    found = skeletons(points)
    assert list(uncovered(found, model)) == []
    grid = Grid(points, {"latency": latency_quantity(points, found, model)})
    values = grid.at(list(points.points()))["latency"]
    with_mwsa = [2 in point for point in points.points()]
    assert np.isnan(values).tolist() == with_mwsa
    spoken = list(lines(model, range_of(grid, "latency"), "there.json"))
    assert "prices 27 of 64 points" in spoken[-2]
    assert "37 are outside the range" in spoken[-2]
    assert sum("out of memory" in line for line in spoken) == 6


def test_between_two_measured_widths_parts_are_interpolated_place_by_place() -> None:
    points = study()
    model = model_of(points, widths=(16,))
    network = points.mix((0, 1, 2)).network
    wider = replace(network, topology=with_widths(network.topology, [12]))
    share = np.log(12 / 8) / np.log(2)
    inside = sum(part_seconds(part) for part in parts_of(network, "stage"))
    law = CONSTANT + SLOPE * (REST + inside * 2**share)
    assert model.predict(wider) == pytest.approx(law)
    uneven = replace(network, topology=with_widths(network.topology, [8, 16, 64]))
    deepest = (
        2 * SECONDS["mwsa"]
    )  # stage and decoder are as wide as in a network of twice the width
    assert model.predict(uneven) == pytest.approx(CONSTANT + SLOPE * (REST + inside + deepest))
    beyond = replace(network, topology=with_widths(network.topology, [8, 16, 80]))
    assert model.outside(beyond) == (
        "width 20 of stage3, for the first stage, is outside the measured widths (8, 16); "
        "nothing is extrapolated"
    )


def test_a_model_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    model = model_of(study(), dropped="mwsa")
    path = tmp_path / "new" / file_name(model.mode)
    save(model, path)
    assert path.name == "latency-model-16x16.json"
    assert read(path) == model
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no latency model can be read here: No such file or directory"),
        ("{", "no latency model can be read here: it is not JSON"),
        ("[]", "not a latency model of this version (format None, expected 1); make it again: "),
        (
            '{"format": 99}',
            "not a latency model of this version (format 99, expected 1); make it again: ",
        ),
        ('{"format": 1}', "the latency model is damaged (KeyError: 'frames'); make it again: "),
        (
            '{"format": 1, "frames": [{"topology": 3}]}',
            "the latency model is damaged (TypeError: 'int' object is not subscriptable); "
            "make it again: ",
        ),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, text: str | None, reason: str) -> None:
    path = tmp_path / "model.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ModelError) as error:
        read(path)
    again = "ablate latency-model STUDY" if reason.endswith("again: ") else ""
    assert str(error.value) == f"{path}: {reason}{again}"


def test_where_a_topology_has_no_width_none_can_be_measured_beside_it():
    one = skeletons(study())[0]
    flat = replace(one, frame=replace(one.frame, topology=Choice(name="flat")))
    with pytest.raises(CompositionError) as error:
        _wider([flat], [24])
    assert str(error.value) == (
        "--width 24: flat has no width, so that none can be measured beside it"
    )


@pytest.fixture
def bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Study]:
    """A study that bounds latency, from where runs lie."""
    monkeypatch.chdir(tmp_path)
    yield study(constraints=["latency <= 11 ms"])


def test_a_model_of_another_machine_is_refused_with_what_differs(bounded: Study) -> None:
    model = model_of(bounded)
    path = model_folders(bounded)[0] / file_name(model.mode)
    save(model, path)
    assert load(bounded, (16, 16), model_folders(bounded), "cpu") == model
    raw = json.loads(path.read_text())
    raw["fingerprint"]["processor"] = "Abacus"
    path.write_text(json.dumps(raw))
    here = model.fingerprint["processor"]
    with pytest.raises(ModelError) as error:
        limits(bounded, model_folders(bounded), "cpu")
    assert str(error.value) == (
        f"runs/small/latency-model-16x16.json: this latency model was made under other "
        f"conditions: processor Abacus, here {here}; make one while nothing else runs: "
        "ablate latency-model small --device cpu"
    )
    assert usable_model(bounded, model_folders(bounded), "cpu") is None


def test_a_run_without_a_model_names_the_command_that_makes_one(bounded: Study) -> None:
    with pytest.raises(ModelError) as error:
        run(bounded, device="cpu")
    assert str(error.value) == (
        "small: there is no latency model of this machine yet "
        "(runs/small/latency-model-16x16.json); make one while nothing else runs: "
        "ablate latency-model small --device cpu"
    )
    assert not (Path("runs") / "small").exists()


def test_a_search_tries_only_what_keeps_to_the_constraints(bounded: Study) -> None:
    model = model_of(bounded)
    save(model, model_folders(bounded)[0] / file_name(model.mode))
    found = limits(bounded, model_folders(bounded), "cpu")
    assert found is not None
    tried = propose(found.space(), [], bounded.search)
    kept = [p for p in bounded.points() if whole_seconds(bounded.mix(p).network) <= 11e-3]
    assert tried == kept
    assert 0 < len(kept) < 64
    assert found.words == (
        f"{len(kept)} of 64 points keep to latency <= 11 ms "
        "(latency is predicted, with errors of up to 0.0 %)"
    )
    row = predicted_rows(bounded.mix(kept[0]), found, "cpu")[0]
    assert row.value == pytest.approx(whole_seconds(bounded.mix(kept[0]).network))
    assert row.metric == predicted_metrics(found)[0].name
    assert fingerprint(bounded) != fingerprint(study())


def test_where_nothing_is_left_the_nearest_is_told(bounded: Study) -> None:
    tight = replace(bounded, constraints=study(constraints=["latency <= 1 us"]).constraints)
    model = model_of(bounded)
    save(model, model_folders(bounded)[0] / file_name(model.mode))
    found = limits(tight, model_folders(tight), "cpu")
    assert found is not None
    with pytest.raises(ModelError) as error:
        found.require_some()
    least = 1e3 * min(whole_seconds(bounded.mix(p).network) for p in bounded.points())
    assert str(error.value) == (
        f"small: no mix keeps to its constraints: latency <= 1 us (the least is {least:.3g} ms)"
    )


def test_a_model_that_lacks_a_block_of_the_study_is_made_again(bounded: Study) -> None:
    model = model_of(bounded)
    kept = {part: cost for part, cost in model.parts.items() if part.blocks[0].name != "lama"}
    facts = {name: fact for name, fact in model.fingerprint.items() if name != "code of lama"}
    lacking = replace(model, parts=kept, fingerprint=facts)
    save(lacking, model_folders(bounded)[0] / file_name(model.mode))
    with pytest.raises(ModelError, match=r"stage1: lama was not measured; .*; make one while"):
        limits(bounded, model_folders(bounded), "cpu")


def test_counted_constraints_need_no_model_and_no_constraints_nothing(tmp_path: Path) -> None:
    assert limits(study(), [tmp_path], "cpu") is None
    points = study(constraints=["params <= 20 K"])
    found = limits(points, [tmp_path], "cpu")
    assert found is not None
    assert found.left is not None
    assert 0 < found.left.allowed < found.left.points == 64
    assert predicted_metrics(found) == []
    assert found.words == f"{found.left.allowed} of 64 points keep to params <= 20 K"


def test_a_study_that_is_too_large_to_look_at_says_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiting, "SURVEYED", 10)
    found = limits(study(constraints=["params <= 1 K"]), [tmp_path], "cpu")
    assert found is not None
    assert found.left is None
    assert found.words == "those points keep to params <= 1 K"
    found.require_some()


def test_mixes_that_are_brought_to_one_cost_are_priced_with_the_widths_that_they_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = [{"block": ["rdcnn", "lama"]}, {"block": ["rdcnn", "lama"]}]
    raw = {"name": "level", "question": "?", "task": {"degradation": "haze"}}
    network = {"width": 16, "equal": "params", "equal_within": 0.05, "stage": stages}
    raw |= {"network": network, "profile": {"size": [16, 16], "rounds": 2, "processes": 1}}
    points = load_study({**raw, "search": {"constraints": ["latency <= 19 ms"]}})
    surveyed = survey(points)
    assert {frame.width_at() for frame in surveyed.bases} == {8, 16, 24, 32}
    model = compose(points, surveyed, conditions(points), *timed(surveyed))
    save(model, tmp_path / file_name(model.mode))
    found = limits(points, [tmp_path], "cpu")
    assert found is not None
    for point in points.points():
        assert found.allows(point) == (model.predict(points.mix(point)) <= 19e-3)
    priced = range_of(found.grid, "latency@16x16")
    assert (priced.points, priced.priced) == (4, 4)
    monkeypatch.setattr(limiting, "FEW", 3)  # each would have to be solved for
    many = limits(points, [tmp_path], "cpu")
    assert many is not None and many.left is None


def test_a_study_of_two_networks_is_measured_whole_instead() -> None:
    raw = {"name": "two", "question": "?", "task": {"degradation": "haze"}}
    network = {"width": 8, "stage": [{"block": ["rdcnn", "lama"]}]}
    with pytest.raises(CompositionError, match="two: 2 different networks are too few"):
        survey(load_study({**raw, "network": network}))


@pytest.mark.usefixtures("forks")
def test_parts_and_networks_are_really_timed_and_what_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "_entries", dict(blocks._entries))
    plugin = tmp_path / "breaks_at_16.py"
    plugin.write_text(PLUGIN)
    plugins = load_plugins([str(plugin)])
    raw = {"name": "real", "question": "?", "task": {"degradation": "haze"}}
    stages = [{"block": ["rdcnn", "identity", "breaks_at_16"]}, {"block": ["rdcnn", "identity"]}]
    profile = {"size": [16, 16], "rounds": 2, "processes": 1}
    points = load_study({**raw, "network": {"width": 8, "stage": stages}, "profile": profile})
    given = replace(conditions(points), plugins=plugins)
    done: list[tuple[int, int]] = []
    model = make_model(points, survey(points), given, lambda *step: done.append(step))
    assert done == [(1, 2), (2, 2)]
    assert {part.slot for part in model.dropped} == {"stage1", "decoder1"}
    assert set(model.dropped.values()) == {"not at 16 pixels"}
    stage = next(p for p in model.parts if p.slot == "stage1" and p.blocks[0].name == "rdcnn")
    empty = next(p for p in model.parts if p.slot == "stage1" and p.blocks[0].name == "identity")
    assert model.parts[stage].seconds > model.parts[empty].seconds
    assert {whole.role for whole in model.wholes} <= {"fitted", "unseen"}
    assert all(whole.seconds > 0 for whole in model.wholes)
    assert read_back(model, tmp_path) == model


def read_back(model: LatencyModel, folder: Path) -> LatencyModel:
    save(model, folder / "model.json")
    return read(folder / "model.json")


@pytest.mark.usefixtures("forks")
def test_a_process_that_fails_says_why() -> None:
    points = study()
    broken = replace(conditions(points), device="abacus")
    with pytest.raises(MeasuringError, match="the parts could not be timed: "):
        make_model(points, survey(points), broken)


PLUGIN = '''
"""A block that cannot run at one size."""

from torch import Tensor, nn

from blocks import register


@register(family="none", source="nowhere")
class BreaksAt16(nn.Module):
    """Keeps what it is given, unless that is 16 pixels wide."""

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] == 16:
            raise ValueError("not at 16 pixels")
        return x
'''


def test_a_model_of_other_code_channels_or_cores_is_refused(bounded: Study) -> None:
    model = model_of(bounded)
    path = model_folders(bounded)[0] / file_name(model.mode)
    save(model, path)
    raw = json.loads(path.read_text())
    facts = raw["fingerprint"]
    assert {name for name in facts if name.startswith("code of")} == {
        *(f"code of {kind}" for kind in KINDS),
        "code of unet",
    }
    for name in ("ablate", "channels", "cores", "code of lama"):
        path.write_text(json.dumps({**raw, "fingerprint": {**facts, name: "another"}}))
        with pytest.raises(ModelError, match=f"{name} another, here {facts[name]}"):
            load(bounded, (16, 16), model_folders(bounded), "cpu")


def test_the_code_of_a_block_is_its_file_without_comments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "_entries", dict(blocks._entries))
    plugin = tmp_path / "coded.py"
    plugin.write_text(PLUGIN)
    load_plugins([str(plugin)])

    def sources(name: str) -> str:
        return fingerprint_of(conditions(study()), [name])[f"code of {name}"]

    before = sources("coded")
    plugin.write_text(f"# said\n{PLUGIN}")
    assert sources("coded") == before
    plugin.write_text(f"{PLUGIN}\nSIDE = 3\n")
    assert sources("coded") != before
    assert sources("nobody") == "not loaded"


def test_a_forecast_adds_up_parts_and_wholes(bounded: Study) -> None:
    surveyed, given = survey(bounded), conditions(bounded)
    wholes = {one for _, _, one in surveyed.wholes} | set(surveyed.bases.values())
    parts = len(surveyed.parts)
    inside = [len(list(parts_of(one, surveyed.by))) for one in wholes]
    part = 0.1 * len(inside) / sum(inside)
    visits = (len(wholes) + 1) * (0.2 + 1e-3) + parts * (2 * part + 1e-3)
    once = 5 + 8 * (0.1 * (len(wholes) + 1) + part * parts) + parts * (0.1 + part)
    assert from_calls(surveyed, given, 0.1) == pytest.approx(2 * visits + once)
    seconds = forecast(surveyed, given)
    assert seconds is not None and seconds > from_calls(surveyed, given, 0.0)


def test_a_place_that_is_filled_at_several_resolutions_has_the_mean_of_their_widths() -> None:
    topology = Choice.of("mountain", {"width": 8, "widths": (8, 20, 64)})
    frame = Frame(topology=topology, slots=("stage1", "stage2", "stage3", "fusion"))
    assert frame.width_at("fusion") == pytest.approx((8 * 10) ** 0.5)
    assert [frame.width_at(f"stage{n}") for n in (1, 2, 3)] == pytest.approx([8, 10, 16])
    assert frame.width_at("middle") == pytest.approx(16)
    assert frame.width_at() == pytest.approx((8 * 10 * 16) ** (1 / 3))
