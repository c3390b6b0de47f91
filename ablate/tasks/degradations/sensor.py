"""What a camera's sensor adds: Gaussian noise, and the dark and grain of a short exposure."""

from __future__ import annotations

import numpy as np

from ablate.tasks.degradations._knobs import draw, require
from ablate.tasks.degradations._register import Pixels, register


@register(source="Zhang et al. 2017, DnCNN, arXiv:1608.03981: y = x + v, v ~ N(0, sigma^2)")
def gaussian_noise(
    clean: Pixels, rng: np.random.Generator, *, sigma: float = 25.0, sigma_max: float = 0.0
) -> Pixels:
    """White Gaussian noise, independent in every pixel and channel; the sum is not clipped.

    Args:
        clean: (H, W, 3) in [0, 1].
        rng: The source of chance.
        sigma: Standard deviation, in levels of 255.
        sigma_max: Above 0, every image draws its own from sigma to this (blind denoising),
            in levels of 255.

    Raises:
        ValueError: A value is outside 0 to 255, or sigma_max is below sigma.
    """
    levels = draw(rng, "sigma", sigma, sigma_max, 255.0, "levels")
    noise = rng.standard_normal(clean.shape, dtype=np.float32)
    noise *= np.float32(levels / 255.0)
    noise += clean
    return noise


@register(
    source="Lv et al. 2021, IJCV 129, doi:10.1007/s11263-021-01466-8: darkened = gain x^gamma;"
    " Foi et al. 2008, doi:10.1109/TIP.2008.2001399: variance = signal / electrons + read^2"
)
def low_light(
    clean: Pixels,
    rng: np.random.Generator,
    *,
    gamma: float = 1.6,
    gain: float = 0.4,
    electrons: float = 500.0,
    read: float = 4.0,
) -> Pixels:
    """A short exposure: darker by a gamma curve and a gain, with shot and read noise.

    y = gain x^gamma; the noise is normal with variance y / electrons + (read / electrons)^2,
    the usual approximation of photon counts; the result is clipped to [0, 1], as a sensor does.

    Args:
        clean: (H, W, 3) in [0, 1].
        rng: The source of chance.
        gamma: Exponent of the tone curve; above 1 darkens the mid-tones.
        gain: Factor on the light; 1 leaves white white.
        electrons: Electrons that a white pixel collects; fewer are noisier.
        read: Standard deviation of the read noise, in electrons.

    Raises:
        ValueError: A value is outside its range.
    """
    require("gamma", gamma, 0.1, 10.0)
    require("gain", gain, 0.0, 1.0)
    require("electrons", electrons, 1.0, 1e6, "electrons")
    require("read", read, 0.0, 1e4, "electrons")
    dark: Pixels = np.float32(gain) * np.clip(clean, 0.0, 1.0) ** np.float32(gamma)
    spread = np.sqrt(dark / np.float32(electrons) + np.float32((read / electrons) ** 2))
    noisy: Pixels = dark + spread * rng.standard_normal(clean.shape, dtype=np.float32)
    return np.clip(noisy, 0.0, 1.0)
