"""Designs: batches of mixes that are fixed before anything is trained."""

from __future__ import annotations

import itertools
import random as chance
from collections.abc import Sequence

from ablate.searches.drawing import different, shuffled, unseen
from ablate.searches.space import Point, Seen, Space, strategies


@strategies.register()
def grid(study: Space, seen: Sequence[Seen]) -> list[Point]:
    """Every mix, in one batch; points that describe the same mix count once."""
    return unseen(study, seen, study.points())


@strategies.register()
def random(study: Space, seen: Sequence[Seen], *, n: int = 32, seed: int = 0) -> list[Point]:
    """Mixes drawn evenly and without repetition, in one batch.

    Args:
        study: What may be proposed.
        seen: What was tried.
        n: How many different mixes; all of them where there are fewer.
        seed: Fixes which.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1; got {n}")
    drawn = (study.at(index) for index in shuffled(study.size, chance.Random(seed)))
    return unseen(study, seen, itertools.islice(different(study, drawn), n))


@strategies.register()
def one_at_a_time(study: Space, seen: Sequence[Seen]) -> list[Point]:
    """The first alternative of every axis, and every mix that differs from it on one axis."""
    base = (0,) * len(study.axes)
    changed = (
        (*base[:axis], position, *base[axis + 1 :])
        for axis, alternatives in enumerate(study.axes)
        for position in range(1, len(alternatives.labels))
    )
    return unseen(study, seen, itertools.chain([base], changed))


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
