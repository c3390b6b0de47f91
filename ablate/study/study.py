"""A study: what is fixed, what varies, and how it is searched, trained, scored and profiled."""

from __future__ import annotations

import itertools
import math
import pathlib
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, cast

from ablate.constraints import Constraint
from ablate.footing import Filling, Footing, FootingError, Solved, Solver, amount, network_of
from ablate.footing.making import solver_for
from ablate.metrics import metrics
from ablate.mix import (
    Choice,
    Evaluation,
    Mix,
    Network,
    Profile,
    Task,
    Training,
    Value,
)
from ablate.searches import Goal, Point
from ablate.searches.schedule import Schedule
from ablate.searches.stopping import Stop
from ablate.study.rules import COSTS
from ablate.widths import canonical_widths

Place = tuple[str, ...]  # ("network", "stage2", "block"), ("task", "degradation", "sigma")


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
class ReportSettings:
    """What the report weighs.

    Args:
        objectives: Metrics that the front is drawn over, the first one upwards.
    """

    objectives: tuple[str, ...] = ("psnr", "latency")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One thing that the file settles (one answer) or asks (several: an axis).

    Args:
        place: What the answer is about.
        name: The axis name.
        answers: Values; for a stage's blocks the choices that fill its positions in turn.
        labels: A short name for each answer.
        plain: Whether a label is understood without the axis name before it.
    """

    place: Place
    name: str
    answers: tuple[Any, ...]
    labels: tuple[str, ...]
    plain: bool = False


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A place of the network, and which questions say what fills it (a mirror shares them).

    Args:
        name: stage1, decoder1, middle; of places that may be repeated the first's, were there no
            repetition before it.
        block: The question of what fills it.
        depth: The question of how many blocks.
        repeat: The question of how many places alike it stands for; none where it is one.
    """

    name: str
    block: Place
    depth: Place
    repeat: Place | None = None


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study that was found free of mistakes; `load_study` makes one.

    Args:
        name: The file's name without its ending.
        path: The file, if it came from one.
        text: The file as it was read.
        question: What is asked, in words.
        questions: Everything that a mix is made of, in the order of the axes.
        slots: The places to fill, by topology.
        search: The strategy.
        seeds: How many seeds each mix is trained with.
        evaluation: How restored images are scored.
        profile: How costs are measured.
        report: What the report weighs.
        constraints: What a mix must keep to, to be tried.
        footing: What all mixes are to cost, where that is asked for.
        schedule: How far mixes are trained before they are compared, and who is confirmed.
        stop: When the search proposes no more.
        timeout: Seconds that a trial may take; 0 for as long as it needs.
    """

    name: str
    path: pathlib.Path | None
    text: str
    question: str
    questions: tuple[Question, ...]
    slots: Mapping[str, tuple[Slot, ...]]
    search: Choice
    seeds: int
    evaluation: Evaluation
    profile: Profile
    report: ReportSettings
    constraints: tuple[Constraint, ...] = ()
    footing: Footing | None = None
    schedule: Schedule = field(default_factory=Schedule)
    stop: Stop = field(default_factory=Stop)
    timeout: float = 0.0

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """What varies; a point has one position for each."""
        return tuple(Axis(name=q.name, labels=q.labels) for q in self._asked)

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

    def mix(self, point: Point) -> Mix:
        """The mix at a point, canonical: every default filled in, every position written out.

        Where all mixes are to cost the same, its widths or depths are solved for.

        Raises:
            FootingError: It cannot be brought to that cost; the message names it.
        """
        answers = self._answers(point)
        settings = {place[1]: value for place, value in answers.items() if place[0] == "training"}
        solved = self.solved(point)
        return Mix(
            task=_task(answers),
            network=solved.network if solved else self._network(answers),
            training=_without_inert(Training(**settings)),
        )

    def solved(self, point: Point) -> Solved | None:
        """The network at a point and how far it is from equal footing; None where none is asked.

        Raises:
            FootingError: It cannot be brought there; the message names it.
        """
        if self.footing is None:
            return None
        topology, fillings = self._fillings(self._answers(point))
        try:
            return self._solver.solve(topology, fillings, self.target)
        except FootingError as error:
            raise FootingError(
                f"equal {self.footing.equal}: {self.label(point)}: {error}"
            ) from error

    @cached_property
    def target(self) -> float:
        """What every mix costs, where they are on equal footing.

        Raises:
            FootingError: The mix that sets it cannot be built as it is written.
        """
        assert self.footing is not None
        asked = self.footing.equal_to
        given = amount(asked, self.footing.equal) if isinstance(asked, str) else asked
        if given is not None:
            return given
        point = (self.point_of(str(asked)) if asked else None) or self.at(0)
        try:
            return self._solver.cost(*self._fillings(self._answers(point)))
        except FootingError as error:
            raise FootingError(f"equal_to: {self.label(point)}: {error}") from error

    @property
    def footing_device(self) -> str:
        """The device that mixes are on equal footing on; empty where that is all the same."""
        return self._solver.device if self.footing else ""

    def predicted(self, network: Network) -> float:
        """What a network that was solved for costs by the prices that it was solved with."""
        return self._solver.costs[network]

    def point_of(self, label: str) -> Point | None:
        """The point of the mix with a label; None where there is none."""
        begun: list[tuple[str, Point]] = [("", ())]
        for question in self._asked:
            begun = [
                (text, (*point, position))
                for start, point in begun
                for position in range(len(question.answers))
                if label.startswith(text := _joined(start, question, position))
            ]
        return next((point for text, point in begun if (text or self.name) == label), None)

    def allows(self, point: Point) -> bool:
        """Whether the mix at a point may be tried; constraints need costs, and are not asked."""
        return True

    def excess(self, point: Point) -> float:
        """How far the mix at a point is beyond its constraints, which are not asked."""
        return 0.0

    @cached_property
    def goals(self) -> tuple[Goal, ...]:
        """The objectives, each with its better direction."""
        return tuple(
            Goal(name, "lower" if name in COSTS else _better(name))
            for name in self.report.objectives
        )

    @cached_property
    def block_axes(self) -> tuple[int, ...]:
        """Numbers of the axes that say which blocks fill a place of the network."""
        places = [question.place for question in self._asked]
        return tuple(
            number
            for number, place in enumerate(places)
            if place[0] == "network" and place[-1] == "block"
        )

    def data(self) -> tuple[Choice, ...]:
        """Every choice of images that a mix can have, each once."""
        asked = [q.place[:2] == ("task", "data") for q in self._asked]
        ranges = [
            range(len(axis.labels)) if about else range(1)
            for axis, about in zip(self.axes, asked, strict=True)
        ]
        points = itertools.product(*ranges)
        return tuple({_task(self._answers(point)).data: None for point in points})

    def levels(self, point: Point) -> dict[str, str]:
        """The label on each axis."""
        return {
            axis.name: axis.labels[position]
            for axis, position in zip(self.axes, point, strict=True)
        }

    def label(self, point: Point) -> str:
        """A name for the mix, unique within the study: "rdcnn | mwsa window=16 | lama"."""
        label = ""
        for question, position in zip(self._asked, point, strict=True):
            label = _joined(label, question, position)
        return label or self.name

    def fillers(self, point: Point) -> dict[str, str]:
        """Which place of the file fills each place of the mix: decoder2 -> stage2, for a mirror."""
        answers = self._answers(point)
        topology = _overlaid(("network", "topology"), answers)
        places = _numbered(self.slots[topology.name], answers)
        return {name: slot.block[1] for name, slot in places}

    @cached_property
    def frame_axes(self) -> tuple[int, ...]:
        """Numbers of the axes that say how stages are joined: all but what fills them."""
        places = [question.place for question in self._asked]
        return tuple(
            number
            for number, place in enumerate(places)
            if place[:2] == ("network", "topology") or place[-1] == "repeat"
        )

    def slot_axes(self, point: Point) -> dict[str, tuple[int, ...]]:
        """Numbers of the axes that say what fills each place of the mix, in their order."""
        answers = self._answers(point)
        topology = _overlaid(("network", "topology"), answers)
        asked = {question.place: number for number, question in enumerate(self._asked)}
        return {
            name: tuple(sorted({asked[at] for at in (slot.block, slot.depth) if at in asked}))
            for name, slot in _numbered(self.slots[topology.name], answers)
        }

    def _answers(self, point: Point) -> dict[Place, Any]:
        answers = dict(self._settled)
        for question, position in zip(self._asked, point, strict=True):
            answers[question.place] = question.answers[position]
        return answers

    @cached_property
    def _asked(self) -> tuple[Question, ...]:
        return tuple(question for question in self.questions if len(question.answers) > 1)

    @cached_property
    def _settled(self) -> dict[Place, Any]:
        return {q.place: q.answers[0] for q in self.questions if len(q.answers) == 1}

    @cached_property
    def _solver(self) -> Solver:
        assert self.footing is not None
        base = self.path.parent if self.path else pathlib.Path.cwd()
        return solver_for(self.footing, self.profile, base)

    def _network(self, answers: Mapping[Place, Any]) -> Network:
        """The network as it is written."""
        topology, fillings = self._fillings(answers)
        return network_of(topology, fillings, {})

    def _fillings(self, answers: Mapping[Place, Any]) -> tuple[Choice, tuple[Filling, ...]]:
        """The topology, and what fills each of its places."""
        topology = canonical_widths(_overlaid(("network", "topology"), answers))
        fillings = tuple(
            Filling(name, answers[slot.block], answers[slot.depth], ".".join(slot.depth))
            for name, slot in _numbered(self.slots[topology.name], answers)
        )
        return topology, fillings


def _better(metric: str) -> Literal["higher", "lower"]:
    return "lower" if metrics[metric].facts["better"] == "lower" else "higher"


def _task(answers: Mapping[Place, Any]) -> Task:
    return Task(
        data=_overlaid(("task", "data"), answers),
        degradation=_overlaid(("task", "degradation"), answers),
    )


def _joined(label: str, question: Question, position: int) -> str:
    """A label with one more axis: "rdcnn | mwsa window=16"."""
    answer = question.labels[position]
    part = answer if question.plain else f"{question.name}={answer}"
    return f"{label} | {part}" if label else part


def _numbered(slots: tuple[Slot, ...], answers: Mapping[Place, Any]) -> Iterator[tuple[str, Slot]]:
    """Every place of a mix with its name: those that repeat are numbered through."""
    number = 0
    for slot in slots:
        if slot.repeat is None:
            yield slot.name, slot
            continue
        for _ in range(answers[slot.repeat]):
            number += 1
            yield f"{slot.name.rstrip(string.digits)}{number}", slot


def _without_inert(training: Training) -> Training:
    """Settings that cannot matter at their defaults: trainings that are the same are equal."""
    if training.schedule == "cosine":
        training = replace(training, constant=Training.constant)
    if len(training.rates) == 1:  # there is nothing to try
        training = replace(training, rate=training.rates[0], rates=())
    if training.rates:
        return replace(training, rate=Training.rate, rates=tuple(sorted(training.rates)))
    return replace(training, probe=Training.probe)


def _overlaid(place: Place, answers: Mapping[Place, Any]) -> Choice:
    """A choice, with the knobs that are written beside its name."""
    choice = cast(Choice, answers[place])
    beside: dict[str, Value] = {
        at[-1]: value for at, value in answers.items() if len(at) == 3 and at[:2] == place
    }
    return Choice.of(choice.name, {**choice.settings, **beside}) if beside else choice
