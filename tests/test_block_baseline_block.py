"""NAFNet's baseline block, held to its equations and to the published counts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import blocks
from tests.test_blocks import image, perturbed


def parameters(name: str, channels: int, **knobs: object) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in blocks.make(name, channels, **knobs).parameters())


def norm(layer, a):
    centred = a - a.mean(1, keepdim=True)
    a = centred / (centred.square().mean(1, keepdim=True) + 1e-6).sqrt()
    return a * layer.weight[:, None, None] + layer.bias[:, None, None]


@pytest.mark.parametrize("expand", [1, 2])
def test_it_is_its_equations_written_out(expand):
    block = perturbed("baseline_block", expand=expand).double()
    x = image(2, 8, 6, 7).double()
    attention = block.attention
    with torch.no_grad():
        a = F.gelu(block.depthwise(block.enter(norm(block.norm, x))))
        weights = attention.excite(F.relu(attention.squeeze(a.mean((2, 3), keepdim=True))))
        y = x + block.beta * block.leave(a / (1 + torch.exp(-weights)))
        expected = y + block.gamma * block.mlp_leave(
            F.gelu(block.mlp_enter(norm(block.mlp_norm, y)))
        )
        torch.testing.assert_close(block(x), expected)


def test_untrained_it_is_the_identity():
    x = image(2, 8, 6, 7)
    assert torch.equal(blocks.make("baseline_block", 8)(x), x)


@pytest.mark.parametrize(
    ("channels", "size", "expected", "gigamacs"),
    [(32, 256, 7_888, 0.424), (64, 128, 30_112, 0.413), (128, 64, 117_568, 0.408)],
)
def test_parameters_and_macs_are_those_of_the_released_models(channels, size, expected, gigamacs):
    assert parameters("baseline_block", channels) == expected
    with torch.device("meta"):
        macs = blocks.make("baseline_block", channels).macs(size, size)
    averaged = channels * size**2  # the published counter has one for each value that is averaged
    assert round((macs + averaged) / 1e9, 3) == gigamacs
    assert macs / 1e9 == pytest.approx(gigamacs, rel=0.006)


def test_exchanging_it_for_nafblock_changes_the_whole_network_as_published():
    depths = {32: 2, 64: 2, 128: 2, 256: 29, 512: 1}  # both sides of the U-shape together
    baseline, naf = (
        sum(depth * parameters(name, channels) for channels, depth in depths.items())
        for name in ("baseline_block", "nafblock")
    )
    assert naf - baseline == 17_111_907 - 17_023_875


@pytest.mark.parametrize("knob", ["expand", "mlp_expand"])
def test_what_cannot_be_built_says_why(knob):
    with pytest.raises(ValueError) as error:
        blocks.make("baseline_block", 8, **{knob: 0})
    assert str(error.value) == f"{knob} must be at least 1; got {knob}=0"


def test_one_channel_leaves_nothing_to_squeeze_to():
    with pytest.raises(ValueError) as error:
        blocks.make("baseline_block", 1)
    assert (
        str(error.value) == "channels times expand must be at least 2; got channels times expand=1"
    )
