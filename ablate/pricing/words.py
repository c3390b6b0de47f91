"""What a network costs, in lines and rows for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from ablate.pricing.price import Price, TrainingPrice
from ablate.pricing.profiled import Shape
from ablate.profiling.conventions import OURS, find
from ablate.profiling.cost import COLUMNS, Cost
from ablate.profiling.device_memory import DeviceMemory
from ablate.profiling.ledger import Ledger
from ablate.profiling.nvml import Absent
from ablate.profiling.training_ledger import TrainingLedger

Row = tuple[str, ...]

FLOPS = (
    "FLOPs: two for each multiply-add, one for any other operation; scans as plain recurrences "
    "(7 B L D N)"
)
MOVED = (
    "MB moved are a lower bound: each operator reads its inputs once and writes its outputs once; "
    "activations are what convolutions, products and scans put out; MiB: most that is alive while "
    "a part runs"
)


def heading(found: Price) -> list[str]:
    """What was profiled and on which image, what the network made of its size."""
    lines = [f"{found.name}: one image of {shape(found.shape)}{_returned(found)}"]
    if found.padding is None:
        return lines
    height, width = found.shape[1:]
    if found.padding.whole != (height, width):
        lines.append(f"{height}x{width}, padded to {shape(found.padding.whole)} inside")
    pairs = [f"{shape(small)} to {shape(large)}" for small, large in found.padding.inside]
    if pairs:
        lines.append(f"blocks pad further: {', '.join(pairs)}")
    return lines


def table(found: Price) -> tuple[Row, list[Row]]:
    """Headings and rows: parameters, multiply-adds in all and by class; a column a counter."""
    ours, theirs = found.ledger, found.charged
    both = theirs is not None and theirs.convention != OURS
    headings: Row = ("", OURS, theirs.convention) if theirs and both else ("", OURS)
    counted = ours.total.by_class if ours else {}
    charged = theirs.by_class if theirs else {}
    rows: list[Row] = [
        ("parameters", f"{found.params:,}", f"{theirs.params:,}" if theirs else "-"),
        ("GMACs", giga(ours.total.macs if ours else None), giga(theirs.macs if theirs else None)),
        *(
            (f"  {kind}", giga(counted.get(kind)), giga(charged.get(kind)))
            for kind in dict.fromkeys([*counted, *charged])
        ),
    ]
    if ours and ours.routed:
        ends = theirs.range if theirs else (None, None)
        rows.append(("  cheapest experts", giga(ours.least.macs), giga(ends[0])))
        rows.append(("  dearest experts", giga(ours.most.macs), giga(ends[1])))
    if ours:
        rows += [(name, text, "-") for name, text in _beside_macs(ours.total)]
    return headings, rows if both else [row[:2] for row in rows]


def remarks(found: Price) -> list[str]:
    """What stands beside the multiply-adds, what nobody counted, memory, what failed."""
    lines = _counted(found.ledger, found.shares) if found.ledger else []
    if found.charged and found.charged.convention != OURS:
        lines += _convention(found.charged.convention, found.charged.uncounted)
    if found.memory:
        peak, kinds = found.memory.peak, found.memory.by_kind
        of = ", ".join(f"{kind} {mebi(size)}" for kind, size in kinds.items() if size)
        lines.append(
            f"memory of one call: {mebi(peak)} MiB (forecast from tensors without memory), at its "
            f"worst in {found.memory.worst.slot}: {of}"
        )
    if found.measured:
        lines.append(_on_device(found.measured))
    return [*lines, *missing(found.reasons)]


def _on_device(found: DeviceMemory) -> str:
    """Three numbers of who counts, each named."""
    process = found.process
    held = f"unknown ({process.reason})" if isinstance(process, Absent) else f"{mebi(process)} MiB"
    flags = ", ".join(f"{name} {setting}" for name, setting in found.flags.items())
    return (
        f"on the device: allocated {mebi(found.allocated)} MiB, reserved {mebi(found.reserved)} "
        f"MiB, held by the process {held}; {flags}"
    )


def training(found: TrainingPrice) -> tuple[str, tuple[Row, list[Row]], list[str]]:
    """What one training step costs: a line, a table of its parts, and remarks."""
    crops = f"{found.batch} image{'s' * (found.batch > 1)} of {shape(found.shape)}"
    headings: Row = ("", "GMACs", "GFLOPs", "MB moved")
    rows: list[Row] = []
    if costs := found.costs:
        ways = {
            "forward": costs.forward.total,
            "backward": costs.backward.total,
            "optimiser": costs.optimiser,
            "step": costs.step,
        }
        rows = [
            (name, giga(way.macs), giga(way.flops), f"{way.bytes_moved / 1e6:,.1f}")
            for name, way in ways.items()
        ]
    lines = []
    if found.memory:
        kinds = found.memory.by_kind
        of = ", ".join(f"{kind} {mebi(size)}" for kind, size in kinds.items() if size)
        lines.append(
            f"memory of a step: {mebi(found.memory.peak)} MiB (forecast), at its worst in "
            f"{found.memory.where}: {of}"
        )
    if found.costs and (unknown := _unknown(found.costs)):
        lines.append(f"not counted: {', '.join(unknown)}")
    return f"one training step of {crops}", (headings, rows), [*lines, *missing(found.reasons)]


def missing(reasons: Mapping[str, str]) -> list[str]:
    """What could not be found, and why; reasons that several share are said once."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        by_reason.setdefault(reason, []).append(name)
    return [f"not known: {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def giga(amount: int | None) -> str:
    """1.234 for 1,234,000,000, with three digits or more; a dash for what is not known."""
    if amount is None:
        return "-"
    leading = math.floor(math.log10(amount)) - 9 if amount else 0
    return f"{amount / 1e9:,.{min(max(3, 2 - leading), 6)}f}"


def mebi(size: float) -> str:
    """Bytes as MiB, three digits or all before the point."""
    amount = size / 2**20
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:.3g}"


