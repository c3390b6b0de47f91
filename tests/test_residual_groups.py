"""Groups at one resolution: what they compute, what they start at, how a study fills them."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ablate.resizing import enlarge, mirrored
from ablate.study import Study, StudyError, load_study, schema
from ablate.topologies import Blocks, topologies
from ablate.topologies._tails import DIV2K_MEAN
from blocks import Context, make
from blocks._pooling import GlobalMean

TAILS = ("pixelshuffledirect", "pixelshuffle")
SCALED = [(1, "pixelshuffledirect"), *itertools.product((2, 3, 4), TAILS)]
each_tail = pytest.mark.parametrize(("scale", "tail"), SCALED)


def nafblock(channels: int, context: int = 0) -> nn.Module:
    return Blocks(make("nafblock", channels))


def groups(count: int = 2, fill: Any = nafblock, **settings: Any) -> Any:
    torch.manual_seed(0)
    fills = {f"group{k + 1}": fill for k in range(count)}
    return topologies["residual_groups"].make(fills, **({"width": 8} | settings)).eval()


def stirred(**settings: Any) -> Any:
    """A network whose parameters are not those of the start, where some parts do nothing."""
    model = groups(**settings)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def photo(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


# What it computes.


@each_tail
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 9), (16, 21)])
def test_any_image_comes_back_scale_times_as_large_and_images_do_not_mix(
    scale, tail, height, width
):
    model, image = stirred(scale=scale, tail=tail, multiple=4), photo(2, 3, height, width)
    with torch.no_grad():
        together, alone = model(image)["image"], model(image[:1])["image"]
    assert together.shape == (2, 3, scale * height, scale * width)
    assert (together[:1] - alone).abs().max() < 1e-5 * together.abs().max()
    assert model.scale == scale


def test_it_computes_what_its_docstring_says():
    model, image = stirred(scale=2, tail="pixelshuffle", image_skip=False), photo(1, 3, 6, 5)
    mean = torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1)

    def norm(layer: nn.LayerNorm, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        scaled = centred / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        return scaled * layer.weight.view(1, -1, 1, 1) + layer.bias.view(1, -1, 1, 1)

    with torch.no_grad():
        u = model.stem(image - mean)
        x = norm(model.norm, u)
        for slot in ("group1", "group2"):
            x = model.joins[slot](model.stages[slot](x)) + x
        y = model.last_join(norm(model.last_norm, x)) + u
        enter, wider, last = (part for part in model.tail if isinstance(part, nn.Conv2d))
        y = wider(F.leaky_relu(enter(y), 0.01))
        expected = last(F.pixel_shuffle(y, 2)) + mean
        torch.testing.assert_close(model(image)["image"], expected)


def test_at_scale_one_the_image_is_added_and_the_mean_does_not_come_back_twice():
    model, image = stirred(), photo(1, 3, 8, 8)
    with torch.no_grad():
        deep = model._deep(image, {}, Context())
        torch.testing.assert_close(model(image)["image"], image + model.tail(deep))
    assert [type(part) for part in model.tail] == [nn.Conv2d]


@pytest.mark.parametrize("skip", [True, False])
def test_the_mean_is_what_the_network_does_not_see(skip):
    with_mean, without = (stirred(scale=2, mean=m, image_skip=skip) for m in (True, False))
    mean = torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1)
    image = photo(1, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(
            with_mean(image)["image"], without(image - mean)["image"] + mean, atol=1e-5, rtol=0
        )
    assert "mean" not in with_mean.state_dict()


@each_tail
@pytest.mark.parametrize("colors", [1, 3])
def test_the_gradient_reaches_every_parameter(scale, tail, colors):
    model = stirred(scale=scale, tail=tail, image_channels=colors, join="3conv")
    restored = model(photo(2, 3, 8, 8))["image"]
    (restored * photo(*restored.shape)).sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_network_of_grey_images_restores_each_colour_by_itself():
    model, image = stirred(image_channels=1, scale=2), photo(2, 3, 7, 6)
    with torch.no_grad():
        together = model(image)["image"]
        alone = [model(image[:, k : k + 1])["image"] for k in range(3)]
    torch.testing.assert_close(together, torch.cat(alone, dim=1))


def test_padding_continues_the_image_by_its_mirror_image_edge_first():
    row = torch.arange(3.0).view(1, 1, 1, 3)
    assert mirrored(row, 2, 5, 0, 0).flatten().tolist() == [1, 0, 0, 1, 2, 2, 1, 0, 0, 1]
    image = photo(1, 3, 5, 6)
    padded = groups(multiple=4)._padded(image)
    rows = torch.cat([image, image.flip(2)], 2)[:, :, :8]
    assert torch.equal(padded, torch.cat([rows, rows.flip(3)], 3)[..., :8])
    assert groups(multiple=4, padding="zeros")._padded(image)[..., 5:, :].abs().max() == 0


def test_three_convolutions_may_end_a_group():
    one, three = (groups(join=join).joins["group1"] for join in ("1conv", "3conv"))
    weights = [sum(p.numel() for p in part.parameters()) for part in (one, three)]
    assert weights == [9 * 64 + 8, (9 * 16 + 2) + (4 + 2) + (9 * 16 + 8)]
    assert three[1].negative_slope == 0.2


def test_requests_are_answered():
    outputs = groups(3, scale=2)(photo(1, 3, 8, 8), ("scales", "features", "auxiliary"))
    assert [tuple(f.shape) for f in outputs["features"]] == [(1, 8, 8, 8)] * 3
    assert outputs["scales"] == [outputs["image"]] and outputs["auxiliary"] == []


def test_means_can_be_local():
    model = groups(local_means=64)
    assert {part.window for part in model.modules() if isinstance(part, GlobalMean)} == {96}


@pytest.mark.parametrize(("scale", "tail"), [SCALED[0], SCALED[-1]])
def test_it_exports(scale, tail):
    model, image = stirred(scale=scale, tail=tail, multiple=4), photo(1, 3, 6, 7)
    exported = torch.export.export(model, (image,)).module()
    torch.testing.assert_close(exported(image)["image"], model(image)["image"])


# What it starts at.


@each_tail
def test_the_untrained_network_returns_the_image_or_its_bicubic_enlargement(scale, tail):
    image = photo(2, 3, 7, 9)
    model = groups(scale=scale, tail=tail, multiple=4)
    restored = model(image)["image"]
    assert torch.equal(restored, enlarge(image, scale))
    restored.square().sum().backward()
    assert model.tail[-1 if tail == "pixelshuffle" or scale == 1 else 0].weight.grad.any()


def test_without_the_image_added_nothing_is_zeroed():
    model = groups(scale=2, image_skip=False)
    assert model.tail[0].weight.any()
    published = groups(scale=2, zero_head=False)
    assert published.tail[0].weight.any()


# What it refuses.


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"width": 0}, "width must be at least 1; got width=0"),
        ({"multiple": 0}, "multiple must be at least 1; got multiple=0"),
        ({"local_means": -1}, "local_means must be at least 0; got local_means=-1"),
        (
            {"tail": "pixelshuffle"},
            "scale = 1 has nothing to enlarge; leave tail = 'pixelshuffle' out",
        ),
        (
            {"width": 6, "join": "3conv"},
            "width must be a multiple of 4 for join = '3conv'; got width=6",
        ),
        ({"count": 0}, "residual_groups has the slots group1 to groupN; got nothing"),
    ],
)
def test_what_cannot_be_built_is_said(settings, said):
    with pytest.raises(ValueError) as caught:
        groups(**settings)
    assert str(caught.value) == said


def test_a_slot_of_another_topology_is_refused():
    with pytest.raises(ValueError) as caught:
        topologies["residual_groups"].make({"stage1": nafblock, "group1": nafblock})
    assert str(caught.value) == "residual_groups has the slots group1 to groupN; got group1, stage1"


# How a study fills it.

STUDY: dict[str, Any] = {
    "question": "?",
    "task": {"degradation": "gaussian_noise"},
    "network": {
        "topology": "residual_groups",
        "width": 8,
        "group": [
            {"block": ["nafblock", "lama"], "depth": 2, "repeat": 3},
            {"block": ["rdcnn", "nafblock"]},
        ],
    },
}


def study(**network: Any) -> Study:
    raw = copy.deepcopy(STUDY)
    raw["network"] |= network
    return load_study(raw)


def slots(study: Study, point: tuple[int, ...]) -> dict[str, list[str]]:
    return {s.slot: [b.name for b in s.blocks] for s in study.mix(point).network.stages}


def test_groups_alike_are_one_question_named_after_the_first_of_them():
    asked = study()
    assert [(axis.name, axis.labels) for axis in asked.axes] == [
        ("group1", ("nafblock", "lama")),
        ("group4", ("rdcnn", "nafblock")),
    ]
    assert slots(asked, (1, 0)) == {
        "group1": ["lama", "lama"],
        "group2": ["lama", "lama"],
        "group3": ["lama", "lama"],
        "group4": ["rdcnn"],
    }
    assert asked.label((1, 0)) == "lama | rdcnn"
    assert asked.fillers((1, 0)) == {
        "group1": "group1",
        "group2": "group1",
        "group3": "group1",
        "group4": "group2",
    }


def test_how_many_groups_may_be_a_question():
    asked = study(group=[{"block": "nafblock", "repeat": [1, 3]}, {"block": "lama", "repeat": 2}])
    assert [(axis.name, axis.labels) for axis in asked.axes] == [("group1.repeat", ("1", "3"))]
    assert list(slots(asked, (0,)).values()) == [["nafblock"], ["lama"], ["lama"]]
    assert list(slots(asked, (1,))) == ["group1", "group2", "group3", "group4", "group5"]
    assert list(slots(asked, (1,)).values()) == [["nafblock"]] * 3 + [["lama"]] * 2
    assert asked.label((1,)) == "group1.repeat=3"


def test_a_repeated_group_is_the_same_mix_as_groups_written_out():
    short = study(group=[{"block": "nafblock", "repeat": 2}])
    long = study(group=[{"block": "nafblock"}, {"block": "nafblock"}])
    assert short.mix(()).key == long.mix(()).key


def test_the_schema_knows_groups():
    check = jsonschema.Draft202012Validator(schema())
    assert check.is_valid(STUDY)
    for network in (
        {"group": [{"block": "rdcnn", "repeat": 0}]},
        {"group": [{"block": "rdcnn", "repeats": 2}]},
        {"stage": [{"block": "rdcnn"}]},
        {"decoder": [{"block": "rdcnn"}]},
        {"topology": "unet"},
    ):
        raw = copy.deepcopy(STUDY)
        raw["network"] |= network
        assert not check.is_valid(raw), network
    without = {key: value for key, value in STUDY["network"].items() if key != "group"}
    assert not check.is_valid({**STUDY, "network": without})


GOOD = """\
question = "?"
[task]
degradation = "shrink"
scale = 2
[network]
topology = "residual_groups"
scale = 2
width = 8
[[network.group]]
block = "nafblock"
repeat = 2
[[network.group]]
block = "lama"
[training]
crop = 64
"""

MISTAKES = [
    ("repeat = 2", "repeat = 0", ":11: group 1: repeat must be at least 1 and at most 100; got 0"),
    ("repeat = 2", "repeat = 2.5", ":11: group 1: repeat must be an integer; got 2.5"),
    (
        "repeat = 2",
        "repeet = 2",
        ":11: group 1: no key is named 'repeet'; did you mean 'repeat'? (keys: block, depth,"
        " repeat)",
    ),
    (
        '"lama"',
        '{ name = "lama", heads = 3 }',
        ":13: group 2: lama: channels must be a multiple of heads; got channels=8, heads=3",
    ),
    (
        'block = "lama"',
        "",
        ':12: group 2: block is missing; write block = "rdcnn", or another block or a list',
    ),
    (
        "[training]",
        '[[network.stage]]\nblock = "rdcnn"\n[training]',
        ":14: stage: residual_groups has no stages; write [[network.group]]",
    ),
    (
        "[training]",
        '[[network.decoder]]\nblock = "rdcnn"\n[training]',
        ":14: decoder: residual_groups has no decoder stages; leave them out",
    ),
    (
        "[training]",
        '[network.middle]\nblock = "rdcnn"\n[training]',
        ":14: middle: residual_groups has no middle; leave [network.middle] out (it has: none)",
    ),
    (
        "scale = 2\nwidth",
        "scale = 5\nwidth",
        ":7: network: residual_groups scale must be one of 1, 2, 3, 4; got 5",
    ),
    (
        "scale = 2\nwidth",
        "scale = 3\nwidth",
        ":7: network: the network's scale must equal the task's, 2 (shrink); got 3; write"
        " scale = 2",
    ),
    (
        "scale = 2\nwidth",
        "width",
        ":5: network: the network's scale must equal the task's, 2 (shrink); got 1; write"
        " scale = 2",
    ),
    (
        '"shrink"\nscale = 2',
        '"haze"',
        ":6: network: the network's scale must equal the task's, 1 (haze); got 2; write scale = 1",
    ),
    (
        "crop = 64",
        "crop = 63",
        ":15: training: crop, the side of a clean crop, must be a multiple of the task's scale 2;"
        " got 63; write 62 or 64",
    ),
    (
        "crop = 64",
        "[evaluation]\ncrop = 65",
        ":16: evaluation: crop, the side of a clean crop, must be a multiple of the task's scale"
        " 2; got 65; write 64 or 66",
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES)
def test_a_mistake_is_told_with_file_line_and_place(old, new, said, tmp_path: Path):
    file = tmp_path / "groups.toml"
    assert GOOD.count(old) == 1
    file.write_text(GOOD, encoding="utf-8")
    load_study(file)
    file.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        load_study(file)
    assert caught.value.problems == (f"{file}{said}",)


def test_a_topology_that_cannot_enlarge_is_said_to_be_one(tmp_path: Path):
    file = tmp_path / "unet.toml"
    text = GOOD.replace("scale = 2\nwidth", "width").replace("repeat = 2\n", "")
    text = text.replace("residual_groups", "unet").replace("group", "stage")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        load_study(file)
    assert caught.value.problems == (
        f"{file}:5: network: the network's scale must equal the task's, 2 (shrink); got 1; unet"
        " returns images as large as they come; a scale has: residual_groups",
    )


def test_groups_of_another_topology_and_no_groups_are_said(tmp_path: Path):
    file = tmp_path / "groups.toml"
    file.write_text(GOOD.replace("[[network.group]]", "[[network.stage]]"), encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        load_study(file)
    assert caught.value.problems[0].endswith("write [[network.group]]")
    raw = {**STUDY, "network": {"topology": "residual_groups"}}
    with pytest.raises(StudyError) as caught:
        load_study(raw)
    said = 'study: network: no group is given; write [[network.group]] with block = "rdcnn"'
    assert caught.value.problems == (said,)
