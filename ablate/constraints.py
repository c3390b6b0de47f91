"""What a study demands of its mixes before they are trained: `latency <= 5 ms`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ablate.amounts import UNITS, factor_of, split_amount
from blocks import nearest

Size = tuple[int, int]
Sign = Literal["<=", ">="]

SIZELESS = ("params",)

_FORM = re.compile(r"(\w+)(?:@(\d+)x(\d+))? *(<=|>=)(.*)")
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
    quantity, height, width, sign, amount = found.groups()
    if quantity not in UNITS:
        known = ", ".join(UNITS)
        hint = nearest(quantity, UNITS)
        raise ValueError(f"no mix has '{quantity}' before training{hint} (there are: {known})")
    bound = _bound(amount.strip(), quantity, text)
    if height and quantity in SIZELESS:
        raise ValueError(f"{quantity} is the same at every size; leave out @{height}x{width}")
    return Constraint(
        quantity=quantity,
        sign="<=" if sign == "<=" else ">=",
        bound=bound,
        size=(int(height), int(width)) if height else None,
        text=" ".join(text.split()),
    )


def _bound(amount: str, quantity: str, text: str) -> float:
    """An amount in the quantity's own unit."""
    found = split_amount(amount)
    if found is None:
        raise ValueError(f"'{amount}' is no number with a unit in '{text}'; {_EXAMPLE}")
    number, unit = found
    factor = factor_of(unit, quantity)
    if factor is None:
        listed = ", ".join(name or "none" for name in UNITS[quantity])
        raise ValueError(f"{quantity} has no unit '{unit}' (units: {listed}); got '{text}'")
    if not 0 < number < math.inf:
        raise ValueError(f"the bound of '{text}' must be above 0 and finite")
    return number * factor
