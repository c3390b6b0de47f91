"""Every published encoder-decoder that is shipped is the network that it is said to be."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ablate.profiling.conventions import count_as
from ablate.study import shipped_studies
from blocks._routing import Routed, forcing
from tests.shipped import network, shipped

# Parameters: first the ones that others measured, then those that follow from the same facts.
PARAMETERS = {
    "m3snet-32": 16_732_331,
    "moce-ir-s": 11_477_752,
    "nafnet-baseline-gopro-32": 17_023_875,
    "nafnet-gopro-32": 17_111_907,
    "nafnet-gopro-64": 67_888_835,
    "nafnet-sidd-32": 29_159_715,
    "restormer": 26_126_644,
    "restormixer": 3_195_406,
    "m3snet-64": 66_355_531,
    "mair-deblur": 26_293_296,
    "mair-dehaze": 3_404_376,
    "mambair-unet": 26_779_480,
    "moce-ir": 25_353_796,
    "nafnet-baseline-gopro-64": 112_036_291,
    "nafnet-sidd-64": 115_982_915,
    "restormer-denoise": 26_111_668,
    "restormer-denoise-gray": 26_109_076,
    "restormixer-gopro": 5_677_574,
}

# Billions of multiply-adds of convolutions and matrices at 256 x 256, as others measured them.
GMACS = {
    "m3snet-32": 18.647,
    "nafnet-baseline-gopro-32": 15.820,
    "nafnet-gopro-32": 15.956,
    "nafnet-gopro-64": 63.055,
    "nafnet-sidd-32": 16.045,
    "restormer": 154.882,
    "restormixer": 24.323,
}


def gmacs(model: nn.Module, *shape: int) -> float:
    """Of convolutions and matrices, with all that released code computes."""
    counter = FlopCounterMode(display=False)
    image = torch.empty(shape, device="meta")
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(image, ("scales",))
    return counter.get_total_flops() / 2e9


def parameters(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_published_network_has_exactly_its_parameters(name):
    assert shipped_studies()[name].parent.name == "systems"
    model = network(name)
    assert parameters(model) == PARAMETERS[name]


@pytest.mark.parametrize("name", GMACS)
def test_a_published_network_does_its_measured_work(name):
    assert gmacs(network(name), 1, 3, 256, 256) == pytest.approx(GMACS[name], rel=1e-4)


def test_restormers_work_lies_where_it_was_measured():
    """Parameters of every stage, in millions."""
    stages = network("restormer").stages
    found = {slot: round(parameters(stage) / 1e6, 3) for slot, stage in stages.items()}
    assert found == {
        "stage1": 0.125,
        "stage2": 0.707,
        "stage3": 2.738,
        "middle": 14.370,
        "decoder3": 2.738,
        "decoder2": 0.707,
        "decoder1": 0.471,
        "refinement": 0.471,
    }


@pytest.mark.parametrize(
    ("expert", "expected"), [(0, 42.412), (1, 42.930), (2, 44.217), (3, 47.798)]
)
def test_moce_irs_work_depends_on_the_experts_as_measured(expert, expected):
    def chosen(_: Routed, expert: int) -> tuple[int, ...]:
        return (expert,)

    model = network("moce-ir-s")
    with forcing(model, partial(chosen, expert=expert)):
        assert gmacs(model, 1, 3, 256, 256) == pytest.approx(expected, rel=1e-3)


def test_mair_for_haze_has_its_published_work_as_its_authors_count():
    count = count_as(network("mair-dehaze"), (1, 3, 256, 256), "fvcore")
    assert round(count.macs / 1e9, 2) == 24.03
    assert round(count.params / 1e6, 2) == 3.40


def test_a_grey_restormer_takes_one_channel_and_gives_one():
    model = network("restormer-denoise-gray")
    saved = 2 * 9 * (48 + 96) * 256**2 / 1e9  # two channels less at either end
    assert gmacs(model, 1, 1, 256, 256) == pytest.approx(GMACS["restormer"] - saved, rel=1e-5)
    first, last = model.stem, model.head
    assert first.weight.shape == (48, 1, 3, 3) and last.weight.shape == (1, 96, 3, 3)


@pytest.mark.parametrize(
    ("name", "slot", "knob", "values"),
    [
        ("restormixer", "stage3", "heads", [8, 8]),
        ("restormixer", "decoder3", "heads", [4, 4]),
        ("restormixer-gopro", "decoder2", "heads", [4] * 4),
        ("mair-deblur", "decoder1", "states", [8] * 4),
        ("mair-deblur", "decoder1", "mlp_ratio", [1.5] * 4),
        ("mair-deblur", "stage1", "mlp_ratio", [4.0] * 4),
        ("mair-deblur", "refinement", "states", [8] * 4),
        ("moce-ir", "decoder3", "heads", [4] * 4),
        ("moce-ir", "decoder1", "heads", [1] * 2),
        ("nafnet-baseline-gopro-64", "middle", "expand", [2]),
    ],
)
def test_stages_that_differ_from_their_neighbours_do(name, slot, knob, values):
    study = shipped(name)
    mix = study.mix(next(iter(study.points())))
    (stage,) = (stage for stage in mix.network.stages if stage.slot == slot)
    found = [block.settings[knob] for block in stage.blocks if knob in block.settings]
    assert found == values


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_preset_starts_as_published_and_trains_once(name):
    study = shipped(name)
    mix = study.mix(next(iter(study.points())))
    assert mix.network.topology.settings["zero_head"] is False
    assert study.seeds == 1 and mix.training.steps >= 200_000
    local = name.startswith(("m3snet", "nafnet-gopro", "nafnet-baseline-gopro"))
    assert bool(mix.network.topology.settings["local_means"]) is local
