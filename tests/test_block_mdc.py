"""Dilated convolutions in parallel, held to their equation and their reach."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import blocks
from tests.test_blocks import counted_macs, image, perturbed

LITE = {"kernels": (5, 3), "dilations": (2, 2), "activation": "relu"}


def test_it_is_its_equation_written_out():
    block, x = perturbed("mdc").double(), image(2, 8, 9, 8).double()
    block.train()  # batch norm then takes mean and variance from the batch
    with torch.no_grad():
        found = []
        for (convolution, norm, _), dilation in zip(block.branches, (1, 2, 3), strict=True):
            a = F.conv2d(x, convolution.weight, padding=dilation, dilation=dilation, groups=8)
            a = a - a.mean((0, 2, 3), keepdim=True)
            a = a / (a.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
            found.append(F.gelu(a * norm.weight[:, None, None] + norm.bias[:, None, None]))
        weight = block.fuse.weight.flatten(1)
        expected = x + torch.einsum("oc,bchw->bohw", weight, torch.cat(found, 1))
        torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize(
    ("knobs", "rows"),
    [
        ({}, {-3, -2, -1, 0, 1, 2, 3}),
        (LITE, {-4, -2, 0, 2, 4}),
        ({"kernels": (3,), "dilations": (4,)}, {-4, 0, 4}),
    ],
)
def test_it_reaches_what_its_dilations_touch(knobs, rows):
    block, x = perturbed("mdc", **knobs), image(1, 8, 13, 13).requires_grad_()
    block(x)[0, :, 6, 6].sum().backward()
    reached = x.grad[0].abs().sum((0, 2)).nonzero().flatten()
    assert {int(row) - 6 for row in reached} == rows


def test_the_simplified_form_has_its_parameters_and_cost():
    block = blocks.make("mdc", 32, **LITE)
    assert sum(p.numel() for p in block.parameters()) == 32 * (25 + 9 + 2 * 2 + 2 * 32)
    assert block.macs(9, 7) == 9 * 7 * 32 * (25 + 9 + 2 * 32)
    assert block.macs(9, 7) == counted_macs(block.to("meta"), 32, 9, 7)


@pytest.mark.parametrize("norm", ["layer", "none"])
def test_only_batch_norm_lets_images_of_a_batch_meet(norm):
    x = image(3, 8, 6, 7)
    block = perturbed("mdc", norm=norm).train()
    together, alone = block(x), torch.cat([block(row[None]) for row in x])
    torch.testing.assert_close(together, alone)
    assert (block.branches[0][0].bias is None) == (norm == "layer")


def test_without_norm_and_activation_it_is_linear():
    block, x = perturbed("mdc", norm="none", activation="none"), image(1, 8, 6, 7)
    zero = torch.zeros_like(x)
    with torch.no_grad():
        torch.testing.assert_close(block(3 * x) - block(zero), 3 * (block(x) - block(zero)))


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        (
            {"kernels": (3, 3)},
            "kernels and dilations must be as many, at least one; "
            "got kernels=[3, 3], dilations=[1, 2, 3]",
        ),
        (
            {"kernels": (), "dilations": ()},
            "kernels and dilations must be as many, at least one; got kernels=[], dilations=[]",
        ),
        ({"kernels": (3, 4, 3)}, "kernels must be odd; got kernels=4"),
        ({"dilations": (1, 0, 3)}, "dilations must be at least 1; got dilations=0"),
    ],
)
def test_what_cannot_be_built_says_why(knobs, message):
    with pytest.raises(ValueError) as error:
        blocks.make("mdc", 8, **knobs)
    assert str(error.value) == message
