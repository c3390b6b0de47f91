"""The studies that come with the project load, can be built, and are what they say."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import jsonschema
import pytest
import torch

from ablate.mix import Choice, Network, Stage
from ablate.network import build
from ablate.searches import propose
from ablate.study import load_study, schema, shipped_studies
from ablate.study.lines import Path, line_numbers
from blocks import blocks
from tests.shipped import shipped

PRESETS = {name for name, file in shipped_studies().items() if file.parent.name == "systems"}

VALIDATOR = jsonschema.Draft202012Validator(schema())
every_study = pytest.mark.parametrize("name", shipped_studies())


def families(slot_blocks: set[str]) -> set[object]:
    return {blocks[name].facts["family"] for name in slot_blocks}


@every_study
def test_a_shipped_study_loads_by_its_name(name: str) -> None:
    study = shipped(name)
    assert study.name == name
    assert study.size == 1 if name in PRESETS else study.size >= 2
    assert study.question.endswith(("?", "."))


@every_study
def test_a_shipped_study_fits_the_schema(name: str) -> None:
    with shipped_studies()[name].open("rb") as file:
        raw = tomllib.load(file)
    VALIDATOR.validate(raw)


@every_study
def test_a_shipped_study_has_labels_that_tell_its_mixes_apart(name: str) -> None:
    study = shipped(name)
    assert len({study.label(point) for point in study.points()}) == study.size


@every_study
def test_a_shipped_study_explains_itself(name: str) -> None:
    lines = shipped_studies()[name].read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert max(len(line) for line in lines) <= 100


def test_the_quickstart_compares_all_families_with_several_seeds() -> None:
    study = load_study("quickstart")
    mixes = [study.mix(point) for point in propose(study, [], study.search)]
    used = [{block.name for stage in mix.network.stages for block in stage.blocks} for mix in mixes]
    real = [names for names in used if "identity" not in names]
    assert len(real) >= 8 and study.seeds >= 2
    assert families(set().union(*real)) == {"cnn", "mamba", "attention", "linear_attention"}
    assert all(max(size) <= 128 for size in study.profile.size)


def test_restormixer_at_its_published_size_has_its_published_parameters() -> None:
    with shipped_studies()["restormixer_stage_mix"].open("rb") as file:
        raw = tomllib.load(file)
    raw["network"]["width"] = 32
    for stage in raw["network"]["stage"]:
        stage["depth"] = 4
    study = load_study(raw)
    mix = study.mix((0, 0))
    assert study.label((0, 0)) == "emvm+mwsa | emvm+mwsa"
    assert sum(p.numel() for p in build(mix.network).parameters()) == 3_195_406


def test_the_ladder_passes_the_baseline_and_ends_at_nafnet() -> None:
    study = load_study("nafnet_ladder")
    rungs = propose(study, [], study.search)
    assert rungs == [(k, k) for k in range(6)]
    for rung, name in ((rungs[3], "baseline_block"), (rungs[5], "nafblock")):
        published = replace_blocks(study.mix(rung).network, Choice.of(name))
        torch.manual_seed(0)
        ours = build(study.mix(rung).network)
        theirs = build(published)
        theirs.load_state_dict(ours.state_dict())
        for parameter in (*ours.parameters(), *theirs.parameters()):
            parameter.data += 0.1
        image = torch.rand(1, 3, 12, 16)
        with torch.no_grad():
            assert torch.equal(ours(image)["image"], theirs(image)["image"])


def replace_blocks(network: Network, block: Choice) -> Network:
    stages = tuple(
        Stage(slot=stage.slot, blocks=(block,) * len(stage.blocks)) for stage in network.stages
    )
    return Network(topology=network.topology, stages=stages)


def test_windows_do_not_grow_where_their_size_is_the_question() -> None:
    study = load_study("how_large_must_windows_be")
    stages = study.mix((2, 0)).network.stages
    assert [block.settings["grow"] for block in stages[1].blocks] == [False, False]
    assert [block.settings["window"] for block in stages[1].blocks] == [16, 16]


def test_pairs_bring_their_own_degradation() -> None:
    task = load_study("my_pairs").mix((0, 0)).task
    assert (task.data.name, task.degradation.name) == ("pairs", "given")


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    """Every table, key and list item."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[call-overload]
    for key, item in inner:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from paths(item, (*path, key))


@every_study
def test_every_key_of_a_shipped_study_has_its_line(name: str) -> None:
    text = shipped_studies()[name].read_text(encoding="utf-8")
    lines, written = line_numbers(text), text.splitlines()
    for path in paths(tomllib.loads(text)):
        if isinstance(path[-1], str):
            assert path[-1] in written[lines[path] - 1], path
        else:
            assert path in lines
