"""Batches that pass in parts give the gradients of whole ones, and it is said where they do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from ablate.mix import Training
from ablate.training.loop import Trained, train
from ablate.training.losses import losses
from ablate.training.micro import batch_bound, in_parts
from blocks import Entry

CPU = torch.device("cpu")
ONE = Training(steps=1, batch=5, crop=8, validate=0, clip=0.0)
CROP = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(9))


class Net(nn.Module):
    """Two convolutions around a residual, with something between them."""

    def __init__(self, between: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            between or nn.GELU(),
            nn.Conv2d(4, 3, 3, padding=1),
        )
        self.sizes: list[int] = []

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
        self.sizes.append(len(image))
        return {"image": image + self.layers(image)}


class Own(Net):
    """Gives a loss of its own, as blocks do: only where there are gradients."""

    def forward(self, image: Tensor, request: tuple[str, ...] = ()) -> dict[str, Tensor]:
        outputs: dict[str, Tensor] = super().forward(image)
        if "auxiliary" in request and torch.is_grad_enabled():
            outputs["auxiliary"] = [image.std()]  # type: ignore[assignment]
        return outputs


def batches(step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    clean = torch.rand(5, 3, 8, 8, generator=generator)
    return clean + 0.2 * torch.randn(5, 3, 8, 8, generator=generator), clean


def trained(model: nn.Module, settings: Training = ONE, micro: int = 0) -> Trained:
    return train(
        model,
        batches,
        settings,
        device=CPU,
        validate=lambda network: {},
        report=lambda progress: None,
        micro=micro,
    )


def gradients(make: Callable[[], nn.Module], settings: Training, micro: int) -> Tensor:
    model = make()
    trained(model, settings, micro)
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_a_batch_is_cut_in_order_and_each_part_has_its_share() -> None:
    degraded, clean = batches(0)
    cut = list(in_parts(degraded, clean, 2))
    assert [share for *_, share in cut] == [0.4, 0.4, 0.2]
    assert torch.equal(torch.cat([image for image, *_ in cut]), degraded)
    assert torch.equal(torch.cat([target for _, target, _ in cut]), clean)


@pytest.mark.parametrize("micro", [0, 5, 6])
def test_a_batch_that_fits_passes_whole(micro: int) -> None:
    degraded, clean = batches(0)
    ((image, target, share),) = in_parts(degraded, clean, micro)
    assert image is degraded and target is clean and share == 1


@pytest.mark.parametrize("micro", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "loss", [(("l1", 1.0),), (("charbonnier", 1.0), ("fft_l1", 0.1)), (("psnr", 0.5),)]
)
def test_the_parts_add_up_to_the_gradients_of_the_batch(
    loss: tuple[tuple[str, float], ...], micro: int
) -> None:
    settings = replace(ONE, loss=loss)
    whole, parts = (gradients(Net, settings, size) for size in (0, micro))
    assert (parts - whole).norm() < 1e-5 * whole.norm()


def test_no_more_images_than_asked_for_pass_at_a_time_and_losses_are_those_of_the_batch() -> None:
    settings, model, other = replace(ONE, steps=4, clip=1.0), Net(), Net()
    parts, whole = trained(model, settings, 2), trained(other, settings)
    assert model.sizes == [2, 2, 1] * 4 and other.sizes == [5] * 4
    losses_ = [[point.value for point in result.curve] for result in (parts, whole)]
    assert losses_[0] == pytest.approx(losses_[1], rel=1e-5)


def test_batch_statistics_are_of_the_parts_and_that_is_said() -> None:
    def normed() -> nn.Module:
        return Net(nn.BatchNorm2d(4))

    whole, parts = (gradients(normed, ONE, size) for size in (0, 1))
    assert (parts - whole).norm() > 0.01 * whole.norm()
    assert batch_bound(normed(), ONE, CROP) == ("BatchNorm2d",)


@pytest.mark.parametrize(
    ("between", "said"),
    [
        (nn.GELU(), ()),
        (nn.GroupNorm(2, 4), ()),
        (nn.InstanceNorm2d(4), ()),
        (nn.Dropout(0.5), ()),
        (nn.InstanceNorm2d(4, track_running_stats=True), ("InstanceNorm2d",)),
        (nn.SyncBatchNorm(4), ("SyncBatchNorm",)),
        (nn.Sequential(nn.BatchNorm2d(4), nn.BatchNorm2d(4)), ("BatchNorm2d",)),
    ],
)
def test_what_sees_a_whole_batch_is_named_once(between: nn.Module, said: tuple[str, ...]) -> None:
    assert batch_bound(Net(between).eval(), ONE, CROP) == said


def test_losses_of_the_blocks_own_are_of_a_whole_batch() -> None:
    assert batch_bound(Own(), ONE, CROP) == ("losses of the blocks' own",)


def test_a_loss_that_is_no_mean_over_images_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def worst(restored: Tensor, target: Tensor) -> Tensor:
        return (restored - target).abs().max()

    monkeypatch.setitem(losses._entries, "worst", Entry("worst", worst, {}))
    settings = replace(ONE, loss=(("l1", 1.0), ("worst", 0.1)))
    assert batch_bound(Net(), settings, CROP) == ("loss worst",)


def test_every_loss_of_ours_is_a_mean_over_images() -> None:
    names = ("l1", "charbonnier", "psnr", "fft_l1")
    settings = replace(ONE, loss=tuple((name, 1.0) for name in names))
    assert batch_bound(Net(), settings, CROP) == ()


def test_to_look_changes_nothing() -> None:
    model = Net(nn.Sequential(nn.BatchNorm2d(4), nn.Dropout(0.5))).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(3)
    batch_bound(model, ONE, CROP)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))
    assert model.training and model.layers[1].training
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
