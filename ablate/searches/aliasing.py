"""Which effects a two-level design cannot tell apart, computed from its runs and put into words."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

LINES = 12  # said of one design at most
NAMED = 6  # effects that one line names
TINY = 1e-6

Pair = tuple[int, int]


def aliases(runs: Matrix) -> dict[int, dict[Pair, float]]:
    """What each main effect is mixed with.

    The estimate of main effect i is its own value plus the sum of these parts of two-way effects:
    the alias matrix (X1' X1)^-1 X1' X2 of Box and Wilson (1951), X1 the mean and main effects, X2
    the products of two columns.

    Args:
        runs: (runs, factors) of -1 and +1.

    Returns:
        For each factor the pairs of factors and the part that is added, where it is not 0.
    """
    pairs = list(itertools.combinations(range(runs.shape[1]), 2))
    if not pairs:
        return {factor: {} for factor in range(runs.shape[1])}
    main = np.concatenate([np.ones((len(runs), 1)), runs], axis=1)
    mixed = np.linalg.pinv(main) @ _products(runs, pairs)
    return {
        factor: {
            pair: float(part)
            for pair, part in zip(pairs, mixed[factor + 1], strict=True)
            if abs(part) > TINY
        }
        for factor in range(runs.shape[1])
    }


def indistinct(runs: Matrix) -> list[tuple[Pair, ...]]:
    """Groups of two-way effects whose columns are the same but for the sign."""
    pairs = list(itertools.combinations(range(runs.shape[1]), 2))
    groups: dict[bytes, list[Pair]] = {}
    for pair in pairs:
        column = np.sign(runs[:, pair[0]] * runs[:, pair[1]])
        groups.setdefault((column * column[0]).astype(np.int8).tobytes(), []).append(pair)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def alias_words(names: Sequence[str], runs: Matrix) -> list[str]:
    """The aliasing of a design, line by line.

    Args:
        names: Of the factors.
        runs: (runs, factors) of -1 and +1.
    """
    main = np.concatenate([np.ones((len(runs), 1)), runs], axis=1)
    free = int(np.linalg.matrix_rank(main)) - 1
    lost = [] if free == len(names) else [_lost(free, len(names))]
    found = {factor: mixed for factor, mixed in aliases(runs).items() if mixed}
    if found:
        text = "main effects are mixed with two-way effects (high is the second alternative):"
        return [*lost, text, *_short([_mixed(names, *item) for item in found.items()])]
    clear = "main effects are free of two-way effects"
    groups = indistinct(runs)
    if not groups:
        return [*lost, f"{clear}, and two-way effects of each other"] if len(names) > 1 else lost
    lines = [" = ".join(_pair(names, pair) for pair in group) for group in groups]
    return [*lost, f"{clear}; these two-way effects cannot be told apart:", *_short(lines)]


def _lost(free: int, factors: int) -> str:
    return f"only {free} of {factors} main effects can be told apart: too many points are left out"


def _mixed(names: Sequence[str], factor: int, mixed: Mapping[Pair, float]) -> str:
    """One main effect: "stage1: + stage2*stage3, 1/3 of each of 45 others"."""
    whole = [
        f"{'+' if part > 0 else '-'} {_pair(names, pair)}"
        for pair, part in mixed.items()
        if abs(abs(part) - 1) < TINY
    ]
    parts = Counter(
        Fraction(abs(part)).limit_denominator(48)
        for part in mixed.values()
        if abs(abs(part) - 1) >= TINY
    )
    said = [", ".join(whole[:NAMED])] if whole else []
    said += [f"{len(whole) - NAMED} more"] if len(whole) > NAMED else []
    said += [
        f"{part} of {'each of ' if count > 1 else ''}{count} two-way effect{'s' * (count > 1)}"
        for part, count in sorted(parts.items(), reverse=True)
    ]
    return f"{names[factor]}: {', '.join(said)}"


def _pair(names: Sequence[str], pair: Pair) -> str:
    return f"{names[pair[0]]}*{names[pair[1]]}"


def _products(runs: Matrix, pairs: Sequence[Pair]) -> Matrix:
    return np.stack([runs[:, i] * runs[:, j] for i, j in pairs], axis=1)


def _short(lines: Sequence[str]) -> list[str]:
    shown = [f"  {line}" for line in lines[:LINES]]
    return shown + ([f"  and {len(lines) - LINES} more"] if len(lines) > LINES else [])
