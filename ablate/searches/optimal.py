"""D-optimal designs: the n mixes from which the effects of all axes are estimated best."""

from __future__ import annotations

import itertools
import random as chance
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ablate.searches.drawing import Fresh, counted, drawn, unseen
from ablate.searches.space import Point, Seen, Space, strategies

Matrix = NDArray[np.float64]

CANDIDATES = 2000  # points that a design is chosen from; of more, as many are drawn
STARTS = 4
RIDGE = 1e-6  # of a run's weight; keeps a design that cannot tell effects apart computable


def _check(study: Space, *, n: int, two_way: bool, seed: int) -> None:
    counted("n", n)
    needed = _columns(study, two_way)
    if study.size > n < needed:
        effects = "main and two-way effects" if two_way else "main effects"
        raise ValueError(
            f"n must be at least {needed}, the numbers behind the mean and all {effects}; got {n}"
        )


def _words(study: Space, points: Sequence[Point], *, n: int, two_way: bool, seed: int) -> list[str]:
    if not study.axes or not points:
        return []
    matrix = model_matrix(study, points, two_way)
    rank, columns = int(np.linalg.matrix_rank(matrix)), matrix.shape[1]
    effects = "main and two-way effects" if two_way else "main effects"
    if rank < columns:
        return [f"d_optimal: {len(points)} mixes tell {rank} of {columns} {effects} apart"]
    return [
        f"d_optimal: {len(points)} mixes for {columns} numbers ({effects} and the mean), "
        f"D-efficiency {100 * efficiency(matrix):.0f} % of a balanced design's"
    ]


@strategies.register(check=_check, words=_words)
def d_optimal(
    study: Space, seen: Sequence[Seen], *, n: int = 32, two_way: bool = False, seed: int = 0
) -> list[Point]:
    """The mixes that pin down the effects of all axes best, for a fixed number of them.

    Maximises the determinant of X' X over sets of n mixes by exchanging one mix at a time (Fedorov
    1972), from several random sets; the best is kept. No mix is chosen twice.

    Args:
        study: What may be proposed.
        seen: What was tried.
        n: How many mixes; all of them where there are fewer.
        two_way: Also pin down the effects of pairs of axes.
        seed: Fixes what is drawn.
    """
    _check(study, n=n, two_way=two_way, seed=seed)
    generator = chance.Random(seed)
    found = drawn(study, Fresh(study), generator)
    candidates = sorted(itertools.islice(found, max(CANDIDATES, n)))
    if len(candidates) <= n:
        return unseen(study, seen, candidates)
    matrix = model_matrix(study, candidates, two_way)
    best: tuple[float, list[int]] = (-np.inf, [])
    for _ in range(STARTS):
        chosen = exchange(matrix, generator.sample(range(len(candidates)), n))
        value = float(np.linalg.slogdet(_information(matrix[chosen]))[1])
        best = max(best, (round(value, 9), sorted(chosen)))
    return unseen(study, seen, [candidates[position] for position in best[1]])


def exchange(matrix: Matrix, start: Sequence[int]) -> list[int]:
    """Rows with as large a determinant of X' X as exchanging one at a time leads to.

    Replacing row x by y multiplies the determinant by (1 + d(y)) (1 - d(x)) + d(x, y)^2 with
    d(x, y) = x' (X' X)^-1 y (Fedorov 1972).

    Args:
        matrix: (candidates, columns) of the model.
        start: The rows to begin with, each once.
    """
    chosen = list(start)
    for _ in range(50 * len(chosen)):
        inverse = np.linalg.inv(_information(matrix[chosen]))
        reached = matrix @ inverse
        own = np.einsum("ij,ij->i", reached, matrix)
        between = reached[chosen] @ matrix.T  # (chosen, candidates)
        gain = (1 + own)[None, :] * (1 - own[chosen])[:, None] + between**2
        gain[:, chosen] = 0
        out, into = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[out, into] <= 1 + 1e-9:
            break
        chosen[out] = int(into)
    return chosen


def model_matrix(study: Space, points: Sequence[Point], two_way: bool) -> Matrix:
    """The mean, the effects of all axes, and on request of all pairs of them.

    An axis of k alternatives has k - 1 orthogonal contrasts of mean square 1, so that a balanced
    design has X' X = n I.

    Returns:
        (points, columns).
    """
    positions = np.asarray(points, dtype=np.intp).reshape(len(points), len(study.axes))
    effects = [
        _contrasts(len(axis.labels))[positions[:, number]] for number, axis in enumerate(study.axes)
    ]
    pairs = [
        (first[:, :, None] * second[:, None, :]).reshape(len(points), -1)
        for first, second in itertools.combinations(effects, 2)
        if two_way
    ]
    return np.concatenate([np.ones((len(points), 1)), *effects, *pairs], axis=1)


def efficiency(matrix: Matrix) -> float:
    """How near a design comes to a balanced one: |X' X|^(1/p) / n, 1 at best."""
    sign, log = np.linalg.slogdet(matrix.T @ matrix)
    return float(np.exp(log / matrix.shape[1])) / len(matrix) if sign > 0 else 0.0


def _contrasts(levels: int) -> Matrix:
    """Helmert's contrasts, (levels, levels - 1), columns orthogonal with mean square 1."""
    table = np.zeros((levels, levels - 1))
    for column in range(levels - 1):
        table[: column + 1, column] = -1.0
        table[column + 1, column] = column + 1.0
    scaled: Matrix = table / np.sqrt((table**2).mean(axis=0, keepdims=True))
    return scaled


def _columns(study: Space, two_way: bool) -> int:
    own = [len(axis.labels) - 1 for axis in study.axes]
    pairs = sum(a * b for a, b in itertools.combinations(own, 2)) if two_way else 0
    return 1 + sum(own) + pairs


def _information(rows: Matrix) -> Matrix:
    found: Matrix = rows.T @ rows + RIDGE * np.eye(rows.shape[1])
    return found
