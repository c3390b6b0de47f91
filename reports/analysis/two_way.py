"""What two axes do together, as columns of a regression beside the effects of all axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reports.analysis.design import Codes, Design, coding
from reports.analysis.errors import Spread, squares
from reports.analysis.estimates import ROUNDING, Values
from reports.analysis.regression import Sum
from reports.analysis.statistics import Numbers

ALIKE = 1.0 - 1e-8  # a correlation of effects that cannot be told apart
COMPARED = 2_000  # mixes up to which it is looked for

Names = tuple[str, str]


@dataclass(frozen=True)
class Block:
    """The columns of one interaction, less what the effects explain of them.

    Args:
        axes: Numbers of the two axes.
        model: The effects.
        terms_of_cells: (cells, terms), what the columns are in each cell of the two-way table.
        inverse: (terms, terms), of the columns' X'X.
        coefficients: (terms,) of the means.
    """

    axes: tuple[int, int]
    model: Sum
    terms_of_cells: Numbers
    inverse: Numbers
    coefficients: Numbers

    @property
    def columns(self) -> Numbers:
        """(mixes, terms)."""
        return self.model.left(self.terms_of_cells[self._cells])

    @property
    def explained(self) -> Numbers:
        """(mixes,) what the interaction explains: columns times coefficients."""
        return self.model.left((self.terms_of_cells @ self.coefficients)[self._cells])

    @property
    def _cells(self) -> Codes:
        return self.model.design.cells[self.axes]

    @property
    def terms(self) -> int:
        """(levels - 1) of one axis times that of the other."""
        return len(self.inverse)


@dataclass(frozen=True)
class Doubt:
    """What the coefficients of an interaction are off by.

    Args:
        chance: Variance of the value of a mix, by chance.
        extra: Variance of a mix by what no two-way table of these axes holds; 0 where every
            combination was tried, as it cancels there.
        degrees: Of both together.
    """

    chance: float
    extra: float
    degrees: float


def block_of(measured: Values, pair: tuple[int, int]) -> Block | None:
    """The interaction of two axes; None where some of it cannot be estimated.

    Source: Frisch & Waugh 1933: coefficients beside others are those of what the others leave over.
    """
    model = measured.model
    terms, sums = _terms(model.design, pair), measured.misfit.tables[pair]
    shared = sums @ terms  # with the columns of the effects; cells are fewer than mixes
    gram = (terms.T * sums[0]) @ terms - shared.T @ model.inverse @ shared
    if np.linalg.eigvalsh(gram)[0] < 1e-7 * max(1.0, float(np.trace(gram))):
        return None
    inverse = np.asarray(np.linalg.inv(gram), dtype=np.float64)
    rest = _summed(model.design, pair, model.left(measured.means))
    return Block(pair, model, terms, inverse, inverse @ (terms.T @ rest))


def chance_of(measured: Values, blocks: list[Block]) -> Spread | None:
    """What interactions vary by from seed to seed, pooled over all of them; None if unknown."""
    noise, values = measured.noise, measured.trials
    if noise is None or values.shape[1] < 2 or np.isnan(values).any() or not blocks:
        return noise.rest if noise else None
    model = measured.model
    shifts = model.left(values - values.mean(axis=1, keepdims=True))
    total, degrees = 0.0, 0
    for block in blocks:
        sums = [_summed(model.design, block.axes, column) for column in shifts.T]
        changes = block.inverse @ (block.terms_of_cells.T @ np.stack(sums, axis=1))
        total += squares(changes, block.inverse)
        degrees += block.terms * (values.shape[1] - 1)
    return Spread(total / degrees, degrees)


def doubt_of(measured: Values, block: Block, chance: Spread | None) -> Doubt:
    """How far the coefficients of an interaction may be off.

    Without repetition chance and misfit can't be told apart: what is left over stands for both.
    """
    model, means = measured.model, measured.means
    rest = model.left(means) - block.explained
    spare = float(max(model.spare - block.terms, 0))
    left = float((rest**2).sum()) / spare if spare else 0.0
    if measured.noise is None or chance is None:
        return Doubt(left, 0.0, spare)
    scale = float(measured.noise.scale.mean())
    least = (ROUNDING * float(np.abs(means).max(initial=0.0))) ** 2
    variance, by_chance = max(chance.variance * scale, least), measured.noise.rest.variance * scale
    extra = 0.0 if model.design.complete or not spare else max(0.0, left - by_chance)
    if not extra:
        return Doubt(variance, 0.0, chance.degrees)
    rests = measured.noise.rest.degrees
    parts = ((variance, chance.degrees), (left, spare), (by_chance, rests))
    known = sum(part**2 / of for part, of in parts if of)
    return Doubt(variance, extra, (variance + extra) ** 2 / known)


def least(design: Design, block: Block) -> Numbers:
    """(terms, terms), the inverse of X'X where every combination is there once."""
    sizes = [design.sizes[axis] for axis in block.axes]
    one, other = (np.linalg.inv(coding(size).T @ coding(size)) for size in sizes)
    inverse: Numbers = np.kron(one, other) / (design.combinations / math.prod(sizes))
    return inverse


def mixed(design: Design, blocks: list[Block]) -> dict[tuple[int, int], tuple[Names, ...]]:
    """By their axes, interactions that share a direction with others, and with which."""
    found: dict[tuple[int, int], tuple[Names, ...]] = {}
    if design.complete or design.mixes > COMPARED:
        return found
    bases = [np.linalg.qr(block.columns)[0] for block in blocks]
    for at, block in enumerate(blocks):
        others = [
            (design.axes[other.axes[0]], design.axes[other.axes[1]])
            for to, other in enumerate(blocks)
            if to != at and _alike(bases[at], bases[to])
        ]
        if others:
            found[block.axes] = tuple(others)
    return found


def _terms(design: Design, pair: tuple[int, int]) -> Numbers:
    """(cells, terms of both): every term of one axis times every term of the other."""
    one, other = (coding(design.sizes[axis]) for axis in pair)
    terms: Numbers = np.kron(one, other).astype(np.float64)
    return terms


def _summed(design: Design, pair: tuple[int, int], values: Numbers) -> Numbers:
    """(cells,): values of mixes added up in every cell of a two-way table."""
    number = design.sizes[pair[0]] * design.sizes[pair[1]]
    sums = np.bincount(design.cells[pair], values, minlength=number)
    return np.asarray(sums, dtype=np.float64)


def _alike(one: Numbers, other: Numbers) -> bool:
    """Whether some combination of one is some combination of the other (canonical correlation)."""
    return bool(np.linalg.svd(one.T @ other, compute_uv=False)[0] > ALIKE)
