"""What a network costs as plain data, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ablate.pricing.price import Price, TrainingPrice
from ablate.pricing.timing import Timing
from ablate.profiling.cost import COLUMNS, Cost
from ablate.profiling.device_memory import DeviceMemory
from ablate.profiling.ledger import Ledger
from ablate.profiling.memory import MemoryProfile
from ablate.profiling.nvml import Absent


def as_json(found: Price) -> dict[str, Any]:
    """A price as plain data: the convention's figures first, ours beside them.

    What could not be found is null, with its reason under "reasons".
    """
    charged, ledger = found.charged, found.ledger
    return {
        "name": found.name,
        "size": found.shape,
        "padded": found.padding.whole if found.padding else None,
        "padded_inside": found.padding.inside if found.padding else None,
        "output": found.output,
        "outputs": dict(found.outputs),
        "convention": charged.convention if charged else None,
        "params": charged.params if charged else found.params,
        "macs": charged.macs if charged else None,
        "macs_range": charged.range if charged else None,
        "macs_by_class": charged.by_class if charged else None,
        "uncounted": charged.uncounted if charged else None,
        "ablate": {"params": found.params, **(_ledger(ledger) if ledger else {})},
        "params_by_stage": dict(found.params_by_stage),
        "peak_memory": found.memory.peak if found.memory else None,
        "memory": _memory(found.memory) if found.memory else None,
        "device_memory": _on_device(found.measured) if found.measured else None,
        "time_of_uncounted": dict(found.shares),
        **timings_as_json(()),
        "reasons": dict(found.reasons),
    }


def timings_as_json(timings: Sequence[Timing]) -> dict[str, Any]:
    """Latency in the first mode that was asked for, and in each of them."""
    every = [_timing(timing) for timing in timings]
    return {"latency": every[0] if every else None, "latencies": every}


def training_as_json(found: TrainingPrice) -> dict[str, Any]:
    """What a training step costs as plain data."""
    costs = found.costs
    ways = {"forward": costs.forward.total, "backward": costs.backward.total} if costs else {}
    if costs:
        ways |= {"optimiser": costs.optimiser, "step": costs.step}
    return {
        "batch": found.batch,
        "size": found.shape,
        **{way: cost_as_json(cost) for way, cost in ways.items()},
        "uncounted": {**costs.forward.uncounted, **costs.backward.uncounted} if costs else None,
        "memory": _memory(found.memory) if found.memory else None,
        "reasons": dict(found.reasons),
    }


def cost_as_json(cost: Cost) -> dict[str, Any]:
    """One cost, with what follows from its numbers."""
    return {
        "macs": cost.macs,
        "macs_by_class": dict(cost.by_class),
        "scan_strict": cost.scan_strict,
        "flops": cost.flops,
        "bytes_moved": cost.bytes_moved,
        "intensity": cost.intensity,
        "activations": cost.activations,
        "beside": {name: getattr(cost, name) for name in COLUMNS},
    }


def _ledger(found: Ledger) -> dict[str, Any]:
    return {
        **cost_as_json(found.total),
        "macs_range": (found.least.macs, found.most.macs),
        "uncounted": found.uncounted,
        "by_stage": {name: cost_as_json(cost) for name, cost in found.by_stage.items()},
        "by_block": {name: cost_as_json(cost) for name, cost in found.by_block.items()},
        "by_module": {name: cost_as_json(cost) for name, cost in found.by_module.items()},
        "by_operator": {name: cost_as_json(cost) for name, cost in found.by_operator.items()},
    }


def _memory(found: MemoryProfile) -> dict[str, Any]:
    return {
        "peak": found.peak,
        "where": found.where,
        "by_kind": dict(found.by_kind),
        "by_stage": {slot: stretch.worst for slot, stretch in found.by_stage.items()},
    }


def _on_device(found: DeviceMemory) -> dict[str, Any]:
    process = found.process
    return {
        "allocated": found.allocated,
        "reserved": found.reserved,
        "process": process.reason if isinstance(process, Absent) else process,
        "flags": dict(found.flags),
    }


def _timing(timing: Timing) -> dict[str, Any]:
    return {
        **asdict(timing.network),
        "mode": timing.mode,
        "reference": asdict(timing.reference),
        "protocol": timing.protocol,
        "device": timing.device,
        "scan_backend": timing.backend,
        "first_call": timing.first.seconds if timing.first else None,
        "compile": timing.first.compile if timing.first else None,
        "conditions": dict(timing.conditions),
        "conditions_absent": dict(timing.absent),
        "disturbed_rounds": timing.disturbed,
    }
