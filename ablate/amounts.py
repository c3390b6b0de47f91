"""Amounts with their unit, as studies write them and as people read them: 1.5 G, 5 ms, 300 MiB."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

_DECIMAL = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_BYTES = {
    "B": 1.0,
    **{f"{prefix}B": factor for prefix, factor in _DECIMAL.items() if prefix},
    **{f"{prefix}iB": 2.0 ** (10 * power) for power, prefix in enumerate("KMGT", 1)},
}
UNITS: Mapping[str, Mapping[str, float]] = {
    "latency": {"s": 1.0, "ms": 1e-3, "us": 1e-6},
    "macs": _DECIMAL,
    "params": _DECIMAL,
    "peak_memory": _BYTES,
}
_FORM = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([a-zA-Z]*)")


def factor_of(unit: str, quantity: str) -> float | None:
    """What a unit stands for, in the quantity's own; None where it has none such. K is k."""
    units = UNITS[quantity]
    spellings = (unit, unit.replace("K", "k", 1), unit.replace("k", "K", 1))
    return next((units[name] for name in spellings if name in units), None)


def split_amount(text: str) -> tuple[float, str] | None:
    """The number and the unit of "1.5 G"; None where there is no number with at most a unit."""
    found = _FORM.fullmatch(text.strip())
    return (float(found[1]), found[2]) if found else None


def read_amount(text: str, quantity: str) -> float | None:
    """How much "1.5 G", "300 k" or "5 ms" is; None where it is no amount of that quantity."""
    found = split_amount(text)
    factor = factor_of(found[1], quantity) if found else None
    if found is None or factor is None:
        return None
    value = found[0] * factor
    return value if 0 < value < math.inf else None


def amount(quantity: str, value: float, digits: int = 3) -> str:
    """A value with the unit that suits it, such as "7.1 ms"; bytes by powers of two."""
    units = UNITS[quantity]
    if quantity == "peak_memory":
        units = {unit: factor for unit, factor in units.items() if unit.endswith("iB")}
    fitting = [(factor, unit) for unit, factor in units.items() if value >= factor]
    factor, unit = max(fitting, default=min((f, u) for u, f in units.items()))
    return f"{value / factor:.{digits}g} {unit}".strip()
