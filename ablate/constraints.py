"""What a study demands of its mixes before they are trained: `latency <= 5 ms`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from blocks import nearest

Size = tuple[int, int]
Sign = Literal["<=", ">="]

_DECIMAL = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
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
SIZELESS = ("params",)

_FORM = re.compile(r"(\w+)(?:@(\d+)x(\d+))? *(<=|>=) *([-+.\de]*\d\.?) *([A-Za-z]*)")
_EXAMPLE = "write it as 'latency <= 5 ms', 'params <= 2 M' or 'macs@256x256 <= 10 G'"


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """A bound on something that every mix has.

    Args:
        quantity: latency (s), params, macs or peak_memory (bytes).
        sign: Whether the bound is the most or the least.
        bound: In the quantity's own unit.
        size: Height and width of the image; None for the first that is profiled.
        text: As it was written.
    """

    quantity: str
    sign: Sign
    bound: float
    size: Size | None
    text: str

    def met(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which values keep within the bound; one that is not known (NaN) does not."""
        kept: NDArray[np.bool_] = (
            values <= self.bound if self.sign == "<=" else values >= self.bound
        )
        return kept


def read_constraint(text: str) -> Constraint:
    """A constraint as a study writes it.

    Raises:
        ValueError: It is not one; the message says what is wrong and how it is written.
    """
    found = _FORM.fullmatch(text.strip())
    if not found:
        raise ValueError(f"'{text}' is no constraint; {_EXAMPLE}")
    quantity, height, width, sign, number, unit = found.groups()
    if quantity not in UNITS:
        known = ", ".join(UNITS)
        hint = nearest(quantity, UNITS)
        raise ValueError(f"no mix has '{quantity}' before training{hint} (there are: {known})")
    units = UNITS[quantity]
    factor = units.get(unit, units.get(unit.replace("k", "K", 1)))
    if factor is None:
        listed = ", ".join(name or "none" for name in units)
        raise ValueError(f"{quantity} has no unit '{unit}' (units: {listed}); got '{text}'")
    if height and quantity in SIZELESS:
        raise ValueError(f"{quantity} is the same at every size; leave out @{height}x{width}")
    return Constraint(
        quantity=quantity,
        sign="<=" if sign == "<=" else ">=",
        bound=_number(number, text) * factor,
        size=(int(height), int(width)) if height else None,
        text=" ".join(text.split()),
    )


def _number(text: str, whole: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(f"'{text}' is no number in '{whole}'; {_EXAMPLE}") from error
    if not 0 < value < math.inf:
        raise ValueError(f"the bound of '{whole}' must be above 0 and finite")
    return value


def amount(quantity: str, value: float) -> str:
    """A value with the unit that suits it, such as "7.1 ms"."""
    units = {unit: factor for unit, factor in UNITS[quantity].items() if not unit.endswith("iB")}
    if quantity == "peak_memory":
        units = {unit: factor for unit, factor in _BYTES.items() if unit.endswith("iB")}
    fitting = [(factor, unit) for unit, factor in units.items() if value >= factor]
    factor, unit = max(fitting, default=min((f, u) for u, f in units.items()))
    return f"{value / factor:.3g} {unit}".strip()
