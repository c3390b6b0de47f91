"""The points of a study: one position on each axis, and what they are called."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ablate.searches import Point
from ablate.study.questions import Place, Question


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Something that the study varies.

    Args:
        name: stage2, stage2.depth, decoder1, middle, sigma, rate ...
        labels: A short name for each alternative, in the order of the file.
    """

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Points:
    """Everything that follows from the questions of a study alone.

    Args:
        name: The file's name without its ending.
        questions: Everything that a mix is made of, in the order of the axes.
    """

    name: str
    questions: tuple[Question, ...]

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """What varies; a point has one position for each."""
        return tuple(Axis(name=q.name, labels=q.labels) for q in self.asked)

    @cached_property
    def size(self) -> int:
        """How many points there are."""
        return math.prod(len(axis.labels) for axis in self.axes)

    def points(self) -> Iterator[Point]:
        """All points; the last axis changes fastest."""
        return itertools.product(*(range(len(axis.labels)) for axis in self.axes))

    def at(self, index: int) -> Point:
        """The point that `points` yields at a position from 0 to size - 1."""
        point = []
        for axis in reversed(self.axes):
            index, position = divmod(index, len(axis.labels))
            point.append(position)
        return tuple(reversed(point))

    def levels(self, point: Point) -> dict[str, str]:
        """The label on each axis."""
        return {
            axis.name: axis.labels[position]
            for axis, position in zip(self.axes, point, strict=True)
        }

    def label(self, point: Point) -> str:
        """A name for the mix, unique within the study: "rdcnn | mwsa window=16 | lama"."""
        label = ""
        for question, position in zip(self.asked, point, strict=True):
            label = question.joined(label, position)
        return label or self.name

    def point_of(self, label: str) -> Point | None:
        """The point of the mix with a label; None where there is none."""
        begun: list[tuple[str, Point]] = [("", ())]
        for question in self.asked:
            begun = [
                (text, (*point, position))
                for start, point in begun
                for position in range(len(question.answers))
                if label.startswith(text := question.joined(start, position))
            ]
        return next((point for text, point in begun if (text or self.name) == label), None)

    @cached_property
    def block_axes(self) -> tuple[int, ...]:
        """Numbers of the axes that say which blocks fill a place of the network."""
        return self._numbers(lambda place: place[0] == "network" and place[-1] == "block")

    @cached_property
    def frame_axes(self) -> tuple[int, ...]:
        """Numbers of the axes that say how stages are joined: all but what fills them."""
        return self._numbers(
            lambda place: place[:2] == ("network", "topology") or place[-1] == "repeat"
        )

    @cached_property
    def related_axes(self) -> tuple[tuple[int, int], ...]:
        """Pairs of axes of which one may mean nothing beside the other: parts of one table."""

        def related(first: Place, second: Place) -> bool:
            network = first[0] == second[0] == "network"
            joins = any(p == ("network", "topology") or p[-1] == "repeat" for p in (first, second))
            return (network and joins) or first[: 1 + network] == second[: 1 + network]

        pairs = itertools.combinations(enumerate(q.place for q in self.asked), 2)
        return tuple((a, b) for (a, first), (b, second) in pairs if related(first, second))

    @cached_property
    def asked(self) -> tuple[Question, ...]:
        """The questions with several answers, an axis each."""
        return tuple(question for question in self.questions if len(question.answers) > 1)

    def answers(self, point: Point) -> dict[Place, Any]:
        """The answer to every question at a point."""
        answers = dict(self._settled)
        for question, position in zip(self.asked, point, strict=True):
            answers[question.place] = question.answers[position]
        return answers

    @cached_property
    def _settled(self) -> dict[Place, Any]:
        return {q.place: q.answers[0] for q in self.questions if len(q.answers) == 1}

    def _numbers(self, about: Callable[[Place], bool]) -> tuple[int, ...]:
        """Numbers of the axes that are about a kind of place."""
        return tuple(n for n, question in enumerate(self.asked) if about(question.place))
