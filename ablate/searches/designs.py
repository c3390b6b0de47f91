"""Designs around one mix, and those that take all, some or homogeneous ones."""

from __future__ import annotations

import itertools
import random as chance
from collections.abc import Iterable, Iterator, Sequence

from ablate.searches.drawing import Fresh, counted, drawn, unseen
from ablate.searches.space import Point, Seen, Space, strategies
from blocks import nearest

LISTED = 1_000_000  # points of a grid; a longer one was surely not meant


@strategies.register()
def grid(study: Space, seen: Sequence[Seen]) -> list[Point]:
    """Every mix, in one batch; points that describe the same mix count once."""
    if study.size > LISTED:
        raise ValueError(
            f"grid is every one of {study.size:,} points, and more than {LISTED:,} are not tried; "
            "use random, d_optimal, tpe or nsga2 with n"
        )
    return unseen(study, seen, study.points())


def _check_random(study: Space, *, n: int, seed: int) -> None:
    counted("n", n)


@strategies.register(check=_check_random)
def random(study: Space, seen: Sequence[Seen], *, n: int = 32, seed: int = 0) -> list[Point]:
    """Mixes drawn evenly and without repetition, in one batch.

    Args:
        study: What may be proposed.
        seen: What was tried.
        n: How many different mixes; all of them where there are fewer.
        seed: Fixes which.
    """
    _check_random(study, n=n, seed=seed)
    points = drawn(study, Fresh(study), chance.Random(seed))
    return unseen(study, seen, itertools.islice(points, n))


@strategies.register()
def one_at_a_time(study: Space, seen: Sequence[Seen]) -> list[Point]:
    """The first alternative of every axis, and every mix that differs from it on one axis."""
    base = (0,) * len(study.axes)
    return unseen(study, seen, _changed(study, base, range(len(study.axes))))


def _check_swap(study: Space, *, base: str, stage: str) -> None:
    _base_of(study, base)
    _swapped(study, stage)


@strategies.register(check=_check_swap)
def swap(study: Space, seen: Sequence[Seen], *, base: str = "", stage: str = "") -> list[Point]:
    """A mix, and every mix that has another block in one of its stages.

    Args:
        study: What may be proposed.
        seen: What was tried.
        base: The label of the mix; without it, the first alternative of every axis.
        stage: The stage whose block is swapped, as its axis is named; without it, each in turn.
    """
    return unseen(study, seen, _changed(study, _base_of(study, base), _swapped(study, stage)))


def _check_leave_one_out(study: Space, *, base: str, stand_in: str) -> None:
    _without(study, _base_of(study, base), stand_in)


@strategies.register(check=_check_leave_one_out)
def leave_one_out(
    study: Space, seen: Sequence[Seen], *, base: str = "", stand_in: str = "identity"
) -> list[Point]:
    """A mix, and for each of its stages the mix without that stage's block.

    A stage is left out by what stands in for its block, which must be one of the alternatives of
    every stage that has any: `block = ["mwsa", "identity"]`. A stage with a single alternative
    stays as it is.

    Args:
        study: What may be proposed.
        seen: What was tried.
        base: The label of the mix; without it, the first alternative of every axis, in a stage
            the first that is not the stand-in.
        stand_in: The alternative that takes the place of a block.
    """
    return unseen(study, seen, _without(study, _base_of(study, base, stand_in), stand_in))


@strategies.register()
def uniform(study: Space, seen: Sequence[Seen]) -> list[Point]:
    """Axes that offer the same alternatives all take the same one: homogeneous networks.

    What has other alternatives varies freely beside them, as in a grid.
    """
    alternatives = [axis.labels for axis in study.axes]
    kinds = list(dict.fromkeys(alternatives))
    choices = itertools.product(*(range(len(labels)) for labels in kinds))
    points = (tuple(choice[kinds.index(labels)] for labels in alternatives) for choice in choices)
    return unseen(study, seen, points)


def _changed(study: Space, base: Point, axes: Iterable[int]) -> Iterator[Point]:
    """A point, and all that differ from it on one of these axes."""
    yield base
    for axis in axes:
        for position in range(len(study.axes[axis].labels)):
            if position != base[axis]:
                yield _at(base, axis, position)


def _at(base: Point, axis: int, position: int) -> Point:
    return (*base[:axis], position, *base[axis + 1 :])


def _base_of(study: Space, label: str, stand_in: str = "") -> Point:
    """The point that a design is built around.

    Raises:
        ValueError: No mix has that label.
    """
    if not label:
        return tuple(
            int(number in study.block_axes and axis.labels[0] == stand_in)
            for number, axis in enumerate(study.axes)
        )
    point = study.point_of(label)
    if point is None:
        first = study.label(study.at(0))
        raise ValueError(f"base: no mix is labelled '{label}'; labels look like '{first}'")
    return point


def _swapped(study: Space, stage: str) -> tuple[int, ...]:
    """The axes whose block is swapped.

    Raises:
        ValueError: There is none, or not that one.
    """
    names = {study.axes[number].name: number for number in study.block_axes}
    if stage and stage not in names:
        known = ", ".join(names) or "none"
        hint = nearest(stage, names)
        raise ValueError(f"stage: no stage '{stage}' has several blocks{hint} (there are: {known})")
    if study.axes and not names:
        asked = ", ".join(axis.name for axis in study.axes)
        raise ValueError(f"no stage has several blocks to swap (axes: {asked}); use one_at_a_time")
    return (names[stage],) if stage else study.block_axes


def _without(study: Space, base: Point, stand_in: str) -> list[Point]:
    """A point, and all that have the stand-in in one more stage.

    Raises:
        ValueError: A stage does not offer it.
    """
    lacking = [
        axis.name
        for axis in (study.axes[number] for number in study.block_axes)
        if stand_in not in axis.labels
    ]
    if lacking or (study.axes and not study.block_axes):
        where = ", ".join(lacking) or "no stage with alternatives"
        raise ValueError(
            f"stand_in: '{stand_in}' must be an alternative of every stage that has several; "
            f"missing in: {where}"
        )
    positions = [(axis, study.axes[axis].labels.index(stand_in)) for axis in study.block_axes]
    return [base, *(_at(base, axis, position) for axis, position in positions)]