def shape(sides: Shape | tuple[int, ...]) -> str:
    """3x256x256; one number has no sides."""
    return "x".join(str(side) for side in sides) or "one number"


def _returned(found: Price) -> str:
    """What comes out, where that is not an image as large as the one that went in."""
    if found.output == found.shape and len(found.outputs) == 1:
        return ""
    if len(found.outputs) > 1:
        named = [f"{place} {shape(size)}".strip() for place, size in found.outputs.items()]
        return f"; returns {', '.join(named)}"
    enlarges = found.output[:1] == found.shape[:1] and len(found.output) == 3
    larger = enlarges and found.output[1:] > found.shape[1:]
    return f"{', enlarged to' if larger else '; returns'} {shape(found.output)}"


def _beside_macs(cost: Cost) -> list[tuple[str, str]]:
    return [
        ("GFLOPs", giga(cost.flops)),
        ("MB moved, at least", f"{cost.bytes_moved / 1e6:,.1f}"),
        ("FLOPs per byte", f"{cost.intensity:.3g}"),
        ("million activations", f"{cost.activations / 1e6:,.3f}"),
    ]


def _counted(ledger: Ledger, shares: Mapping[str, float]) -> list[str]:
    beside = {name: int(getattr(ledger.total, name)) for name in COLUMNS}
    words = [f"{name} {giga(amount)}" for name, amount in beside.items() if amount]
    lines = [f"beside them, in giga-operations: {', '.join(words) or 'nothing'}"]
    if ledger.total.scan_strict:
        strict = giga(ledger.total.scan_strict)
        lines.append(f"the scans as plain recurrences: {strict} GMACs (3.5 B L D N)")
    lines += [FLOPS, MOVED]
    return [*lines, f"not counted: {', '.join(_uncounted(ledger, shares)) or 'nothing'}"]


def _uncounted(ledger: Ledger, shares: Mapping[str, float]) -> Iterator[str]:
    """Operators, where each was met, and how much of the time it takes."""
    for name, path in ledger.uncounted.items():
        part = f" ({100 * shares[name]:.1f} % of the time)" if name in shares else ""
        yield f"{name} in {path or 'the network'}{part}"


def _convention(name: str, unseen: tuple[str, ...]) -> list[str]:
    lines = [f"{name}: {find(name).text}"]
    return [*lines, f"{name} does not see: {', '.join(unseen)}"] if unseen else lines


def _unknown(found: TrainingLedger) -> list[str]:
    return list(dict.fromkeys([*found.forward.uncounted, *found.backward.uncounted]))
