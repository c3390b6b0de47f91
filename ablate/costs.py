"""What mixes cost: counted and forecast before training, timed side by side after it."""

from __future__ import annotations

import torch
from torch import nn

from ablate.latency_rows import latency_metrics, latency_rows, mode_name
from ablate.memory_rows import memory_metrics, memory_rows
from ablate.mix import Mix, Profile
from ablate.network import build
from ablate.profiling.flops import MAC_CLASSES, count_macs, count_parameters
from reports.record import Measurement, Metric, Note

__all__ = ["cost_metrics", "count_mix", "latency_metrics", "latency_rows", "mode_name"]

MACS_PROTOCOL = (
    "multiply-adds of convolution, linear, matmul and einsum for one image, plus the selective "
    "scan as 9 B L D N + B D L; padding that the network does is counted; where experts are "
    "routed, the mean over all of them"
)
BESIDE = {  # work that is not multiply-adds, in columns of its own
    "elementwise": "activations, additions, interpolation, one per element",
    "reduction": "sums, means, maxima, pooling, one per element read",
    "softmax": "softmaxes, 5 per element",
    "norm": "normalisation operators, 5 per element",
    "fft": "Fourier transforms, 5 N log2 N",
}


def cost_metrics(profile: Profile, device: str) -> tuple[Metric, ...]:
    """What costs mean, and how they are found on a device."""
    return (
        Metric("params", "", "lower", "numbers in all parameters"),
        Metric("macs", "MAC", "lower", MACS_PROTOCOL),
        *(
            Metric(f"macs_{kind}", "MAC", "none", f"share of {kind} in macs")
            for kind in MAC_CLASSES
        ),
        Metric("macs_most", "MAC", "lower", "macs of an image that is given the dearest experts"),
        Metric("macs_least", "MAC", "none", "macs of an image that is given the cheapest experts"),
        Metric("scan_strict", "MAC", "none", "the scans as plain recurrences, 3.5 B L D N"),
        *(Metric(name, "OP", "none", f"{words}; not in macs") for name, words in BESIDE.items()),
        *memory_metrics(device),
        *latency_metrics(profile, device),
    )


def count_mix(mix: Mix, profile: Profile, device: str) -> tuple[list[Measurement], list[Note]]:
    """Parameters, multiply-adds and memory of a mix; on a CPU nothing is computed for it.

    What cannot be counted is absent, with a note that says why.
    """
    with torch.device("meta" if device == "cpu" else device):
        model = build(mix.network)
    rows = [Measurement(mix.key, "params", count_parameters(model))]
    notes: list[Note] = []
    for part in (_macs, memory_rows):
        try:
            found, remarks = part(mix, model, profile, device)
        except Exception as error:  # a block from outside can raise anything; its trial will tell
            reason = str(error).partition("\n")[0] or type(error).__name__
            notes.append(Note(mix.key, "uncounted", reason))
        else:
            rows += found
            notes += remarks
    return rows, notes


def _macs(
    mix: Mix, model: nn.Module, profile: Profile, device: str
) -> tuple[list[Measurement], list[Note]]:
    rows, notes = list[Measurement](), list[Note]()
    for size in profile.size:
        count = count_macs(model, size)
        mode = f"{size[0]}x{size[1]}"
        numbers = {"macs": count.total, "scan_strict": count.scan_strict}
        numbers |= {f"macs_{name}": value for name, value in count.by_class.items()}
        numbers |= {name: getattr(count, name) for name in BESIDE}
        if count.routed:
            numbers |= dict(zip(("macs_least", "macs_most"), count.range, strict=True))
        rows += [Measurement(mix.key, name, value, mode=mode) for name, value in numbers.items()]
        notes += [Note(mix.key, "uncounted", name) for name in count.uncounted]
    return rows, notes
