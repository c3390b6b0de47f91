"""Networks take any image, give what is asked for, and say where they cannot be built."""

from __future__ import annotations

import pytest
import torch

from ablate.mix import Choice, Network, Stage
from ablate.network import build
from ablate.topologies import topologies
from ablate.topologies._parts import halve


def stage(slot: str, *choices: Choice | str) -> Stage:
    return Stage(slot=slot, blocks=tuple(_choice(c) for c in choices))


def _choice(choice: Choice | str) -> Choice:
    return Choice.of(choice) if isinstance(choice, str) else choice


def unet(*stages: Stage, **settings) -> Network:
    return Network(topology=Choice.of("unet", settings), stages=stages)


def pairs(count: int, heads: int) -> list[Choice | str]:
    return ["emvm", Choice.of("mwsa", {"heads": heads})] * count


def restormixer(width: int = 32) -> Network:
    """As released, from the smallest setting: four blocks in every stage."""
    return unet(
        stage("stage1", *["rdcnn"] * 4),
        stage("stage2", *pairs(2, heads=4)),
        stage("stage3", *pairs(2, heads=8)),
        stage("decoder1", *["rdcnn"] * 4),
        stage("decoder2", *pairs(2, heads=4)),
        stage("decoder3", *pairs(2, heads=4)),
        width=width,
        stem="conv_norm_twice",
        down="conv3_norm",
        up="deconv_norm",
        skip="concat",
        head="conv_norm",
        multi_input=True,
        supervised=True,
        zero_head=False,
    )


def small(blocks: tuple[str, ...] = ("nafblock",), levels: int = 2, **settings) -> Network:
    """A network of the same blocks in every stage, in eval mode and without zeroed heads."""
    slots = [f"{side}{k}" for k in range(1, levels + 1) for side in ("stage", "decoder")]
    settings = {"width": 8, "zero_head": False} | settings
    return unet(*(stage(slot, *blocks) for slot in slots), **settings)


