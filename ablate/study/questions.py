"""What a study settles or asks, one thing at a time, and what its answers amount to."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from ablate.footing import Filling
from ablate.mix import Choice, Task, Training, Value
from ablate.widths import canonical_widths

Place = tuple[str, ...]  # ("network", "stage2", "block"), ("task", "degradation", "sigma")
Answers = Mapping[Place, Any]


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

    def joined(self, label: str, position: int) -> str:
        """A label with one more axis: "rdcnn | mwsa window=16"."""
        answer = self.labels[position]
        part = answer if self.plain else f"{self.name}={answer}"
        return f"{label} | {part}" if label else part


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


def task_of(answers: Answers) -> Task:
    """The images and what happens to them."""
    return Task(
        data=_overlaid(("task", "data"), answers),
        degradation=_overlaid(("task", "degradation"), answers),
    )


def training_of(answers: Answers) -> Training:
    """The training, settings that cannot matter at their defaults: the same ones are equal."""
    settings = {place[1]: value for place, value in answers.items() if place[0] == "training"}
    training = Training(**settings)
    if training.schedule == "cosine":
        training = replace(training, constant=Training.constant)
    if len(training.rates) == 1:  # there is nothing to try
        training = replace(training, rate=training.rates[0], rates=())
    if training.rates:
        return replace(training, rate=Training.rate, rates=tuple(sorted(training.rates)))
    return replace(training, probe=Training.probe)


def topology_of(answers: Answers) -> Choice:
    """How stages are joined, as it is written."""
    return _overlaid(("network", "topology"), answers)


def fillings_of(
    slots: Mapping[str, tuple[Slot, ...]], answers: Answers
) -> tuple[Choice, tuple[Filling, ...]]:
    """The topology, and what fills each of its places.

    Args:
        slots: The places to fill, by topology.
        answers: To all questions.
    """
    topology = canonical_widths(topology_of(answers))
    fillings = tuple(
        Filling(name, answers[slot.block], answers[slot.depth], ".".join(slot.depth))
        for name, slot in places_of(slots, answers)
    )
    return topology, fillings


def places_of(
    slots: Mapping[str, tuple[Slot, ...]], answers: Answers
) -> Iterator[tuple[str, Slot]]:
    """Every place of a mix with its name: those that repeat are numbered through."""
    number = 0
    for slot in slots[topology_of(answers).name]:
        if slot.repeat is None:
            yield slot.name, slot
            continue
        for _ in range(answers[slot.repeat]):
            number += 1
            yield f"{slot.name.rstrip(string.digits)}{number}", slot


def _overlaid(place: Place, answers: Answers) -> Choice:
    """A choice, with the knobs that are written beside its name."""
    choice = cast(Choice, answers[place])
    beside: dict[str, Value] = {
        at[-1]: value for at, value in answers.items() if len(at) == 3 and at[:2] == place
    }
    return Choice.of(choice.name, {**choice.settings, **beside}) if beside else choice
