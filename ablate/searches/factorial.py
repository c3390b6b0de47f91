"""Screening: few mixes, every axis at two alternatives, balanced against all other axes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np

from ablate.searches.aliasing import alias_words
from ablate.searches.drawing import unseen
from ablate.searches.hadamard import ORDERS, Signs, hadamard
from ablate.searches.space import Point, Seen, Space, strategies

Resolution = Literal[3, 4]


def _check(study: Space, *, n: int, resolution: Resolution) -> None:
    """That all axes have two alternatives, and that so many runs are a design for them.

    Raises:
        ValueError: They have more, or they are not.
    """
    larger = [axis for axis in study.axes if len(axis.labels) > 2]
    if larger:
        listed = ", ".join(f"{axis.name} has {len(axis.labels)}" for axis in larger)
        raise ValueError(
            f"factorial compares two alternatives of each axis, but {listed}; leave two of them, "
            "or use d_optimal"
        )
    offered = [order * (resolution - 2) for order in ORDERS]
    fitting = [order for order in offered if _room(order, resolution) >= len(study.axes)]
    if not fitting:
        most = _room(offered[-1], resolution)
        raise ValueError(
            f"factorial has room for {most} axes; got {len(study.axes)}; use d_optimal"
        )
    if n and n not in fitting:
        listed = ", ".join(str(order) for order in fitting)
        raise ValueError(f"n must be one of {listed}, or 0 for the fewest; got {n}")


def _words(study: Space, points: Sequence[Point], *, n: int, resolution: Resolution) -> list[str]:
    if not study.axes or not points:
        return []
    names = [axis.name for axis in study.axes]
    whole = len({tuple(row) for row in design(len(names), n, resolution).tolist()})
    missing = whole - len(points)
    lines = [f"factorial: each of {len(names)} axes at its two alternatives, balanced"]
    if missing:
        lines[0] += f", but {missing} of {whole} points are left out or are the same mix"
    return [*lines, *alias_words(names, 2 * np.asarray(points, dtype=np.float64) - 1)]


@strategies.register(check=_check, words=_words)
def factorial(
    study: Space, seen: Sequence[Seen], *, n: int = 0, resolution: Resolution = 3
) -> list[Point]:
    """A two-level screening design: fractional factorial or Plackett-Burman.

    The first mix has the first alternative of every axis. `ablate plan` says which effects cannot
    be told apart.

    Args:
        study: What may be proposed; every axis has two alternatives.
        seen: What was tried.
        n: How many mixes, a multiple of 4 (of 8 for resolution 4); 0 takes the fewest that will do.
        resolution: 3 leaves main effects mixed with two-way effects, 4 does not, for twice as many
            mixes.
    """
    _check(study, n=n, resolution=resolution)
    rows = design(len(study.axes), n, resolution)
    return unseen(study, seen, [tuple(int(x > 0) for x in row) for row in rows])


def design(factors: int, n: int = 0, resolution: Resolution = 3) -> Signs:
    """The runs of a design; the first is all -1.

    Args:
        factors: How many there are.
        n: How many runs; 0 for the fewest that have room.
        resolution: 3 or 4.

    Returns:
        (runs, factors) of -1 and +1; all combinations where there are no more than n.
    """
    orders = [order * (resolution - 2) for order in ORDERS]
    runs = n or next(order for order in orders if _room(order, resolution) >= factors)
    if 2**factors <= runs:
        return np.array(list(itertools.product((-1, 1), repeat=factors)), dtype=np.int8)
    if runs & (runs - 1) == 0:
        return -hadamard(runs)[:, _regular_columns(runs, factors)]
    if resolution == 3:
        return -hadamard(runs)[:, 1 : factors + 1]
    half = hadamard(runs // 2)[:, :factors]  # folded over: Box and Wilson 1951
    return np.concatenate([-half, half])


def _room(runs: int, resolution: Resolution) -> int:
    """How many factors a design has room for."""
    return runs - 1 if resolution == 3 else runs // 2


def _regular_columns(runs: int, factors: int) -> list[int]:
    """Columns of Sylvester's matrix, such that few factors are mixed with few others.

    The bits of a column's number say of which basic factors it is the product. With one factor
    more than basic ones, it is the product of all; with more, products of odd numbers of factors
    come first: they leave main effects free of two-way effects as long as there are enough.
    """
    basic = [1 << bit for bit in range(runs.bit_length() - 1)]
    if factors == len(basic) + 1:
        return [*basic, runs - 1]
    others = [column for column in range(1, runs) if column not in basic]
    others.sort(key=lambda column: (column.bit_count() % 2 == 0, -column.bit_count(), column))
    return [*basic, *others][:factors]
