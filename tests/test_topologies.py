"""Every topology keeps the image's shape, gives what is asked for and joins stages as it says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ablate.topologies import Blocks, Fill, topologies
from ablate.topologies import _parts as parts
from blocks import Context, make
from blocks._pooling import GlobalMean

JOINED = ("unet", "restormer", "mountain")
each = pytest.mark.parametrize("name", JOINED)


class Probe(nn.Module):
    """A block that changes nothing, notes its context and adds to the collector."""

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        self.channels, self.length = channels, length
        self.seen: Tensor | None = None

    def forward(self, x: Tensor, context: Context) -> Tensor:
        assert x.shape[1] == self.channels
        self.seen = context.embedding
        context.auxiliary.append(x.new_tensor(0.5))
        return x


def probe(channels: int, context: int = 0) -> nn.Module:
    return Blocks(Probe(channels, context))


def nafblock(channels: int, context: int = 0) -> nn.Module:
    return Blocks(make("nafblock", channels))


def slots(name: str, levels: int = 3, *extras: str) -> list[str]:
    """Those of a network, with all that the topology may have unless some are named."""
    chosen = extras or topologies[name].facts["extras"]
    return [f"{side}{k + 1}" for k in range(levels) for side in ("stage", "decoder")] + [*chosen]


def joined(
    name: str, fill: Fill = nafblock, stages: list[str] | None = None, **settings: object
) -> nn.Module:
    """A network of three stages and all extras, where nothing else is asked for."""
    torch.manual_seed(0)
    fills: Mapping[str, Fill] = dict.fromkeys(slots(name) if stages is None else stages, fill)
    settings = {"width": 8, "zero_head": False} | settings
    return topologies[name].make(fills, **settings).eval()


def trained(name: str, **settings: object) -> nn.Module:
    """A network whose parameters are not those of the start, where some parts do nothing."""
    model = joined(name, **settings)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def photo(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def probes(model: nn.Module) -> list[Probe]:
    return [module for module in model.modules() if isinstance(module, Probe)]


# What all of them keep.


@each
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 9), (16, 24), (33, 20)])
def test_any_size_comes_back_as_it_was_and_images_do_not_mix(name, height, width):
    model, image = trained(name), photo(2, 3, height, width)
    with torch.no_grad():
        together, alone = model(image)["image"], model(image[:1])["image"]
    assert together.shape == image.shape
    torch.testing.assert_close(together[:1], alone)
    assert (together - image).abs().max() > 1e-3


@each
@pytest.mark.parametrize("levels", [1, 2, 4])
@pytest.mark.parametrize("extras", [(), ("middle",)], ids=["bare", "middle"])
def test_any_number_of_stages_can_be_joined(name, levels, extras):
    needed = ("fusion",) if name == "mountain" else ()
    places = [f"{side}{k + 1}" for k in range(levels) for side in ("stage", "decoder")]
    model = joined(name, stages=[*places, *extras, *needed])
    image = photo(1, 3, 19, 12)
    with torch.no_grad():
        outputs = model(image, ("features",))
    assert outputs["image"].shape == image.shape
    lowest = outputs["features"][levels - 1 + len(extras)]
    depth = levels - 1 + len(extras)
    assert lowest.shape[1:] == (8 * 2**depth, -(-19 // 2**depth), -(-12 // 2**depth))


@each
def test_a_zeroed_head_returns_the_image_and_still_learns(name):
    model, image = joined(name, zero_head=True), photo(2, 3, 13, 16)
    restored = model(image)["image"]
    assert torch.equal(restored, image)
    restored.square().sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in model.head.parameters())


@each
@pytest.mark.parametrize("colors", [1, 3])
def test_the_gradient_reaches_every_parameter(name, colors):
    model = trained(name, image_channels=colors)
    (model(photo(2, 3, 16, 16))["image"] * photo(2, 3, 16, 16)).sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@each
def test_features_stand_in_the_order_of_the_slots(name):
    model, image = joined(name), photo(1, 3, 16, 16)
    with torch.no_grad():
        outputs = model(image, ("features", "scales", "auxiliary"))
    assert list(outputs) == ["image", "scales", "features", "auxiliary"]
    assert len(outputs["features"]) == len(model.slots) == len(set(model.slots))
    assert outputs["scales"][0] is outputs["image"] and len(outputs["scales"]) == 1
    assert outputs["auxiliary"] == []
    assert list(model(image)) == ["image"]
    by_slot = dict(zip(model.slots, outputs["features"], strict=True))
    assert [by_slot[s].shape[-1] for s in ("stage1", "stage3", "middle")] == [16, 4, 2]


@each
def test_blocks_own_losses_are_collected_from_every_block(name):
    model = joined(name, probe)
    own = model(photo(1, 3, 16, 16), ("auxiliary",))["auxiliary"]
    assert len(own) == len(probes(model)) >= len(model.slots)
    assert all(loss == 0.5 for loss in own)


@each
def test_a_network_of_grey_images_restores_each_colour_by_itself(name):
    model, image = trained(name, image_channels=1), photo(2, 3, 13, 9)
    with torch.no_grad():
        together = model(image)["image"]
        apart = [model(image[:, c : c + 1])["image"] for c in range(3)]
    assert apart[0].shape == (2, 1, 13, 9)
    torch.testing.assert_close(together, torch.cat(apart, dim=1))


def test_a_grey_network_is_supervised_at_every_scale_and_given_every_input():
    settings = {"multi_input": True, "supervised": True, "image_channels": 1}
    model = joined("unet", stages=slots("unet", 3)[:-1], **settings)
    with torch.no_grad():
        scales = model(photo(2, 3, 13, 9), ("scales",))["scales"]
    assert [tuple(s.shape) for s in scales] == [(2, 3, 13, 9), (2, 3, 7, 5), (2, 3, 4, 3)]


@each
def test_means_are_local_by_the_resolution_of_their_stage(name):
    model = joined(name, local_means=64)
    windows = {
        slot: {part.window for part in stage.modules() if isinstance(part, GlobalMean)}
        for slot, stage in model.stages.items()
    }
    expected = {"1": {96}, "2": {48}, "3": {24}}
    assert windows.pop("middle") == {12}
    assert windows.pop("refinement", {96}) == {96}
    assert all(found == expected[slot[-1]] for slot, found in windows.items())
    with torch.no_grad():
        assert model(photo(1, 3, 16, 16))["image"].shape == (1, 3, 16, 16)


@each
@pytest.mark.parametrize("padding", ["zeros", "replicate", "reflect"])
def test_the_image_is_padded_as_asked(name, padding):
    model, image = joined(name, padding=padding), photo(1, 3, 5, 13)
    seen = []
    model.stem.register_forward_hook(lambda _, arguments, __: seen.append(arguments[0]))
    model(image)
    mode = {"zeros": "constant", "replicate": "edge", "reflect": "reflect"}[padding]
    width = ((0, 0), (0, 0), (0, 3), (0, 3))
    assert np.array_equal(seen[0].numpy(), np.pad(image.numpy(), width, mode=mode))


@pytest.mark.parametrize("side", [1, 2, 3, 5, 8])
def test_the_mirror_image_reaches_as_far_as_needed(side):
    image = photo(1, 1, side, side)
    padded = parts.pad(image, 8, "reflect")
    extra = ((0, 0), (0, 0), (0, 8 - side), (0, 8 - side))
    assert np.array_equal(padded.numpy(), np.pad(image.numpy(), extra, mode="reflect"))


@each
def test_a_network_can_be_exported(name):
    model, image = trained(name), photo(2, 3, 13, 9)
    exported = torch.export.export(model, (image,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(image)["image"], model(image)["image"])


# widths of their own at each resolution.

WIDER = ["unet", "mountain", "restormer"]


@pytest.mark.parametrize("name", WIDER)
def test_widths_that_double_make_the_network_that_width_makes(name):
    torch.manual_seed(0)
    doubled = joined(name, width=8)
    torch.manual_seed(0)
    listed = joined(name, width=99, widths=(8, 16, 32, 64))
    assert {k: v.shape for k, v in doubled.state_dict().items()} == {
        k: v.shape for k, v in listed.state_dict().items()
    }
    assert all(torch.equal(v, listed.state_dict()[k]) for k, v in doubled.state_dict().items())


@pytest.mark.parametrize("name", WIDER)
@pytest.mark.parametrize("local", [0, 16])
def test_each_resolution_has_the_width_that_it_was_given(name, local):
    model = joined(name, probe, widths=(6, 20, 12, 28), local_means=local)
    expected = {"stage1": 6, "stage2": 20, "stage3": 12, "middle": 28, "decoder3": 12}
    assert {slot: model.stages[slot][0].channels for slot in expected} == expected
    outputs = model(photo(2, 3, 13, 9), ("scales", "features"))
    assert outputs["image"].shape == (2, 3, 13, 9)
    if name == "mountain":
        assert [f.blocks[0].channels for one in model.passes for f in one.fusions] == [6, 20, 6]


def test_every_way_of_resizing_and_joining_takes_widths():
    for kinds in (
        {"down": "conv3_norm", "up": "deconv_norm", "skip": "concat"},
        {"down": "unshuffle", "up": "conv3_shuffle", "skip": "concat_bare"},
        {"multi_input": True, "supervised": True, "head": "conv_norm"},
    ):
        model = joined("unet", widths=(6, 20, 12, 28), **kinds).eval()
        assert model(photo(1, 3, 13, 9), ("scales",))["image"].shape == (1, 3, 13, 9)


# unet.


@pytest.mark.parametrize(
    ("part", "kind", "shape"),
    [
        ("stem", "conv_bare", (2, 8, 8, 12)),
        ("down", "unshuffle", (2, 16, 4, 6)),
        ("up", "conv3_shuffle", (2, 4, 16, 24)),
        ("head", "conv_bare", (2, 3, 8, 12)),
    ],
)
def test_restormers_parts_have_no_bias(part, kind, shape):
    given = {"head": {"zero": False}, "down": {"into": 16}, "up": {"into": 4}}.get(part, {})
    module = getattr(parts, part)(kind, 8, **given)
    assert module(photo(2, 3 if part == "stem" else 8, 8, 12)).shape == shape
    assert not any(name.endswith("bias") for name, _ in module.named_parameters())


def test_unet_joins_stages_with_restormers_parts_too():
    settings = {"stem": "conv_bare", "down": "unshuffle", "up": "conv3_shuffle"}
    model = joined("unet", skip="concat_bare", head="conv_bare", **settings)
    assert not any(n.endswith("bias") for n, _ in model.named_parameters() if "stages" not in n)
    assert model(photo(1, 3, 7, 9))["image"].shape == (1, 3, 7, 9)


# restormer.


def test_restormer_works_with_twice_the_channels_at_the_top():
    model = joined("restormer", probe)
    assert list(model.stages) == [
        *("stage1", "stage2", "stage3", "middle"),
        *("decoder3", "decoder2", "decoder1", "refinement"),
    ]
    assert [p.channels for p in probes(model)] == [8, 16, 32, 64, 32, 16, 16, 16]
    reduced = joined("restormer", probe, top_skip="reduce")
    assert [p.channels for p in probes(reduced)] == [8, 16, 32, 64, 32, 16, 8, 8]
    alone = joined("restormer", probe, stages=["stage1", "decoder1"])
    assert [p.channels for p in probes(alone)] == [8, 8]


def test_restormers_decoder_is_given_what_comes_up_beside_what_was_kept():
    model, image = joined("restormer", probe), photo(1, 3, 16, 16)
    with torch.no_grad():
        found = dict(zip(model.slots, model(image, ("features",))["features"], strict=True))
        raised = model.up[1](found["decoder3"])
        beside = torch.cat([raised, found["stage2"]], dim=1)
        top = torch.cat([model.up[0](found["decoder2"]), found["stage1"]], dim=1)
    assert torch.equal(found["decoder2"], model.skip[1].compress(beside))
    assert torch.equal(found["decoder1"], top)
    assert torch.equal(found["refinement"], top)


@pytest.mark.parametrize("top_skip", ["concat", "reduce"])
def test_only_the_decoder_and_refinement_are_given_the_frequency_embedding(top_skip):
    model = joined("restormer", probe, frequency_embedding=True, top_skip=top_skip)
    latent = model(photo(2, 3, 16, 16), ("features",))["features"][3]
    with torch.no_grad():
        embedded = model.embed(latent)
    assert embedded.shape == (2, 64)
    for slot, stage in model.stages.items():
        (block,) = probes(stage)
        later = slot.startswith(("decoder", "refinement"))
        assert block.length == (64 if later else 0)
        assert (block.seen is None) is not later
        if block.seen is not None:
            torch.testing.assert_close(block.seen, embedded)


def test_restormer_has_no_embedding_unless_it_is_asked_for():
    model = joined("restormer", probe)
    model(photo(1, 3, 16, 16))
    assert model.embed is None
    assert all(block.seen is None and block.length == 0 for block in probes(model))


# mountain.


@pytest.mark.parametrize(
    ("levels", "passes", "fused"), [(4, 2, [3, 2]), (4, 1, [3]), (3, 2, [2, 1]), (1, 2, [0, 0])]
)
def test_every_pass_fuses_one_resolution_less(levels, passes, fused):
    model = joined("mountain", stages=slots("mountain", levels), passes=passes)
    assert [len(one_pass.fusions) for one_pass in model.passes] == fused
    assert sum(slot.startswith("fusion") for slot in model.slots) == fused[0]


def test_fusions_take_what_the_pass_before_left():
    """Four levels of e: f = e + up(e below), then f' = f + up(f below) at the upper two."""
    model = joined("mountain", probe, stages=slots("mountain", 4))
    with torch.no_grad():
        found = model(photo(1, 3, 16, 16), ("features",))["features"]
        found = dict(zip(model.slots, found, strict=True))
        e = [found[f"stage{k}"] for k in (1, 2, 3, 4)]
        first, second = (one_pass.fusions for one_pass in model.passes)
        f = [e[k] + first[k].up(e[k + 1]) for k in range(3)]
        again = [f[k] + second[k].up(f[k + 1]) for k in range(2)]
        decoder4 = model.up[3](found["middle"]) + e[3]
        decoder1 = model.up[0](found["decoder2"]) + again[0]
    for k, expected in enumerate([*again, f[2]], start=1):
        torch.testing.assert_close(found[f"fusion{k}"], expected)
    torch.testing.assert_close(found["decoder4"], decoder4)
    torch.testing.assert_close(found["decoder1"], decoder1)


