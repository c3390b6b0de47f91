"""What each part of a network costs, in rows for people: by stage, by block or by module."""

from __future__ import annotations

from collections.abc import Mapping

from ablate.pricing.price import REST, Price
from ablate.pricing.words import Row, giga, mebi
from ablate.profiling.cost import Cost
from ablate.profiling.ledger import Ledger


def parts(found: Price, by: str = "", depth: int = 2) -> tuple[Row, list[Row]]:
    """Headings and rows: what each part of the network costs; no rows where it was not counted.

    Args:
        found: What was found.
        by: stage, block or module; none for stages, or modules where there are no stages.
        depth: Of modules within modules.
    """
    headings: Row = (
        "", "params", "GMACs", "of all", "GFLOPs", "MB", "FLOP/B", "MiB",
    )  # fmt: skip
    if not found.ledger:
        return headings, []
    by = by or default_way(found.ledger)
    costs = parts_of(found.ledger, by, depth)
    params = {"stage": found.params_by_stage, "module": found.params_by_module}.get(by, {})
    peaks = _peaks(found) if by == "stage" else {}
    total = found.ledger.total.macs
    rows = [_part(name, cost, by, params, peaks, total) for name, cost in costs.items()]
    kept = [at for at in range(len(headings)) if any(row[at] != "-" for row in rows)]
    return _columns(headings, kept), [_columns(row, kept) for row in rows]


def parts_of(ledger: Ledger, by: str, depth: int = 2) -> dict[str, Cost]:
    """The costs of a ledger by stage, by block or by module down to a depth."""
    if by == "module":
        return {
            path: cost
            for path, cost in ledger.by_module.items()
            if path and path.count(".") < depth and cost != Cost()
        }
    costs = ledger.by_stage if by == "stage" else ledger.by_block
    return {name: cost for name, cost in costs.items() if cost != Cost()}


def default_way(ledger: Ledger) -> str:
    """By stage, or by module where a network has no stages."""
    return "stage" if set(ledger.by_stage) - {REST} else "module"


def _part(
    name: str,
    cost: Cost,
    by: str,
    params: Mapping[str, int],
    peaks: Mapping[str, int],
    total: int,
) -> Row:
    indent = "  " * name.count(".") if by == "module" else ""
    return (
        indent + name,
        _short(params[name]) if name in params else "-",
        giga(cost.macs),
        f"{100 * cost.macs / total:.1f} %" if total else "-",
        giga(cost.flops),
        f"{cost.bytes_moved / 1e6:,.1f}",
        f"{cost.intensity:.3g}",
        mebi(peaks[name]) if name in peaks else "-",
    )


def _short(count: int) -> str:
    """51.6 k, 5.41 M: in a column among others there is no room for all digits."""
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1e3:.1f} k" if count < 1_000_000 else f"{count / 1e6:.2f} M"


def _peaks(found: Price) -> dict[str, int]:
    if not found.memory:
        return {}
    return {slot: stretch.worst for slot, stretch in found.memory.by_stage.items()}


def _columns(row: Row, kept: list[int]) -> Row:
    return tuple(row[at] for at in kept)
