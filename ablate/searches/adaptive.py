"""Searches that learn from earlier mixes, in batches of a fixed size; Optuna suggests."""

from __future__ import annotations

import itertools
import random as chance
from collections.abc import Callable, Iterator, Sequence

from ablate.searches.drawing import Fresh, counted, drawn, neighbours
from ablate.searches.space import Point, Seen, Space, strategies

Suggestions = Iterator[Point]  # without end
Suggest = Callable[[Sequence[Seen], int], Suggestions]  # from rows, for a batch by number

TRIES = 4  # suggestions in a row that are no new mix, before one near them is taken


def _check_tpe(study: Space, *, n: int, batch: int, startup: int, seed: int) -> None:
    counted("n", n)
    counted("batch", batch)
    counted("startup", startup)


@strategies.register(adaptive=True, check=_check_tpe)
def tpe(
    study: Space,
    seen: Sequence[Seen],
    *,
    n: int = 64,
    batch: int = 8,
    startup: int = 16,
    seed: int = 0,
) -> list[Point]:
    """Tree-structured Parzen estimator for several objectives, in batches.

    Ozaki et al. 2022, doi:10.1613/jair.1.13188, as Optuna has it. It learns from every mix that
    was trained; one that breaks a constraint is told to it as such, and is not tried. What it
    suggests twice is replaced by a mix near it that was not tried.

    Args:
        study: What may be proposed.
        seen: What was tried.
        n: How many mixes in all.
        batch: How many at a time; each batch learns from those before it.
        startup: How many are drawn at random first.
        seed: Fixes what is drawn.
    """
    _check_tpe(study, n=n, batch=batch, startup=startup, seed=seed)

    def suggest(rows: Sequence[Seen], number: int) -> Suggestions:
        from ablate.searches.suggesting import by_tpe

        return by_tpe(study, rows, startup, _seed(seed, number))

    return _next_batch(study, seen, n, batch, seed, suggest)


def _check_nsga2(study: Space, *, n: int, batch: int, seed: int) -> None:
    counted("n", n)
    counted("batch", batch, 2)


@strategies.register(adaptive=True, check=_check_nsga2)
def nsga2(
    study: Space, seen: Sequence[Seen], *, n: int = 64, batch: int = 16, seed: int = 0
) -> list[Point]:
    """Evolution by non-dominated sorting (NSGA-II): each batch is a generation.

    Deb et al. 2002, doi:10.1109/4235.996017, as Optuna has it. What was tried already or breaks a
    constraint is replaced by a mix near it that was not tried.

    Args:
        study: What may be proposed.
        seen: What was tried.
        n: How many mixes in all.
        batch: How many there are in a generation.
        seed: Fixes what is drawn.
    """
    _check_nsga2(study, n=n, batch=batch, seed=seed)

    def suggest(rows: Sequence[Seen], number: int) -> Suggestions:
        from ablate.searches.suggesting import by_nsga2

        return by_nsga2(study, rows, batch, _seed(seed, number))

    return _next_batch(study, seen, n, batch, seed, suggest)


def _seed(seed: int, batch: int) -> int:
    """A seed for each batch, so that what is proposed depends on nothing but the rows."""
    return chance.Random(f"{seed} {batch}").getrandbits(32)


def _next_batch(
    study: Space, seen: Sequence[Seen], n: int, batch: int, seed: int, suggest: Suggest
) -> list[Point]:
    """What is missing of the batch that the rows have come to.

    Rows beyond the last whole batch are not learnt from: a batch that was cut off is proposed
    again as it was, without what was tried of it.
    """
    number = len(seen) // batch
    wanted = min(batch, n - number * batch)
    if wanted < 1 or len(seen) >= n:
        return []
    rows, begun = seen[: number * batch], {row.key for row in seen[number * batch :]}
    generator = chance.Random(f"{seed} {number} nearby")
    fresh = Fresh(study, {row.key for row in rows})
    points = _picked(study, fresh, suggest(rows, number), wanted, generator)
    return [point for point in points if study.mix(point).key not in begun]


def _picked(
    study: Space, fresh: Fresh, suggested: Suggestions, wanted: int, generator: chance.Random
) -> list[Point]:
    """So many new points: those suggested, or near them, or drawn; fewer when there are no more."""
    points, draws = list[Point](), drawn(study, fresh, generator)
    while len(points) < wanted:
        found = _suggested(study, fresh, suggested, generator)
        if found is None:  # a point without axes is empty, and no such thing
            found = next(draws, None)
        if found is None:
            break
        points.append(found)
    return points


def _suggested(
    study: Space, fresh: Fresh, suggested: Suggestions, generator: chance.Random
) -> Point | None:
    """The next suggestion that is new, or a new point near one that is not; None where none is."""
    for point in itertools.islice(suggested, TRIES):
        if fresh.take(point):
            return point
    near = neighbours(study, point, generator)
    return next((other for other in near if fresh.take(other)), None)
