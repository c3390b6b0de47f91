"""What a network costs, in lines and rows for people."""

from __future__ import annotations

from ablate.costs import BESIDE
from ablate.pricing import Price, Shape, Timing
from ablate.profiling.conventions import OURS, find

Row = tuple[str, ...]


def heading(found: Price) -> list[str]:
    """What was profiled and on which image, what the network made of its size."""
    lines = [f"{found.name}: one image of {_shape(found.shape)}"]
    if found.output != found.shape:
        lines[0] += f", enlarged to {_shape(found.output)}"
    height, width = found.shape[1:]
    if found.padding.whole != (height, width):
        lines.append(f"{height}x{width}, padded to {_size(found.padding.whole)} inside")
    pairs = [f"{_size(small)} to {_size(large)}" for small, large in found.padding.inside]
    if pairs:
        lines.append(f"blocks pad further: {', '.join(pairs)}")
    return lines


def table(found: Price) -> tuple[Row, list[Row]]:
    """Headings and rows: parameters, multiply-adds in all and by class; a column a counter."""
    ours, theirs = found.count, found.charged
    both = theirs.convention != OURS
    headings: Row = ("", OURS, theirs.convention) if both else ("", OURS)
    classes = dict.fromkeys([*ours.by_class, *theirs.by_class])
    rows: list[Row] = [
        ("parameters", f"{found.params:,}", f"{theirs.params:,}"),
        ("GMACs", _giga(ours.total), _giga(theirs.macs)),
        *(
            (f"  {kind}", _giga(ours.by_class.get(kind)), _giga(theirs.by_class.get(kind)))
            for kind in classes
        ),
    ]
    if ours.routed:
        rows.append(("  cheapest experts", _giga(ours.range[0]), _giga(theirs.range[0])))
        rows.append(("  dearest experts", _giga(ours.range[1]), _giga(theirs.range[1])))
    return headings, rows if both else [row[:2] for row in rows]


def remarks(found: Price) -> list[str]:
    """What stands beside the multiply-adds, what nobody counted, memory."""
    beside = {name: getattr(found.count, name) for name in BESIDE}
    parts = [f"{name} {_giga(amount)}" for name, amount in beside.items() if amount]
    lines = [f"beside them, in giga-operations: {', '.join(parts) or 'nothing'}"]
    if found.count.scan_strict:
        strict = _giga(found.count.scan_strict)
        lines.append(f"the scans as plain recurrences: {strict} GMACs (3.5 B L D N)")
    lines.append(f"not counted: {', '.join(found.count.uncounted) or 'nothing'}")
    if found.charged.convention != OURS:
        lines += _convention(found)
    peak = found.peak_memory / 2**20
    lines.append(f"memory of one call: {peak:,.0f} MiB ({found.memory_protocol})")
    return lines


def timing_lines(timing: Timing) -> list[str]:
    """Latency with its interval, beside the reference network."""
    network, reference = timing.network, timing.reference
    low, high = (_milli(value) for value in (network.low, network.high))
    lines = [
        f"latency: {_milli(network.seconds)} ms, 95 % interval {low} to {high} ms, on "
        f"{timing.device} (scan back end {timing.backend}); {network.relative:.2f} times the "
        f"reference network's {_milli(reference.seconds)} ms",
        f"measured as {timing.protocol}",
    ]
    return [*lines, network.note] if network.note else lines


def _convention(found: Price) -> list[str]:
    name, unseen = found.charged.convention, found.charged.uncounted
    lines = [f"{name}: {find(name).text}"]
    if unseen:
        lines.append(f"{name} does not see: {', '.join(unseen)}")
    return lines


def _giga(amount: int | None) -> str:
    return "-" if amount is None else f"{amount / 1e9:,.3f}"


def _milli(seconds: float) -> str:
    return f"{1e3 * seconds:,.4g}"


def _shape(shape: Shape) -> str:
    return "x".join(str(side) for side in shape)


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
