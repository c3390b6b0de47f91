"""What a network is trained to make small; a loss is one function of two batches of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ablate.mix import Training
from blocks import Registry

Outputs = Mapping[str, Tensor | list[Tensor]]

losses: Registry[Callable[[Tensor, Tensor], Tensor]] = Registry("loss")


@losses.register(source="mean absolute error")
def l1(restored: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference."""
    return (restored - target).abs().mean()


@losses.register(source="Charbonnier et al. 1994; Lai et al. 2017, arXiv:1704.03915")
def charbonnier(restored: Tensor, target: Tensor) -> Tensor:
    """Mean of sqrt(d^2 + 0.001^2): the absolute difference, smooth at zero."""
    return ((restored - target).square() + 1e-3**2).sqrt().mean()


@losses.register(source="Chen et al. 2022, arXiv:2204.04676")
def psnr(restored: Tensor, target: Tensor) -> Tensor:
    """PSNR with its sign turned: 10 log10(mean squared error + 1e-8), mean over images."""
    error = (restored - target).square().mean(dim=(1, 2, 3))  # (B,)
    return 10 * torch.log10(error + 1e-8).mean()


@losses.register(source="Cho et al. 2021, arXiv:2108.05054, eq. 5")
def fft_l1(restored: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the spectra, over their real and imaginary parts.

    The transform is not normalised, as in the paper: a weight of 0.1 is usual beside l1.
    """
    spectrum = torch.fft.fft2(restored - target)  # linear: one transform instead of two
    return torch.view_as_real(spectrum).abs().mean()


def total_loss(outputs: Outputs, clean: Tensor, training: Training) -> Tensor:
    """The weighted sum of the losses, over all scales and with the blocks' own where there are.

    Args:
        outputs: `image` (B, 3, H, W); or `scales`, restored images from full resolution
            downwards, each half as large as the one before. One scale is weighted 1.
            `auxiliary`, scalars, counts with its mean.
        clean: (B, 3, H, W). Smaller targets take every second pixel, as the smaller inputs do.
        training: Gives `loss`, `scale_weights` and `auxiliary`.

    Raises:
        ValueError: More scales than weights, or a scale of another shape than its target.
    """
    scales = outputs.get("scales", outputs["image"])
    restored = [scales] if isinstance(scales, Tensor) else list(scales)
    targets = scaled_targets(clean, len(restored))
    weights = training.scale_weights if len(restored) > 1 else (1.0,)
    if len(restored) > len(weights):
        raise ValueError(
            f"the network has {len(restored)} supervised outputs, but scale_weights has "
            f"{len(weights)} numbers; expected one each"
        )
    parts = [
        weight * _weighted(image, target, training)
        for weight, image, target in zip(weights, restored, targets, strict=False)
    ]
    if own := outputs.get("auxiliary"):
        parts.append(training.auxiliary * torch.stack(list(own)).float().mean())
    return torch.stack(parts).sum()


def scaled_targets(clean: Tensor, count: int) -> list[Tensor]:
    """`count` images, each the nearest-neighbour half of the one before, sides rounded up."""
    return [clean[..., :: 2**level, :: 2**level] for level in range(count)]


def _weighted(restored: Tensor, target: Tensor, training: Training) -> Tensor:
    if restored.shape != target.shape:
        raise ValueError(
            f"a restored image of shape {tuple(restored.shape)} has a target of shape "
            f"{tuple(target.shape)}; expected equal shapes"
        )
    restored = restored.float()  # autocast ends here
    return torch.stack(
        [weight * losses[name].make(restored, target) for name, weight in training.loss]
    ).sum()
