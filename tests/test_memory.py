"""Peak memory against arithmetic: every storage in bytes, alive at the worst moment."""

from __future__ import annotations

import warnings
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from ablate.profiling.memory import StorageTracker, peak_inference, peak_training, protocol
from blocks.scan import selective_scan

FLOAT = 4
SIZE = (16, 16)
PIXELS = 16 * 16
WIDTH = 10


class Chain(nn.Module):
    """Convolutions 1x1 without bias in a row: 3 -> WIDTH -> ... -> WIDTH -> 3 channels."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        widths = [3, *[WIDTH] * (inner + 1), 3]
        self.layers = nn.Sequential(*(nn.Conv2d(a, b, 1, bias=False) for a, b in pairwise(widths)))

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
        return {"image": self.layers(image)}


def weights(inner: int) -> int:
    return 2 * 3 * WIDTH + inner * WIDTH * WIDTH


@pytest.mark.parametrize("inner", [1, 2, 5])
def test_inference_holds_weights_the_image_and_two_activations_however_deep(inner):
    expected = FLOAT * (weights(inner) + PIXELS * (3 + WIDTH + WIDTH))
    assert peak_inference(Chain(inner), SIZE) == expected


@pytest.mark.parametrize("inner", [1, 2, 5])
def test_training_holds_every_activation_once_and_one_gradient(inner):
    """The worst moment: the gradient of the last activation is there, nothing is released yet.

    Weights with their two moments; image, target and the output's gradient; all activations and
    the gradient of the last; the last layer's weight gradient; the loss and its gradient.
    """
    numbers = 3 * weights(inner) + PIXELS * (3 * 3 + (inner + 2) * WIDTH) + 3 * WIDTH + 2
    assert peak_training(Chain(inner), SIZE, 1) == FLOAT * numbers


def test_activations_grow_with_the_batch_and_weights_do_not():
    one, two = (peak_inference(Chain(1), SIZE, batch) for batch in (1, 2))
    assert two - one == FLOAT * PIXELS * (3 + 2 * WIDTH)


def test_a_skip_keeps_its_activation_alive():
    class Skip(nn.Module):
        def forward(self, image: Tensor) -> dict[str, Tensor]:
            return {"image": image.exp().exp().exp() + image.exp()}

    class Straight(nn.Module):
        def forward(self, image: Tensor) -> dict[str, Tensor]:
            return {"image": image.exp().exp().exp()}

    image = FLOAT * 3 * PIXELS
    assert peak_inference(Straight(), SIZE) == 3 * image
    assert peak_inference(Skip(), SIZE) == 4 * image


def test_views_take_no_memory():
    class View(nn.Module):
        def forward(self, image: Tensor) -> dict[str, Tensor]:
            return {"image": image.flatten(2).mT.unflatten(1, SIZE).permute(0, 3, 1, 2)}

    assert peak_inference(View(), SIZE) == FLOAT * 3 * PIXELS


def test_bfloat16_halves_the_activations_and_adds_cast_copies():
    expected = FLOAT * (weights(1) + 3 * PIXELS) + 2 * (weights(1) - 3 * WIDTH)
    least = expected + 2 * PIXELS * 2 * WIDTH
    half = peak_inference(Chain(1), SIZE, precision="bfloat16")
    assert least <= half < peak_inference(Chain(1), SIZE)


def test_a_frozen_network_trains_without_moments():
    chain = Chain(1)
    chain.layers[0].requires_grad_(False)
    frozen = 3 * WIDTH
    numbers = 3 * weights(1) - 2 * frozen + PIXELS * (3 * 3 + 3 * WIDTH) + 3 * WIDTH + 2
    assert peak_training(chain, SIZE, 1) == FLOAT * numbers


def test_what_the_scan_saves_for_its_gradient_is_in_the_forecast():
    class Scanned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.decay = nn.Parameter(-torch.ones(3, 8))

        def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
            u = image.flatten(2) * 1
            mixed = u[:, None, :1].expand(-1, -1, 8, -1)
            return {"image": selective_scan(u, u, self.decay, mixed, mixed).view_as(image)}

    assert peak_training(Scanned(), SIZE, 1) > peak_inference(Scanned(), SIZE) > FLOAT * PIXELS * 9


def test_the_network_is_left_as_it_was():
    chain = Chain(1).eval()
    before = [p.clone() for p in chain.parameters()]
    peak_training(chain, SIZE, 2)
    assert not chain.training
    assert all(p.grad is None for p in chain.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, chain.parameters(), strict=True))


def test_a_network_on_meta_is_forecast_like_a_real_one():
    with torch.device("meta"):
        meta = Chain(2)
    assert peak_training(meta, SIZE, 3) == peak_training(Chain(2), SIZE, 3)


def test_a_forecast_takes_no_memory_itself():
    assert peak_inference(Chain(0), (2**16, 2**16)) > 2**32 * (3 + WIDTH) * FLOAT


def test_the_tracker_forgets_what_nothing_refers_to():
    kept = torch.zeros(100)
    with StorageTracker([kept]) as tracker:
        gone = kept + 1
        view = gone[:50]
        del gone
        assert tracker.current == 2 * 400
        del view
        assert (tracker.current, tracker.peak) == (400, 800)


def test_a_storage_counts_once_however_many_tensors_share_it():
    kept = torch.zeros(100)
    assert StorageTracker([kept, kept[:10], kept.view(10, 10)]).current == 400


def test_pytorchs_own_tracker_agrees_on_a_training_step():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mem_tracker = pytest.importorskip("torch.distributed._tools.mem_tracker")
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        chain, image, target = Chain(2), torch.empty(2, 3, *SIZE), torch.empty(2, 3, *SIZE)
        tracker = mem_tracker.MemTracker()
        tracker.track_external(chain, image, target)
        with tracker:
            (chain(image)["image"] - target).abs().mean().backward()
    theirs = tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]
    assert peak_training(Chain(2), SIZE, 2) == theirs + FLOAT * 2 * weights(2)  # the moments


def test_the_method_is_said_in_words():
    assert protocol(torch.device("cpu")).startswith("forecast: storages alive at once")
    assert "max_memory_allocated" in protocol(torch.device("cuda"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_measures_at_least_the_forecast():
    device = torch.device("cuda")
    assert peak_inference(Chain(2), SIZE, device=device) >= peak_inference(Chain(2), SIZE)
    assert peak_training(Chain(2), SIZE, 2, device) >= peak_training(Chain(2), SIZE, 2)


def test_averaged_weights_are_one_more_copy_of_the_state():
    plain = peak_training(Chain(2), SIZE, 2)
    assert peak_training(Chain(2), SIZE, 2, averaged=True) == plain + FLOAT * weights(2)
