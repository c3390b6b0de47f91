"""How close a restored image is to the clean one, under a protocol that is always said."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ablate.mix import Evaluation
from blocks import Registry

metrics: Registry[Callable[[Tensor, Tensor], float]] = Registry("metric")

CAP = 100.0  # dB; equal images have no finite PSNR
WINDOW = 11  # pixels, of SSIM
SIGMA = 1.5  # pixels, of SSIM's window


@metrics.register(unit="dB", better="higher", method="peak 1, capped at 100 dB")
def psnr(restored: Tensor, clean: Tensor) -> float:
    """Peak signal-to-noise ratio of two images in [0, 1]; at most 100 dB, also for equal images.

    restored, clean: (C, H, W) of one shape. The squared error is a mean over pixels and channels.
    """
    error = (restored.double() - clean.double()).square().mean().item()
    return CAP if error < 10 ** (-CAP / 10) else -10 * math.log10(error)


@metrics.register(
    unit="",
    better="higher",
    method="Wang et al. 2004, 11x11 Gaussian window of sigma 1.5, valid region, mean over channels",
)
def ssim(restored: Tensor, clean: Tensor) -> float:
    """Structural similarity (Wang et al. 2004), K1 = 0.01, K2 = 0.03, mean over channels.

    restored, clean: (C, H, W) of one shape, in [0, 1]. Only windows inside the image count;
    variances are those of the window, without the sample correction.

    Raises:
        ValueError: The image is smaller than the window.
    """
    if min(restored.shape[-2:]) < WINDOW:
        height, width = restored.shape[-2:]
        raise ValueError(f"ssim needs at least {WINDOW}x{WINDOW} pixels; got {height}x{width}")
    x, y = restored.double(), clean.double()
    mean_x, mean_y, xx, yy, xy = _blurred(torch.stack([x, y, x * x, y * y, x * y]))
    var_x, var_y, cov = xx - mean_x**2, yy - mean_y**2, xy - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * cov + c2) / (var_x + var_y + c2)
    return float((luminance * structure).mean().item())


def score(restored: Tensor, clean: Tensor, evaluation: Evaluation) -> dict[str, float]:
    """Every registered metric of one image, by name.

    Args:
        restored: (3, H, W); clamped to [0, 1] before anything else.
        clean: (3, H, W), in [0, 1].
        evaluation: The protocol: rounding, colour space, border.

    Raises:
        ValueError: Shapes differ, or too little is left inside the border.
    """
    if restored.shape != clean.shape:
        raise ValueError(
            f"a restored image of shape {tuple(restored.shape)} cannot be scored against a clean "
            f"one of shape {tuple(clean.shape)}; expected equal shapes"
        )
    restored = restored.clamp(0, 1)
    if evaluation.quantize:
        restored = (restored * 255).round() / 255
    prepared = [_prepared(image, evaluation) for image in (restored, clean)]
    return {name: metrics[name].make(*prepared) for name in metrics}


def protocol(evaluation: Evaluation, metric: str = "") -> str:
    """How numbers come about, in words, to be printed beside them.

    Args:
        evaluation: What was chosen.
        metric: Adds what is particular to this one.

    Raises:
        UnknownName: There is no such metric.
    """
    crops = f"{evaluation.crops} crops of {evaluation.crop}x{evaluation.crop}"
    words = [
        "Y of BT.601 (16 to 235)" if evaluation.color == "y" else "RGB",
        "output clamped to [0, 1]",
        "rounded to 8 bits" if evaluation.quantize else "not rounded",
        f"border of {evaluation.border} px cut off" if evaluation.border else "no border cut off",
        f"mean over {crops if evaluation.crop else 'whole images'}",
        *([str(metrics[metric].facts["method"])] if metric else []),
    ]
    return ", ".join(words)


def luma(image: Tensor) -> Tensor:
    """Y of BT.601 in studio range, as MATLAB's rgb2ycbcr without its rounding.

    image: (3, H, W) in [0, 1] -> (1, H, W) in [16 / 255, 235 / 255].
    """
    weights = image.new_tensor([65.481, 128.553, 24.966], dtype=torch.float64).view(3, 1, 1)
    return ((image.double() * weights).sum(0, keepdim=True) + 16) / 255


def _prepared(image: Tensor, evaluation: Evaluation) -> Tensor:
    if evaluation.color == "y":
        image = luma(image)
    border, (height, width) = evaluation.border, image.shape[-2:]
    if 2 * border >= min(height, width):
        raise ValueError(f"border of {border} px leaves nothing of an image of {height}x{width}")
    return image[..., border : height - border, border : width - border]


def _blurred(maps: Tensor) -> Tensor:
    """Mean under the Gaussian window around each pixel: (M, C, H, W) -> (M, C, H - 10, W - 10)."""
    offsets = torch.arange(WINDOW, dtype=maps.dtype, device=maps.device) - WINDOW // 2
    window = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    window = window / window.sum()
    images = maps.flatten(0, 1).unsqueeze(1)  # (M * C, 1, H, W)
    rows = F.conv2d(images, window.view(1, 1, WINDOW, 1))
    return F.conv2d(rows, window.view(1, 1, 1, WINDOW)).view(*maps.shape[:2], *_valid(maps))


def _valid(maps: Tensor) -> tuple[int, int]:
    return maps.shape[-2] - WINDOW + 1, maps.shape[-1] - WINDOW + 1
