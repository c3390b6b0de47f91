"""What the mixes of a study are composed of, without listing the mixes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from ablate.latency_model.parts import By, Frame, Part, frame_of, stage_parts
from ablate.mix import Choice, Network
from ablate.searches import Point
from ablate.study import Study

MOST_FRAMES = 64
MOST_STAGES = 96  # different stages that are measured one by one; of more, their blocks are


class CompositionError(ValueError):
    """Something that cannot be priced by its parts; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Fillings:
    """Everything that a study puts into one place of a frame.

    Args:
        axes: Numbers of the axes that decide which.
        options: What fills the place, for every combination of their positions; the last axis
            changes fastest.
    """

    axes: tuple[int, ...]
    options: tuple[tuple[Choice, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """One of the frames of a study, and what its places can hold.

    Args:
        frame: The frame.
        point: A point of the study that has it, the first on all other axes.
        base: The network at that point.
        slots: What each place can hold.
    """

    frame: Frame
    point: Point
    base: Network
    slots: dict[str, Fillings]

    def parts(self, by: By) -> Iterator[Part]:
        """Every part that a mix of this frame can have, each once."""
        found: dict[Part, None] = {}
        for slot, fillings in self.slots.items():
            for choices in fillings.options:
                found |= dict.fromkeys(stage_parts(self.frame, slot, choices, by))
        yield from found


def skeletons(study: Study) -> tuple[Skeleton, ...]:
    """The frames of a study, in the order of its points.

    Raises:
        CompositionError: There are too many, or a mix decides its frame by its blocks.
    """
    count = math.prod(len(study.axes[axis].labels) for axis in study.frame_axes)
    if count > MOST_FRAMES:
        names = ", ".join(study.axes[axis].name for axis in study.frame_axes)
        raise CompositionError(
            f"{study.name}: stages are joined in {count} ways ({names}), each of which must be "
            f"measured by itself; at most {MOST_FRAMES} are sensible, so vary less of them"
        )
    return tuple(_skeleton(study, point) for point in _varied(study, study.frame_axes))


def chosen_by(found: tuple[Skeleton, ...]) -> By:
    """Whole stages where there are few different ones, or else their blocks."""
    stages = sum(len(list(skeleton.parts("stage"))) for skeleton in found)
    return "stage" if stages <= MOST_STAGES else "block"


def _skeleton(study: Study, point: Point) -> Skeleton:
    base = study.mix(point).network
    slots = {}
    for number, (slot, axes) in enumerate(study.slot_axes(point).items()):
        points = _varied(study, axes, point)
        options = tuple(study.mix(at).network.stages[number].blocks for at in points)
        slots[slot] = Fillings(axes=axes, options=options)
    return Skeleton(frame=frame_of(base), point=point, base=base, slots=slots)


def _varied(study: Study, axes: tuple[int, ...], base: Point | None = None) -> Iterator[Point]:
    """The points that differ from a base on these axes only, the last axis fastest."""
    start = list(base or (0,) * len(study.axes))
    ranges = (range(len(study.axes[axis].labels)) for axis in axes)
    for positions in itertools.product(*ranges):
        point = list(start)
        for axis, position in zip(axes, positions, strict=True):
            point[axis] = position
        yield tuple(point)