def test_every_fusion_has_blocks_of_its_own():
    model = joined("mountain", probe, stages=slots("mountain", 4))
    fusions = [fusion for one_pass in model.passes for fusion in one_pass.fusions]
    assert [p.channels for fusion in fusions for p in probes(fusion)] == [8, 16, 32, 8, 16]
    assert len({id(block) for block in probes(model)}) == 5 + 9


def test_without_passes_the_mountain_is_nafnets_unet():
    places = slots("unet", 3, "middle")
    flat, unet = joined("mountain", stages=places, passes=0), joined("unet", stages=places)
    unet.load_state_dict(flat.state_dict())
    image = photo(2, 3, 13, 9)
    with torch.no_grad():
        assert torch.equal(flat(image)["image"], unet(image)["image"])


# Errors.


@pytest.mark.parametrize(
    ("name", "places", "settings", "message"),
    [
        (
            "restormer",
            ["stage1", "decoder1", "fusion"],
            {},
            "restormer has no place for fusion; expected stage1 to stageN, decoder1 to decoderN"
            " and perhaps middle or refinement, got decoder1, fusion, stage1",
        ),
        (
            "mountain",
            ["stage1", "stage2", "decoder2"],
            {},
            "mountain lacks decoder1; expected stage1 to stageN, decoder1 to decoderN and perhaps"
            " middle or fusion, got decoder2, stage1, stage2",
        ),
        (
            "mountain",
            ["stage1", "decoder1"],
            {},
            "mountain fuses in passes=2, but nothing fills its fusions; write [network.fusion]"
            " with a block, or passes = 0",
        ),
        (
            "restormer",
            ["stage1", "decoder1", "middle"],
            {"width": 7},
            "channels must be even where pixels unshuffle; got channels=7",
        ),
        (
            "restormer",
            ["stage1", "stage2", "decoder1", "decoder2"],
            {"widths": (8, 18)},
            "widths must be multiples of 4 where pixels unshuffle; got 18",
        ),
        (
            "unet",
            ["stage1", "stage2", "decoder1", "decoder2"],
            {"widths": (8, 16, 32)},
            "widths takes one number for each of 2 resolutions; got 3: [8, 16, 32]",
        ),
        (
            "mountain",
            ["stage1", "decoder1", "fusion"],
            {"widths": (0,)},
            "each of widths must be at least 1; got [0]",
        ),
        (
            "restormer",
            ["stage1", "decoder1"],
            {"width": 0},
            "width must be at least 1; got width=0",
        ),
        (
            "mountain",
            ["stage1", "decoder1", "fusion"],
            {"local_means": -1},
            "local_means must be at least 0; got local_means=-1",
        ),
    ],
)
def test_what_cannot_be_joined_says_why(name, places, settings, message):
    with pytest.raises(ValueError) as error:
        joined(name, stages=places, **settings)
    assert str(error.value) == message
