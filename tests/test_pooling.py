"""The mean over an image or over neighbourhoods, and the topology option that chooses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ablate.mix import Choice, Network, Stage
from ablate.network import build
from blocks._pooling import GlobalMean


def naf(local_means: int) -> torch.nn.Module:
    slots = ("stage1", "stage2", "decoder1", "decoder2", "middle")
    stages = tuple(Stage(slot=slot, blocks=(Choice.of("nafblock"),)) for slot in slots)
    topology = Choice.of("unet", {"width": 8, "local_means": local_means})
    return build(Network(topology=topology, stages=stages))


@pytest.mark.parametrize("window", [0, 16, 40])
def test_a_window_that_covers_the_image_is_the_whole_of_it(window):
    x = torch.rand(2, 3, 16, 12)
    assert torch.equal(GlobalMean(window)(x), x.mean((2, 3), keepdim=True))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_of_a_global_mean_lies_in_memory_as_its_input_does(layout):
    x = torch.rand(2, 3, 4, 5).contiguous(memory_format=layout).requires_grad_()
    weight = torch.rand(2, 3, 1, 1)
    (gradient,) = torch.autograd.grad(GlobalMean()(x), x, weight)
    assert gradient.is_contiguous(memory_format=layout)
    torch.testing.assert_close(gradient, (weight / 20).expand(x.shape))


@pytest.mark.parametrize(("window", "height", "width"), [(4, 9, 11), (3, 2, 7), (5, 8, 5)])
def test_a_local_mean_is_an_average_pool_with_its_edges_repeated(window, height, width):
    x = torch.rand(2, 3, height, width)
    kernel = (min(window, height), min(window, width))
    pooled = F.avg_pool2d(x, kernel, 1)
    down, right = height - pooled.shape[2], width - pooled.shape[3]
    expected = F.pad(
        pooled, (right // 2, right - right // 2, down // 2, down - down // 2), mode="replicate"
    )
    torch.testing.assert_close(GlobalMean(window)(x), expected)


def test_a_network_averages_over_one_and_a_half_training_crops_at_every_level():
    windows = [m.window for m in naf(32).modules() if isinstance(m, GlobalMean)]
    assert windows == [48, 24, 12, 24, 48]
    assert {m.window for m in naf(0).modules() if isinstance(m, GlobalMean)} == {0}


def test_local_means_change_large_images_only():
    torch.manual_seed(0)
    plain, local = naf(0), naf(16)
    for parameter in plain.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    local.load_state_dict(plain.state_dict())
    small, large = torch.rand(1, 3, 24, 24), torch.rand(1, 3, 32, 40)
    with torch.no_grad():
        assert torch.equal(local(small)["image"], plain(small)["image"])
        assert not torch.allclose(local(large)["image"], plain(large)["image"])
