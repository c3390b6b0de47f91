"""Peak memory against arithmetic: every storage in bytes, alive at the worst moment."""

from __future__ import annotations

import warnings
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from ablate.mix import Training
from ablate.network import build
from ablate.profiling._allocations import most_allocated
from ablate.profiling.memory import (
    MemoryProfile,
    StorageTracker,
    follow_inference,
    follow_training,
    forecast_inference,
    forecast_training,
)
from ablate.study import load_study
from ablate.topologies import Blocks
from blocks.scan import selective_scan

FLOAT = 4
SIZE = (16, 16)
IMAGE = (1, 3, *SIZE)
PIXELS = 16 * 16
WIDTH = 10
PLAIN = Training(channels_last=False)


class Chain(nn.Module):
    """Convolutions 1x1 without bias in a row: 3 -> WIDTH -> ... -> WIDTH -> 3 channels."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        widths = [3, *[WIDTH] * (inner + 1), 3]
        self.layers = nn.Sequential(*(nn.Conv2d(a, b, 1, bias=False) for a, b in pairwise(widths)))

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
        return {"image": self.layers(image)}


class Staged(nn.Module):
    """A stem of 3 -> WIDTH, two stages of elementwise functions, a head of WIDTH -> 3."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTH, 1, bias=False)
        self.first = Blocks(nn.Tanh(), nn.Tanh(), slot="stage1")
        self.second = Blocks(nn.Tanh(), slot="stage2")
        self.head = nn.Conv2d(WIDTH, 3, 1, bias=False)

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
        x = self.stem(image)
        x = self.first(x)
        x = self.second(x)
        return {"image": self.head(x)}


def weights(inner: int) -> int:
    return 2 * 3 * WIDTH + inner * WIDTH * WIDTH


def inference(model: nn.Module, shape: tuple[int, ...] = IMAGE) -> MemoryProfile:
    return forecast_inference(model, shape, channels_last=False)


def training(model: nn.Module, batch: int = 1, settings: Training = PLAIN) -> MemoryProfile:
    return forecast_training(model, (batch, 3, *SIZE), settings)


@pytest.mark.parametrize("inner", [1, 2, 5])
def test_inference_holds_weights_the_image_and_two_activations_however_deep(inner):
    found = inference(Chain(inner))
    assert found.peak == FLOAT * (weights(inner) + PIXELS * (3 + WIDTH + WIDTH))
    assert found.by_kind == {
        "weights": FLOAT * weights(inner),
        "images": FLOAT * 3 * PIXELS,
        "activations": FLOAT * 2 * WIDTH * PIXELS,
    }


@pytest.mark.parametrize("inner", [1, 2, 5])
@pytest.mark.parametrize("batch", [1, 3])
def test_training_holds_every_activation_once_and_one_gradient(inner, batch):
    """The worst moment: the gradient of the last activation is there, nothing is released yet.

    The output is kept with its gradient; beside both are the loss and its gradient. The
    optimiser counts its steps once for each tensor.
    """
    found, tensors = training(Chain(inner), batch), inner + 2
    assert found.where == "layers, backward"
    assert found.by_kind == {
        "weights": FLOAT * weights(inner),
        "optimiser": FLOAT * (2 * weights(inner) + tensors),
        "images": FLOAT * 2 * 3 * PIXELS * batch,
        "activations": FLOAT * (PIXELS * batch * (3 + 3 + (inner + 2) * WIDTH) + 2),
        "gradients": FLOAT * 3 * WIDTH,
    }
    assert found.peak == sum(found.by_kind.values())


def told(found: MemoryProfile, phase: str) -> list[tuple[str, float, float, float]]:
    """Slot, and bytes before, at worst and after, in features beyond what was there first."""
    first, feature = found.stretches[0].before, FLOAT * WIDTH * PIXELS
    rows = [s for s in found.stretches if s.phase == phase]
    return [
        (s.slot, *(round((size - first) / feature, 2) for size in (s.before, s.worst, s.after)))
        for s in rows
    ]


def test_inference_is_told_stage_by_stage():
    """A stage's input is kept by its caller while the stage runs; an image is 0.3 features."""
    assert told(inference(Staged()), "forward") == [
        ("rest", 0, 1, 1),
        ("stage1", 1, 3, 1),
        ("stage2", 1, 2, 1),
        ("rest", 1, 1.3, 0.3),
    ]


