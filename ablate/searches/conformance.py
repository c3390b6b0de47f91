"""What every strategy must keep to, as questions that can be asked of any; plug-ins too.

from ablate.searches.conformance import breaches
assert not list(breaches("my_strategy"))
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ablate.mix import Choice
from ablate.searches.bare import Bare
from ablate.searches.constrained import Constrained
from ablate.searches.space import (
    NothingToTry,
    Point,
    Seen,
    Space,
    propose,
)

SPACES: Mapping[str, Space] = {
    "two alternatives": Bare((2,) * 5),
    "several alternatives": Bare((3, 2, 4)),
    "points alike": Bare((2, 2, 2, 2), lambda point: (0, *point[1:])),
    "constrained": Constrained(Bare((2,) * 5), lambda point: sum(point) < 4, lambda point: 0.5),
}

CUTS = 4  # places at which a search is cut off

Rule = Callable[["Course"], bool]
Ended = Callable[[Space, Point], Seen]


def breaches(name: str, settings: Mapping[str, int] | None = None) -> Iterator[str]:
    """Which rules a strategy breaks, and in which space.

    A strategy may refuse a space with a ValueError when it is first asked; one that refuses all
    breaks the rule that it works at all.

    Args:
        name: Under which it is registered.
        settings: Its knobs, where they are not to be at their defaults.
    """
    search = Choice.of(name, settings or {})
    fitting = {words: space for words, space in SPACES.items() if _accepts(search, space)}
    if not fitting:
        yield "works: it refuses every space"
    for words, space in fitting.items():
        try:
            course = Course(search, space, tuple(search_through(search, space)))
        except Exception as error:
            yield f"works: {words}: it raises {type(error).__name__}: {error}"
            continue
        for rule, keeps in RULES.items():
            if wrong := _asked(keeps, course):
                yield f"{rule}: {words}: {wrong}"


def trained(space: Space, point: Point) -> Seen:
    """What becomes of a mix: the same each time; some fail, some diverge."""
    key = space.mix(point).key
    number = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16)
    if number % 5 == 0:
        return Seen(point=point, key=key, status="failed" if number % 2 else "diverged")
    values = {"psnr": 25 + number % 997 / 200, "macs": 1e6 * (1 + sum(point))}
    return Seen(point=point, key=key, status="done", values=values)


def failed(space: Space, point: Point) -> Seen:
    """What becomes of a mix where everything fails."""
    return Seen(point=point, key=space.mix(point).key, status="failed")


def search_through(
    search: Choice, space: Space, begun: Sequence[Seen] = (), ended: Ended = trained
) -> list[Seen]:
    """Search to the end, batch by batch; or, where it doesn't end, a few mixes beyond all."""
    seen = list(begun)
    with suppress(NothingToTry):
        while len(seen) <= space.size + 8 and (batch := propose(space, seen, search)):
            seen += [ended(space, point) for point in batch]
    return seen


def _asked(keeps: Rule, course: Course) -> str | None:
    """What is wrong, if anything is: an exception, or plainly the rule."""
    try:
        return None if keeps(course) else "it does not"
    except Exception as error:
        return f"it raises {type(error).__name__}: {error}"


def _accepts(search: Choice, space: Space) -> bool:
    try:
        propose(space, [], search)
    except NothingToTry:
        return True
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Course:
    """A search, gone through once without a disturbance.

    Args:
        search: The strategy and its knobs.
        space: Where it searched.
        seen: What it tried.
    """

    search: Choice
    space: Space
    seen: tuple[Seen, ...]

    @property
    def keys(self) -> list[str]:
        """The mixes in the order in which they were tried."""
        return [row.key for row in self.seen]


def _never_repeats(course: Course) -> bool:
    return len(set(course.keys)) == len(course.keys)


def _ends(course: Course) -> bool:
    return 0 < len(course.seen) <= course.space.size


def _stays_inside(course: Course) -> bool:
    space = course.space
    allowed = {point for point in space.points() if space.allows(point)}
    return {row.point for row in course.seen} <= allowed


def _same_rows_same_proposal(course: Course) -> bool:
    def proposed(rows: int) -> list[Point]:
        return propose(course.space, course.seen[:rows], course.search)

    return all(proposed(rows) == proposed(rows) for rows in _cuts(course))


def _survives_failures(course: Course) -> bool:
    keys = [row.key for row in search_through(course.search, course.space, ended=failed)]
    return 0 < len(set(keys)) == len(keys) <= course.space.size


def _resumes(course: Course) -> bool:
    """Cut off anywhere, also within a batch, it comes to the same mixes."""
    ends = (
        search_through(course.search, course.space, course.seen[:rows])
        for rows in _cuts(course)
        if rows
    )
    return all({row.key for row in end} == set(course.keys) for end in ends)


def _asks_nothing(course: Course) -> bool:
    return propose(Bare(()), [], course.search) == [()]


def _cuts(course: Course) -> range:
    """Some numbers of rows, from none to all but a few."""
    return range(0, len(course.seen), max(len(course.seen) // CUTS, 1))


RULES: Mapping[str, Rule] = {
    "never repeats a mix": _never_repeats,
    "ends": _ends,
    "proposes what may be tried": _stays_inside,
    "the same rows, the same proposal": _same_rows_same_proposal,
    "survives failed rows": _survives_failures,
    "resumes where it was cut off": _resumes,
    "a study that asks nothing has one mix": _asks_nothing,
}