def photo(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def test_restormixer_restores_an_odd_image_at_three_scales():
    torch.manual_seed(0)
    model, image = build(restormixer(width=8)).eval(), photo(1, 3, 21, 34)
    with torch.no_grad():
        outputs = model(image, ("scales",))
    assert outputs["image"].shape == image.shape
    assert [tuple(s.shape[-2:]) for s in outputs["scales"]] == [(21, 34), (11, 17), (6, 9)]


def test_restormixer_trains_every_parameter_through_its_three_scales():
    torch.manual_seed(0)
    model = build(restormixer(width=8))
    scales = model(photo(2, 3, 16, 16), ("scales",))["scales"]
    sum((s * photo(*s.shape)).sum() for s in scales).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


# What every topology and option must keep.

OPTIONS = {
    "plain": {},
    "restormixer": restormixer(8).topology.settings,
    "replicate": {"padding": "replicate"},
    "multi_input": {"multi_input": True},
    "concat": {"skip": "concat", "head": "conv_norm"},
}


@pytest.mark.parametrize("settings", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize(("height", "width"), [(7, 9), (16, 24)])
def test_any_size_comes_back_as_it_was(settings, height, width):
    model, image = build(small(levels=3, **settings)).eval(), photo(2, 3, height, width)
    with torch.no_grad():
        together, alone = model(image)["image"], model(image[:1])["image"]
    assert together.shape == image.shape
    torch.testing.assert_close(together[:1], alone)


@pytest.mark.parametrize("settings", OPTIONS.values(), ids=OPTIONS)
def test_a_zeroed_head_returns_the_image_and_still_learns(settings):
    torch.manual_seed(0)
    model = build(small(("rdcnn",), levels=3, **{**settings, "zero_head": True}))
    image = photo(2, 3, 16, 16)
    outputs = model(image, ("scales",))
    assert torch.equal(outputs["image"], image)
    assert all(
        torch.equal(s, image[..., :: 2**k, :: 2**k]) for k, s in enumerate(outputs["scales"])
    )
    (outputs["image"] * photo(2, 3, 16, 16)).sum().backward()
    assert any(p.grad.any() for p in model.head.parameters())


@pytest.mark.parametrize("levels", [1, 2, 5])
@pytest.mark.parametrize("middle", [False, True])
def test_any_number_of_stages_can_be_joined(levels, middle):
    network = small(levels=levels)
    if middle:
        network = unet(*network.stages, stage("middle", "nafblock"), width=8)
    model, image = build(network).eval(), photo(1, 3, 33, 20)
    with torch.no_grad():
        outputs = model(image, ("features",))
    assert outputs["image"].shape == image.shape
    encoder = [f"stage{k}" for k in range(1, levels + 1)] + ["middle"] * middle
    assert model.slots == (*encoder, *(f"decoder{k}" for k in range(levels, 0, -1)))
    lowest = outputs["features"][len(encoder) - 1]
    assert lowest.shape[1] == 8 * 2 ** (len(encoder) - 1)
    assert lowest.shape[2] == -(-33 // 2 ** (len(encoder) - 1))


def test_stages_of_depth_0_leave_only_what_joins_them():
    model = build(small(()))
    assert sum(p.numel() for p in model.stages.parameters()) == 0
    assert model(photo(1, 3, 8, 8))["image"].shape == (1, 3, 8, 8)


def test_outputs_beside_the_image_are_made_on_request_only():
    model = build(small(levels=3, supervised=True))
    calls = []
    for head in model.scale_heads.values():
        head.register_forward_hook(lambda *_: calls.append(1))
    image = photo(1, 3, 16, 16)
    assert list(model(image)) == ["image"]
    assert calls == []
    outputs = model(image, ("scales", "features"))
    assert list(outputs) == ["image", "scales", "features"]
    assert len(calls) == 2
    assert outputs["scales"][0] is outputs["image"]
    assert [f.shape[1] for f in outputs["features"]] == [8, 16, 32, 32, 16, 8]


def test_without_supervision_the_only_scale_is_the_full_one():
    outputs = build(small(levels=3))(photo(1, 3, 16, 16), ("scales",))
    assert len(outputs["scales"]) == 1


def test_skips_go_from_each_encoder_stage_to_the_decoder_stage_beside_it():
    """With what comes up zeroed, decoder1 sees stage1; without a middle, decoder2 sees stage2."""
    model, image = build(small(levels=2)), photo(1, 3, 8, 8)
    with torch.no_grad():
        for parameter in model.up.parameters():
            parameter.zero_()
        stage1, stage2, decoder2, decoder1 = model(image, ("features",))["features"]
    assert torch.equal(decoder1, stage1)
    assert torch.equal(decoder2, stage2)
    assert model.skip[0](stage1, stage1).equal(2 * stage1)


def test_multiple_inputs_reach_every_stage_after_the_first():
    model = build(small(levels=3, multi_input=True)).eval()
    assert list(model.merge) == ["stage2", "stage3"]
    seen = {}
    for slot, merge in model.merge.items():
        merge.register_forward_hook(lambda _, args, __, slot=slot: seen.update({slot: args[1]}))
    image = photo(1, 3, 16, 16)
    with torch.no_grad():
        model(image)
    assert torch.equal(seen["stage2"], image[..., ::2, ::2])
    assert torch.equal(seen["stage3"], image[..., ::4, ::4])


def test_halving_is_nearest_neighbour_scaling():
    image = photo(1, 3, 8, 12)
    nearest = torch.nn.functional.interpolate(image, scale_factor=0.5)
    assert torch.equal(halve(image), nearest)


def test_blocks_are_told_how_many_of_their_name_come_before_in_the_stage():
    model = build(restormixer(8))
    windows = [b.window for b in model.stages["stage2"] if hasattr(b, "window")]
    assert windows == [8, 16]
    assert [b.window for b in model.stages["decoder3"] if hasattr(b, "window")] == [8, 16]


def test_a_state_dict_carries_a_network(tmp_path):
    torch.manual_seed(0)
    model, image = build(restormixer(8)).eval(), photo(1, 3, 16, 16)
    torch.save(model.state_dict(), tmp_path / "network.pt")
    fresh = build(restormixer(8)).eval()
    fresh.load_state_dict(torch.load(tmp_path / "network.pt", weights_only=True))
    with torch.no_grad():
        assert torch.equal(fresh(image)["image"], model(image)["image"])


@pytest.mark.parametrize("name", list(topologies))
def test_every_topology_says_what_it_is(name):
    entry = topologies[name]
    assert entry.summary.endswith(".")
    assert isinstance(entry.facts["decoder"], bool)
    assert isinstance(entry.facts["extras"], tuple)
    assert entry.supplied == ("stages",)
    assert [k.name for k in entry.knobs.values() if not k.doc] == []
    assert entry.knobs["width"].type is int


# Errors.


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            unet(stage("stage1"), stage("decoder1", "mwsa"), width=30),
            "decoder1: channels must be a multiple of heads; got channels=30, heads=4",
        ),
        (
            unet(stage("stage1", Choice.of("mwsa", {"windw": 8})), stage("decoder1")),
            "stage1: no mwsa knob is named 'windw'; did you mean 'window'?"
            " (knobs: window, heads, mlp_ratio, grow)",
        ),
        (
            unet(stage("stage1", Choice.of("identity", {"depth": 8})), stage("decoder1")),
            "stage1: no identity knob is named 'depth' (knobs: none)",
        ),
        (
            unet(stage("stage1"), stage("stage2"), stage("decoder1")),
            "unet lacks decoder2; expected stage1 to stageN, decoder1 to decoderN and perhaps"
            " middle, got decoder1, stage1, stage2",
        ),
        (
            unet(stage("stage1"), stage("decoder1"), stage("refinement")),
            "unet has no place for refinement; expected stage1 to stageN, decoder1 to decoderN"
            " and perhaps middle, got decoder1, refinement, stage1",
        ),
        (
            unet(),
            "unet lacks decoder1, stage1; expected stage1 to stageN, decoder1 to decoderN and"
            " perhaps middle, got nothing",
        ),
        (small(width=0), "width must be at least 1; got width=0"),
        (
            small(width=9, multi_input=True),
            "channels of a stage with an image input must be a multiple of 4; got channels=18",
        ),
    ],
)
def test_what_cannot_be_built_says_where_and_why(network, message):
    with pytest.raises(ValueError) as error:
        build(network)
    assert str(error.value) == message


def test_an_unknown_block_or_topology_is_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"^stage1: no block is named 'nafblok'; did you mean"):
        build(unet(stage("stage1", "nafblok"), stage("decoder1")))
    with pytest.raises(ValueError, match=r"^no topology is named 'unit'; did you mean 'unet'\?"):
        build(Network(topology=Choice.of("unit"), stages=()))


def test_an_unknown_topology_knob_is_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"^no unet knob is named 'withd'; did you mean 'width'"):
        build(small(withd=8))
