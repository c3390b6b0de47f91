"""MambaIR, MambaIRv2 and MaIR at one resolution: presets have the published networks' sizes."""

from __future__ import annotations

import math

import pytest

from ablate.mix import Mix
from ablate.profiling.flops import count_macs, count_parameters
from ablate.study import shipped_studies
from ablate.tasks.scale import task_scale
from tests.shipped import network, shipped

# Counted in the released networks where the digits are exact, rounded as published where not.
PUBLISHED = {
    "mambair-light-x2": 905_016,
    "mambair-light-x3": 913e3,
    "mambair-light-x4": 924e3,
    "mambair-x2": 20_421_863,
    "mambairv2-light-x2": 774_092,
    "mambairv2-light-x3": 781e3,
    "mambairv2-light-x4": 790e3,
    "mambairv2-s-x2": 9.6e6,
    "mambairv2-s-x4": 9.8e6,
    "mambairv2-b-x2": 22.9e6,
    "mambairv2-b-x3": 23.1e6,
    "mambairv2-l-x4": 34.2e6,
    "mair-t-x2": 877_752,
    "mair-s-x2": 1355e3,
    "mair-s-x4": 1374e3,
}

PARAMETERS = {
    "mambair-light-x2": 905_016,
    "mambair-light-x3": 913_131,
    "mambair-light-x4": 924_492,
    "mambair-x2": 20_421_863,
    "mambair-x3": 20_606_503,
    "mambair-x4": 20_569_575,
    "mambair-denoise": 15_777_507,
    "mambairv2-light-x2": 774_092,
    "mambairv2-light-x3": 780_587,
    "mambairv2-light-x4": 789_680,
    "mambairv2-s-x2": 9_621_935,
    "mambairv2-s-x3": 9_806_575,
    "mambairv2-s-x4": 9_769_647,
    "mambairv2-b-x2": 22_903_001,
    "mambairv2-b-x3": 23_087_641,
    "mambairv2-b-x4": 23_050_713,
    "mambairv2-l-x2": 34_090_523,
    "mambairv2-l-x3": 34_275_163,
    "mambairv2-l-x4": 34_238_235,
    "mambairv2-denoise": 22_657_971,
    "mair-t-x2": 877_752,
    "mair-t-x3": 885_867,
    "mair-t-x4": 897_228,
    "mair-s-x2": 1_354_680,
    "mair-s-x3": 1_362_795,
    "mair-s-x4": 1_374_156,
    "mair-x2": 19_444_247,
    "mair-x3": 19_628_887,
    "mair-x4": 19_591_959,
    "mair-denoise": 14_089_035,
}

# Giga multiply-adds with the scan at 9 L D N + L D, as fvcore counts the released networks; numbers
# that norms read for each pixel, which it charges five each, and numbers that means read, one each.
MEASURED = {
    "mambair-light-x2": ((360, 640), 334.081, 24 * (2 * 60 + 72) + 2 * 60, 24 * 60),
    "mambair-x2": ((128, 128), 441.957, 36 * (2 * 180 + 360) + 2 * 180, 36 * 180),
    "mambairv2-light-x2": ((360, 640), 286.297, 20 * (5 * 48 + 2 * 24) + 2 * 48, 0),
    "mair-t-x2": ((360, 640), 207.805, 24 * (2 * 60 + 66) + 2 * 60, 24 * 4 * 66),
}


def mix(name: str) -> Mix:
    return shipped(name).mix(())


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_preset_has_the_parameters_of_its_network(name: str) -> None:
    assert count_parameters(network(name)) == PARAMETERS[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_parameters_are_those_published(name: str) -> None:
    published, counted = PUBLISHED[name], PARAMETERS[name]
    if isinstance(published, int):
        assert counted == published
    else:
        digit = 1e5 if published > 5e6 else 1e3
        assert abs(counted - published) <= digit / 2


@pytest.mark.parametrize("name", MEASURED)
def test_the_multiply_adds_are_those_of_the_released_network_less_norms_and_means(
    name: str,
) -> None:
    size, measured, normed, averaged = MEASURED[name]
    padded = 16 if "v2" in name else 1
    pixels = math.prod(-(-side // padded) * padded for side in size)
    own = 1e9 * measured - pixels * (5 * normed + averaged)
    count = count_macs(network(name), size)
    assert count.total == pytest.approx(own, rel=2e-3)
    assert count.norm == 5 * normed * pixels


@pytest.mark.parametrize("name", [n for n in shipped_studies() if n in PARAMETERS])
def test_a_preset_is_the_published_network_and_not_a_changed_one(name: str) -> None:
    study = shipped(name)
    found = study.mix(())
    settings = found.network.topology.settings
    assert found.network.topology.name == "residual_groups" and not settings["zero_head"]
    assert settings["scale"] == task_scale(found.task) == (int(name[-1]) if name[-2] == "x" else 1)
    assert settings["image_skip"] == (settings["scale"] == 1)
    assert settings["multiple"] == (16 if "v2" in name else 1)
    direct = "light" in name or name.startswith(("mair-t", "mair-s")) or settings["scale"] == 1
    assert settings["tail"] == ("pixelshuffledirect" if direct else "pixelshuffle")
    if settings["scale"] != 1:
        assert (study.evaluation.color, study.evaluation.border) == ("y", settings["scale"])


def test_every_preset_of_these_families_is_here() -> None:
    names = {"mambair-denoise", "mambairv2-denoise", "mair-denoise"}
    sizes = ("mambair-light", "mambair", "mair-t", "mair-s", "mair")
    sizes += tuple(f"mambairv2-{size}" for size in ("light", "s", "b", "l"))
    names |= {f"{size}-x{scale}" for size in sizes for scale in (2, 3, 4)}
    assert names == set(PARAMETERS) and names <= set(shipped_studies())


def test_light_mambair_sees_the_channel_attention_of_its_tail() -> None:
    """The released code chooses the light local part by the tail, a preset says it."""
    for name, local in (("mambair-light-x4", "light_cab"), ("mambair-x4", "cab")):
        blocks = {b for stage in mix(name).network.stages for b in stage.blocks}
        assert {block.settings["local"] for block in blocks} == {local}


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("mambair-light-x2", 64),
        ("mambair-light-x3", 64),
        ("mambair-light-x4", 48),
        ("mambair-x4", 48),
        ("mambairv2-s-x2", 64),
        ("mambairv2-s-x3", 64),
        ("mambairv2-s-x4", 48),
        ("mambairv2-b-x4", 48),
        ("mambairv2-l-x4", 48),
        ("mair-x4", 64),
    ],
)
def test_training_crops_of_the_small_image_are_those_of_the_released_settings(
    name: str, pixels: int
) -> None:
    found = mix(name)
    assert found.training.crop == pixels * task_scale(found.task)
