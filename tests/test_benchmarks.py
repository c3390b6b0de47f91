"""The benchmarks' plain versions of the blocks compute what the blocks compute."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import blocks
from benchmarks.straightforward import TWINS, straightforward
from tests.test_blocks import WIDER, image, perturbed

every_block = pytest.mark.parametrize("name", list(blocks.blocks))


def both(block: nn.Module, x: Tensor, weight: Tensor, run) -> dict[str, Tensor]:
    """Value and gradients; a parameter that was not reached has a gradient of 0."""
    block.zero_grad()
    x = x.clone().requires_grad_()
    torch.manual_seed(3)  # blocks that draw noise in training draw the same
    y = run(x)
    (y * weight).sum().backward()
    gradients = {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in block.named_parameters()
    }
    return {"value": y.detach(), "input": x.grad, **gradients}


def test_every_block_has_a_plain_version():
    assert sorted(TWINS) == list(blocks.blocks)


@every_block
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [(6, 9), (16, 8)])
def test_a_block_and_its_plain_version_agree_in_value_and_gradient(name, training, size):
    channels = WIDER.get(name, 8)
    block = perturbed(name, channels).double().train(training)
    x, weight = (image(2, channels, *size, seed=seed).double() for seed in (1, 2))
    ours = both(block, x, weight, block)
    plain = both(block, x, weight, lambda x: straightforward(block, x))
    torch.testing.assert_close(plain, ours, rtol=1e-7, atol=1e-9)
