"""What mixes cost: counted and forecast before training, timed side by side after it."""

from __future__ import annotations

import torch
from torch import nn

from ablate.costs.energy_rows import energy_metrics
from ablate.costs.latency_rows import latency_metrics
from ablate.costs.memory_rows import memory_metrics, memory_rows
from ablate.costs.placing import roofline_metrics
from ablate.mix import Mix
from ablate.network import build
from ablate.profile import Profile
from ablate.profiling.flops import MAC_CLASSES, count_parameters
from ablate.profiling.ledger import Cost, ledger
from ablate.profiling.rounds import one_line
from reports.record import Measurement, Metric, Note

MACS_PROTOCOL = (
    "multiply-adds of convolution, linear, matmul and einsum for one image, plus the selective "
    "scan as 9 B L D N + B D L; padding that the network does is counted; where experts are "
    "routed, the mean over all of them"
)
FLOPS_PROTOCOL = (
    "floating-point operations for one image: 2 for each multiply-add, with scans as plain "
    "recurrences (7 B L D N), and 1 for each operation of elementwise, reduction, softmax, norm "
    "and fft"
)
BYTES_PROTOCOL = (
    "a lower bound for one image in float32: each operator that is no view reads its inputs once "
    "and writes its outputs once"
)
ACTIVATIONS_PROTOCOL = "numbers that convolutions, products and scans put out for one image"
BY_STAGE = ("macs", "flops", "bytes_moved", "activations")  # also kept of every stage
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
        Metric("flops", "FLOP", "lower", FLOPS_PROTOCOL),
        Metric("bytes_moved", "byte", "lower", BYTES_PROTOCOL),
        Metric("activations", "", "lower", ACTIVATIONS_PROTOCOL),
        *memory_metrics(device),
        *latency_metrics(profile, device),
        *(energy_metrics(device) if profile.energy else ()),
        *(roofline_metrics() if profile.stages else ()),
    )


def count_mix(mix: Mix, profile: Profile, device: str) -> tuple[list[Measurement], list[Note]]:
    """Parameters, multiply-adds and memory of a mix; on a CPU nothing is computed for it.

    What cannot be counted is absent, with a note that says why.
    """
    with torch.device("meta" if device == "cpu" else device):
        model = build(mix.network)
    params = Measurement(mix.key, "params", count_parameters(model))
    try:
        rows, notes = _macs(mix, model, profile)
    except Exception as error:  # a block from outside can raise anything; its trial will tell
        rows, notes = [], [Note(mix.key, "uncounted", one_line(error))]
    memory, remarks = memory_rows(mix, model, profile, device)
    return [params, *rows, *memory], [*notes, *remarks]


def _macs(mix: Mix, model: nn.Module, profile: Profile) -> tuple[list[Measurement], list[Note]]:
    rows, notes = list[Measurement](), list[Note]()
    for size in profile.size:
        count = ledger(model, (1, 3, *size))
        mode = f"{size[0]}x{size[1]}"
        numbers = _numbers(count.total)
        if count.routed:
            numbers |= {"macs_least": count.least.macs, "macs_most": count.most.macs}
        rows += [Measurement(mix.key, name, value, mode=mode) for name, value in numbers.items()]
        for slot, cost in count.by_stage.items():
            subject = f"{mix.key}:{slot}"
            parts = {name: getattr(cost, name) for name in BY_STAGE}
            rows += [Measurement(subject, name, value, mode=mode) for name, value in parts.items()]
        notes += [
            Note(mix.key, "uncounted", f"{name} in {path}" if path else name)
            for name, path in count.uncounted.items()
        ]
    return rows, notes


def _numbers(cost: Cost) -> dict[str, int]:
    """All that is kept of what a network costs, by metric."""
    beside = ("scan_strict", "flops", "bytes_moved", "activations", *BESIDE)
    numbers = {"macs": cost.macs, **{f"macs_{kind}": n for kind, n in cost.by_class.items()}}
    return numbers | {name: int(getattr(cost, name)) for name in beside}