def test_a_training_step_is_told_stage_by_stage_there_and_back():
    """A tanh keeps what it returns; the output and, of the loss, a difference stay as well."""
    found = training(Staged())
    assert told(found, "forward") == [
        ("rest", 0, 1, 1),
        ("stage1", 1, 3, 2),
        ("stage2", 2, 3, 3),
        ("rest", 3, 3.9, 3.6),
    ]
    slots = [(slot, worst) for slot, _, worst, _ in told(found, "backward")]
    assert slots == [("rest", 4.61), ("stage2", 5.31), ("stage1", 4.31), ("rest", 1.32)]
    assert found.where == "stage2, backward"
    assert {slot: s.phase for slot, s in found.by_stage.items()} == {
        "rest": "backward", "stage1": "backward", "stage2": "backward",
    }  # fmt: skip
    assert found.by_stage["stage2"].worst == found.peak


def test_stretches_join_and_their_kinds_add_up():
    found = training(Staged(), settings=Training(ema=0.9))
    assert all(a.after == b.before for a, b in pairwise(found.stretches))
    assert all(sum(s.by_kind.values()) == s.worst for s in found.stretches)
    assert all(s.worst >= max(s.before, s.after) for s in found.stretches)
    last = found.stretches[-1]
    state = FLOAT * 2 * 3 * WIDTH
    assert (last.phase, last.slot) == ("optimiser", "rest")
    assert last.by_kind["gradients"] == last.by_kind["weights"] == state
    assert last.by_kind["averages"] == state


def test_a_stage_that_is_passed_twice_is_one_stage():
    class Twice(Staged):
        def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
            return {"image": self.head(self.first(self.second(self.first(self.stem(image)))))}

    found = training(Twice())
    backward = [slot for slot, *_ in told(found, "backward")]
    assert backward == ["rest", "stage1", "stage2", "stage1", "rest"]
    assert list(found.by_stage) == ["rest", "stage1", "stage2"]


def test_a_network_without_stages_is_told_by_its_children():
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Conv2d(3, 3, 1), nn.Tanh()])
            self.last = nn.Tanh()

        def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
            for layer in self.layers:
                image = layer(image)
            return self.last(image), [image]

    assert list(inference(Listed()).by_stage) == ["rest", "layers.0", "layers.1", "last"]
    found = training(Listed())
    assert found.by_kind["images"] == FLOAT * 3 * PIXELS  # nothing says what it should return
    assert {"layers.0", "layers.1", "last"} < set(found.by_stage)


def test_what_is_computed_again_for_the_backward_pass_belongs_to_its_stage():
    class Again(Staged):
        def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
            x = self.stem(image)
            again = torch.utils.checkpoint.checkpoint(self.first[0], x, use_reentrant=False)
            return {"image": self.head(self.second(again))}

    found = training(Again())
    assert [slot for slot, *_ in told(found, "backward")] == ["rest", "stage2", "rest"]
    assert found.peak < training(Staged()).peak


@pytest.mark.parametrize("name", ["quickstart", "moce_experts"])
@pytest.mark.parametrize("channels_last", [True, False])
def test_real_tensors_are_alive_as_the_forecast_says(name, channels_last):
    study = load_study(name)
    mix = study.mix(study.at(study.size - 1))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        models = [build(mix.network).to(memory_format=layout) for _ in range(2)]
        image = torch.rand(2, 3, 32, 32).contiguous(memory_format=layout)
        called = follow_inference(models[0], image)
        recipe = Training(channels_last=channels_last)
        trained = follow_training(models[1], image, recipe)
    forecast = forecast_inference(models[0], image.shape, channels_last=channels_last)
    assert forecast.stretches == called.stretches
    assert forecast_training(models[1], image.shape, recipe).peak == trained.peak


def test_the_allocator_gives_out_what_the_tracker_follows():
    kept = torch.ones(1000)

    def run() -> None:
        twice = kept * 2
        (twice + twice.exp()).sum()

    with StorageTracker() as tracker:
        run()
    assert tracker.peak == 3 * 4000
    assert most_allocated(run) == pytest.approx(tracker.peak, abs=200)  # a sum's few numbers


