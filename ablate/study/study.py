"""A study: what is fixed, what varies, and how it is searched, trained, scored and profiled."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from ablate.amounts import read_amount
from ablate.constraints import Constraint
from ablate.footing import Footing, FootingError, Solved, Solver, network_of
from ablate.footing.making import solver_for
from ablate.metrics import metrics
from ablate.mix import Choice, Evaluation, Mix, Network
from ablate.profile import Profile
from ablate.searches import Goal, Point
from ablate.searches.schedule import Schedule
from ablate.searches.stopping import Stop
from ablate.study.points import Points
from ablate.study.questions import Slot, fillings_of, places_of, task_of, training_of
from ablate.study.rules import COSTS


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """What the report weighs.

    Args:
        objectives: Metrics that the front is drawn over, the first one upwards.
    """

    objectives: tuple[str, ...] = ("psnr", "latency")


@dataclass(frozen=True, kw_only=True)
class Study(Points):
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

    path: pathlib.Path | None
    text: str
    question: str
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

    def mix(self, point: Point) -> Mix:
        """The mix at a point, canonical: every default filled in, every position written out.

        Where all mixes are to cost the same, its widths or depths are solved for.

        Raises:
            FootingError: It cannot be brought to that cost; the message names it.
        """
        answers, solved = self.answers(point), self.solved(point)
        topology, fillings = fillings_of(self.slots, answers)
        return Mix(
            task=task_of(answers),
            network=solved.network if solved else network_of(topology, fillings, {}),
            training=training_of(answers),
        )

    def solved(self, point: Point) -> Solved | None:
        """The network at a point and how far it is from equal footing; None where none is asked.

        Raises:
            FootingError: It cannot be brought there; the message names it.
        """
        if self.footing is None:
            return None
        topology, fillings = fillings_of(self.slots, self.answers(point))
        try:
            return self._solver.solve(topology, fillings, self.target)
        except FootingError as error:
            text = f"equal {self.footing.equal}: {self.label(point)}: {error}"
            self._left_out[text] = None
            raise FootingError(text) from error

    @cached_property
    def target(self) -> float:
        """What every mix costs, where they are on equal footing.

        Raises:
            FootingError: The mix that sets it cannot be built as it is written.
        """
        assert self.footing is not None
        asked = self.footing.equal_to
        given = read_amount(asked, self.footing.equal) if isinstance(asked, str) else asked
        if given is not None:
            return given
        point = (self.point_of(str(asked)) if asked else None) or self.at(0)
        try:
            return self._solver.cost(*fillings_of(self.slots, self.answers(point)))
        except FootingError as error:
            raise FootingError(f"equal_to: {self.label(point)}: {error}") from error

    @property
    def footing_device(self) -> str:
        """The device that mixes are on equal footing on; empty where that is all the same."""
        return self._solver.device if self.footing else ""

    def predicted(self, network: Network) -> float:
        """What a network that was solved for costs by the prices that it was solved with."""
        return self._solver.costs[network]

    def allows(self, point: Point) -> bool:
        """Whether the mix at a point may be tried: it can be brought to the cost of all.

        Constraints need costs, and are not asked here.
        """
        return not self.refusal(point)

    def refusal(self, point: Point) -> str:
        """Why the mix at a point cannot be brought to the cost of all; empty where it can."""
        try:
            self.solved(point)
        except FootingError as error:
            return str(error)
        return ""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Why mixes that were looked at so far cannot be brought to the cost that all have."""
        return tuple(self._left_out)

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

    def data(self) -> tuple[Choice, ...]:
        """Every choice of images that a mix can have, each once."""
        asked = [question.place[:2] == ("task", "data") for question in self.asked]
        ranges = [
            range(len(axis.labels)) if about else range(1)
            for axis, about in zip(self.axes, asked, strict=True)
        ]
        points = itertools.product(*ranges)
        return tuple({task_of(self.answers(point)).data: None for point in points})

    def fillers(self, point: Point) -> dict[str, str]:
        """Which place of the file fills each place of the mix: decoder2 -> stage2, for a mirror."""
        places = places_of(self.slots, self.answers(point))
        return {name: slot.block[1] for name, slot in places}

    def slot_axes(self, point: Point) -> dict[str, tuple[int, ...]]:
        """Numbers of the axes that say what fills each place of the mix, in their order."""
        asked = {question.place: number for number, question in enumerate(self.asked)}
        return {
            name: tuple(sorted({asked[at] for at in (slot.block, slot.depth) if at in asked}))
            for name, slot in places_of(self.slots, self.answers(point))
        }

    def _repr_html_(self) -> str:
        """What a notebook shows: the question, what is varied, how it is searched."""
        from reports.display import study_html

        axes = {axis.name: axis.labels for axis in self.axes}
        facts = {"mixes": f"{self.size:,}", "seeds": self.seeds, "search": self.search.name}
        objectives = ", ".join(self.report.objectives)
        return study_html(self.name, self.question, axes, {**facts, "objectives": objectives})

    @cached_property
    def _left_out(self) -> dict[str, None]:
        return {}

    @cached_property
    def _solver(self) -> Solver:
        assert self.footing is not None
        base = self.path.parent if self.path else pathlib.Path.cwd()
        return solver_for(self.footing, self.profile, base)


def _better(metric: str) -> Literal["higher", "lower"]:
    return "lower" if metrics[metric].facts["better"] == "lower" else "higher"
