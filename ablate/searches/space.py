"""What a search sees of a study, and what it answers: points, and what became of earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ablate.mix import Choice, Mix
from blocks import Registry

Point = tuple[int, ...]  # a position on each axis of a study

# A strategy takes (space, seen, *, knobs) and returns the next batch, empty when it is over. It is
# a pure function: a search that was cut off is rebuilt by asking again. Facts it may register with:
#   adaptive = True          what it proposes depends on what became of earlier mixes
#   check(space, **knobs)    raises ValueError where its knobs cannot work for a study
#   words(space, points, **knobs)    lines about a design, for whoever plans it
strategies: Registry[Callable[..., list[Point]]] = Registry("strategy")


class NothingToTry(ValueError):
    """A search is over before it has begun."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A mix that was tried, whatever became of it.

    Rows stand in the order in which their mixes were proposed.

    Args:
        point: Where it lies in the study.
        key: The key of the mix.
        status: How its trials ended; partial where they stopped at a rung.
        values: Mean over the study's own seeds of what was measured, by metric; empty for a
            failed mix. Seeds that were added afterwards, to confirm a front, are not in it: a
            search that is gone through again must come to the same mixes.
        rung: The training step that the values are of; 0 for those of the whole training.
        n: How many seeds are behind the values.
        errors: Standard error of costs, by metric, where they have one.
        scores: What was measured with each seed, by metric and seed: those behind the values, and
            seeds that were added.
    """

    point: Point
    key: str
    status: Literal["done", "diverged", "failed", "partial"]
    values: Mapping[str, float] = field(default_factory=dict)
    rung: int = 0
    n: int = 1
    errors: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    @property
    def trials(self) -> int:
        """How many seeds it was trained with, as far as they count."""
        return max(self.n, *(len(by_seed) for by_seed in self.scores.values()), 0)


@dataclass(frozen=True)
class Proposal:
    """A mix to be trained, and how far.

    Args:
        point: Where it lies in the study.
        until: The step to stop at; 0 for the whole training.
        seeds: With how many seeds; 0 for as many as the study says.
    """

    point: Point
    until: int = 0
    seeds: int = 0


@dataclass(frozen=True)
class Goal:
    """An objective of the study.

    Args:
        name: The metric.
        better: Which direction is better.
    """

    name: str
    better: Literal["higher", "lower"]


class Axes(Protocol):
    """An axis, as far as a strategy needs it."""

    @property
    def name(self) -> str:
        """What varies on it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """One for each alternative."""


class Space(Protocol):
    """What a strategy needs of a study."""

    @property
    def axes(self) -> Sequence[Axes]:
        """What varies."""

    @property
    def block_axes(self) -> tuple[int, ...]:
        """Numbers of the axes that say which blocks fill a place of the network."""

    @property
    def goals(self) -> tuple[Goal, ...]:
        """What is to be good at once."""

    @property
    def size(self) -> int:
        """How many points there are."""

    def points(self) -> Iterator[Point]:
        """All points, in order."""

    def at(self, index: int) -> Point:
        """The point at a position of that order."""

    def mix(self, point: Point) -> Mix:
        """The mix at a point."""

    def label(self, point: Point) -> str:
        """A name for the mix, unique within the study."""

    def point_of(self, label: str) -> Point | None:
        """The point with a label; None where there is none."""

    def allows(self, point: Point) -> bool:
        """Whether the mix there may be tried at all."""

    def excess(self, point: Point) -> float:
        """How far the mix is beyond what it must keep to, relative to that; 0 where allowed."""


def propose(study: Space, seen: Sequence[Seen], search: Choice) -> list[Point]:
    """The next batch of points by a registered strategy; none when the search is over.

    Raises:
        UnknownName: No such strategy.
        NothingToTry: Nothing was tried yet, and nothing is proposed.
        ValueError: The strategy cannot work for this study.
    """
    knobs: dict[str, Any] = search.settings
    batch = strategies[search.name].make(study, seen, **knobs)
    if not batch and not seen:
        raise NothingToTry(
            f"strategy '{search.name}' proposes no mix; of {study.size:,} points, none that it "
            "looks at may be tried: loosen the constraints, or choose another strategy"
        )
    return batch


def check_search(study: Space, search: Choice) -> None:
    """See, without proposing anything, that a strategy and its knobs fit a study.

    Raises:
        ValueError: They don't; the message says why.
    """
    check: Any = strategies[search.name].facts.get("check")
    if check:
        check(study, **_knobs(search))


def design_words(study: Space, points: Sequence[Point], search: Choice) -> tuple[str, ...]:
    """What there is to say about a design before it is run, line by line; often nothing."""
    words: Any = strategies[search.name].facts.get("words")
    return tuple(words(study, points, **_knobs(search))) if words else ()


def all_in_all(study: Space, first: Sequence[Point], search: Choice) -> int:
    """How many mixes a search will try, of which the first batch is known."""
    total = _knobs(search).get("n")
    if not strategies[search.name].facts.get("adaptive") or not isinstance(total, int):
        return len(first)
    return max(len(first), min(total, study.size))


def _knobs(search: Choice) -> dict[str, Any]:
    """All knobs of a strategy, those that were left out at their defaults."""
    knobs = strategies[search.name].knobs.values()
    return {knob.name: knob.default for knob in knobs} | search.settings