def test_activations_grow_with_the_batch_and_weights_do_not():
    one, two = (inference(Chain(1), (batch, 3, *SIZE)).peak for batch in (1, 2))
    assert two - one == FLOAT * PIXELS * (3 + 2 * WIDTH)


def test_a_skip_keeps_its_activation_alive():
    class Skip(nn.Module):
        def forward(self, image: Tensor) -> dict[str, Tensor]:
            return {"image": image.exp().exp().exp() + image.exp()}

    class Straight(nn.Module):
        def forward(self, image: Tensor) -> dict[str, Tensor]:
            return {"image": image.exp().exp().exp()}

    image = FLOAT * 3 * PIXELS
    assert inference(Straight()).peak == 3 * image
    assert inference(Skip()).peak == 4 * image


def test_views_take_no_memory():
    class View(nn.Module):
        def forward(self, image: Tensor) -> dict[str, Tensor]:
            return {"image": image.flatten(2).mT.unflatten(1, SIZE).permute(0, 3, 1, 2)}

    assert inference(View()).peak == FLOAT * 3 * PIXELS


def test_bfloat16_halves_the_activations_and_adds_cast_copies():
    expected = FLOAT * (weights(1) + 3 * PIXELS) + 2 * (weights(1) - 3 * WIDTH)
    least = expected + 2 * PIXELS * 2 * WIDTH
    half = forecast_inference(Chain(1), IMAGE, precision="bfloat16", channels_last=False).peak
    assert least <= half < inference(Chain(1)).peak


def test_a_frozen_network_trains_without_moments():
    chain = Chain(1)
    chain.layers[0].requires_grad_(False)
    moments = 2 * (weights(1) - 3 * WIDTH) + 2  # two tensors count their steps
    assert training(chain).by_kind["optimiser"] == FLOAT * moments


def test_what_the_scan_saves_for_its_gradient_is_in_the_forecast():
    class Scanned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.decay = nn.Parameter(-torch.ones(3, 8))

        def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
            u = image.flatten(2) * 1
            mixed = u[:, None, :1].expand(-1, -1, 8, -1)
            return {"image": selective_scan(u, u, self.decay, mixed, mixed).view_as(image)}

    assert training(Scanned()).peak > inference(Scanned()).peak > FLOAT * PIXELS * 9


def test_a_scan_copies_what_is_not_dense():
    def peak(u: Tensor) -> int:
        rates, mixed = -torch.ones(3, 8), torch.ones(1, 1, 8, PIXELS)
        with StorageTracker([u]) as tracker:
            selective_scan(u, u, rates, mixed, mixed)
        return tracker.peak

    dense, turned = torch.ones(1, 3, PIXELS), torch.ones(1, PIXELS, 3).mT
    assert peak(turned) == peak(dense) + 2 * FLOAT * 3 * PIXELS  # as input and as step


def test_the_network_is_left_as_it_was():
    chain = Chain(1).eval()
    before = [p.clone() for p in chain.parameters()]
    inference(chain)
    training(chain, 2)
    assert not chain.training
    assert all(p.grad is None for p in chain.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, chain.parameters(), strict=True))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in chain.modules())


def test_a_network_on_meta_is_forecast_like_a_real_one():
    with torch.device("meta"):
        meta = Chain(2)
    assert training(meta, 3) == training(Chain(2), 3)


def test_a_forecast_takes_no_memory_itself():
    assert inference(Chain(0), (1, 3, 2**16, 2**16)).peak > 2**32 * (3 + WIDTH) * FLOAT


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
        chain, image = Chain(2), torch.empty(2, 3, *SIZE)
        tracker = mem_tracker.MemTracker()
        tracker.track_external(chain, image)
        with tracker:
            output = chain(image)["image"]
            output.abs().mean().backward()
    theirs = tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]

    class Bare(Chain):
        def forward(self, image: Tensor) -> Tensor:
            return super().forward(image)["image"]

    ours = training(Bare(2), 2)
    assert ours.peak - ours.by_kind["optimiser"] == theirs


def test_averaged_weights_are_one_more_copy_of_the_state():
    averaged = training(Chain(2), 2, Training(ema=0.9, channels_last=False))
    assert averaged.peak == training(Chain(2), 2).peak + FLOAT * weights(2)
