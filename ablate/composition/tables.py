"""A quantity of every mix of a study at once: numbers of parts, looked up and put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ablate.composition.skeletons import Fillings, Skeleton
from ablate.searches import Point
from ablate.study import Study

Array = NDArray[np.float64]
Positions = NDArray[np.intp]  # (points, axes)
Together = Literal["sum", "max"]

CHUNK = 1 << 16  # points that are priced at a time


@dataclass(frozen=True, kw_only=True)
class Table:
    """Numbers for one frame: one of its own, and one for each filling of each place.

    Args:
        own: What the frame has without its stages.
        slots: For each place, the axes that decide and a number for every combination of their
            positions; NaN where it is not known.
    """

    own: float
    slots: tuple[tuple[tuple[int, ...], Array], ...]

    def at(self, positions: Positions, together: Together) -> Array:
        """The numbers of points of this frame, (points,); NaN where one of them is not known."""
        values = np.full(len(positions), self.own)
        for axes, numbers in self.slots:
            found = numbers[tuple(positions[:, axis] for axis in axes)]
            values = values + found if together == "sum" else np.maximum(values, found)
        return values


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """Something that every mix has, as far as it follows from its parts.

    Args:
        tables: For every frame of the study, in the order of its points.
        together: Whether parts add up, or the largest counts.
        plus: Another quantity that is added, such as the weights to the activations.
    """

    tables: tuple[Table, ...]
    together: Together = "sum"
    plus: Quantity | None = None

    def at(self, positions: Positions, frames: NDArray[np.intp]) -> Array:
        """The values of points, given which frame each of them has."""
        values = np.empty(len(positions))
        for frame in np.unique(frames):
            rows = np.flatnonzero(frames == frame)
            values[rows] = self.tables[frame].at(positions[rows], self.together)
        return values + self.plus.at(positions, frames) if self.plus else values


def table(
    study: Study,
    skeleton: Skeleton,
    own: float,
    number: Callable[[str, int, Fillings], float],
) -> Table:
    """The numbers of one frame.

    Args:
        study: Whose axes they are.
        skeleton: The frame.
        own: What it has without its stages.
        number: Of a place, for an option of its fillings.
    """
    slots = []
    for slot, fillings in skeleton.slots.items():
        shape = tuple(len(study.axes[axis].labels) for axis in fillings.axes)
        values = [number(slot, option, fillings) for option in range(len(fillings.options))]
        slots.append((fillings.axes, np.asarray(values, dtype=np.float64).reshape(shape)))
    return Table(own=own, slots=tuple(slots))


@dataclass(frozen=True, kw_only=True)
class Priced:
    """Some points of a study, in its order, with what they cost.

    Args:
        start: Which of all points the first one is.
        values: By quantity, (points,); NaN is outside the range of what was measured.
    """

    start: int
    values: Mapping[str, Array]


class Grid:
    """Every point of a study, priced in chunks: memory does not grow with their number.

    Args:
        study: What is asked.
        quantities: What is priced, by name.
    """

    def __init__(self, study: Study, quantities: Mapping[str, Quantity]) -> None:
        self._quantities = dict(quantities)
        self._shape = tuple(len(axis.labels) for axis in study.axes)
        self._frame_axes = study.frame_axes
        self._size = study.size

    def prices(self, chunk: int = CHUNK) -> Iterator[Priced]:
        """All points, the last axis fastest, so many at a time."""
        for start in range(0, self._size, chunk):
            indices = np.arange(start, min(start + chunk, self._size))
            found = np.unravel_index(indices, self._shape) if self._shape else ()
            positions = np.stack(found, axis=1) if found else np.zeros((1, 0), dtype=np.intp)
            yield Priced(start=start, values=self._at(positions))

    def at(self, points: Sequence[Point]) -> dict[str, Array]:
        """What these points cost, by quantity; NaN is outside the range."""
        positions = np.asarray(points, dtype=np.intp).reshape(len(points), len(self._shape))
        return self._at(positions)

    def _at(self, positions: Positions) -> dict[str, Array]:
        frames = np.zeros(len(positions), dtype=np.intp)
        for axis in self._frame_axes:
            frames = frames * self._shape[axis] + positions[:, axis]
        return {name: one.at(positions, frames) for name, one in self._quantities.items()}
