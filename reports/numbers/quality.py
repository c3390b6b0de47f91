"""What mixes are compared by: a raw score only where all of them restored the same input."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from reports.record import Metric

TOLERANCE = 1e-3  # dB between inputs that count as one
GAINS = {
    "psnr": Metric("gain", "dB", "higher", "PSNR minus the PSNR of the degraded input"),
    "ssim": Metric("ssim_gain", "", "higher", "SSIM minus the SSIM of the degraded input"),
}


def several_tasks(per_seed: Mapping[str, pd.DataFrame]) -> bool:
    """Whether mixes restored different inputs (the task is a question).

    Args:
        per_seed: Metric -> rows mixes, columns seeds.
    """
    if "input_psnr" not in per_seed:
        return False
    inputs = per_seed["input_psnr"]
    return bool((inputs.max() - inputs.min() > TOLERANCE).any())


def comparable(metric: str, per_seed: Mapping[str, pd.DataFrame]) -> str:
    """The metric itself; its gain over the degraded input where mixes have different ones.

    Everything that ranks mixes goes through here: answer, front, effects, scatter and table.
    """
    gain = GAINS[metric].name if metric in GAINS else metric
    return gain if gain in per_seed and several_tasks(per_seed) else metric


def with_gains(per_seed: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The gain of PSNR beside the rest, and that of SSIM where mixes are compared by gain."""
    found = dict(per_seed)
    for name in ("psnr", "ssim") if several_tasks(per_seed) else ("psnr",):
        if name in found and f"input_{name}" in found:
            found[GAINS[name].name] = found[name] - found[f"input_{name}"]
    return found
