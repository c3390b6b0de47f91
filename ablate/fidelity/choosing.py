"""Which mixes are trained again: the front, and others spread over the ranking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

FEWEST = 3  # mixes that make an order


def choose(ranking: Sequence[str], front: Iterable[str], number: int) -> list[str]:
    """So many of the ranked mixes: the best, up to half from the front, the others far apart.

    Of a front that is too long, members are taken evenly; then, one after the other, the mix that
    is farthest in the ranking from all that were taken, the better of equals.

    Args:
        ranking: Keys, the best first.
        front: Those on the front.
        number: How many; all where there are fewer.

    Returns:
        Keys in the order of the ranking.
    """
    places = {key: place for place, key in enumerate(ranking)}
    members = sorted(places[key] for key in front if key in places)
    taken = {0} if ranking else set[int]()
    taken |= set(_evenly(members, max(number // 2, 1)))
    while len(taken) < min(number, len(ranking)):
        taken.add(max(range(len(ranking)), key=lambda place: (_apart(place, taken), -place)))
    return [ranking[place] for place in sorted(taken)[:number]]


def _evenly(members: Sequence[int], most: int) -> list[int]:
    """Members with equal steps between them, both ends among them where there is room."""
    if len(members) <= most:
        return list(members)
    if most == 1:
        return [members[0]]
    return [members[round(at * (len(members) - 1) / (most - 1))] for at in range(most)]


def _apart(place: int, taken: Iterable[int]) -> int:
    return min(abs(place - other) for other in taken)
