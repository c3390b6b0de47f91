"""The study of a run, derived once more: a few of its mixes, trained longer."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ablate.folder import RunError
from ablate.mix import Choice, Training
from ablate.profile import Profile
from ablate.searches import Point
from ablate.searches.schedule import Schedule
from ablate.searches.stopping import Stop
from ablate.study import ReportSettings, Study, load_study
from ablate.study.labels import value_label
from ablate.study.questions import Place, Question

ROUNDS = 5  # of timing, at most: costs are known from the run itself
SCALED: Mapping[Place, int] = {  # what grows with the length of a training
    ("training", "steps"): Training.steps,
    ("training", "validate"): Training.validate,
}


@dataclass(frozen=True, kw_only=True)
class Part(Study):
    """A study of which some points are all there is.

    Args:
        chosen: Those points.
    """

    chosen: tuple[Point, ...]

    @cached_property
    def size(self) -> int:
        """How many points there are."""
        return len(self.chosen)

    def points(self) -> Iterator[Point]:
        """All of them."""
        return iter(self.chosen)

    def at(self, index: int) -> Point:
        """The point that `points` yields at a position."""
        return self.chosen[index]


def study_of(facts: Mapping[str, str], file: Path | None) -> Study:
    """The study that a run began with.

    Args:
        facts: Of its record.
        file: The study's file; without it the text in the record, whose paths begin here.

    Raises:
        StudyError: It cannot be used any more.
    """
    if file:
        return load_study(file)
    text = facts.get("study_text", "")
    study = load_study(_parsed(text))
    return replace(study, name=facts.get("study_name", study.name), text=text)


def _parsed(text: str) -> dict[str, Any]:
    """A study's text: TOML, or JSON where the study was a dictionary.

    Raises:
        RunError: It is neither.
    """
    try:
        return dict(json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text))
    except ValueError as error:
        why = " ".join(str(error).split()) if text else "it is empty"
        raise RunError(
            f"the record does not hold its study ({why}); name its file: --study FILE"
        ) from error


def longer(study: Study, chosen: Sequence[Point], times: float) -> Part:
    """A study's mixes at some points, trained so many times as long; nothing else changes.

    Rungs, confirmation and constraints are done with: the points were chosen. Costs are timed
    briefly, because the run itself has them.

    Args:
        study: As the run began with it.
        chosen: Points of it.
        times: Factor of the steps, and of how often curves are scored.
    """
    kept: dict[str, Any] = {own.name: getattr(study, own.name) for own in fields(study) if own.init}
    changed: dict[str, Any] = {
        "name": f"{study.name}-fidelity",
        "text": _text(study.text, times),
        "questions": _scaled(study.questions, times),
        "search": Choice(name="grid"),
        "profile": _briefly(study.profile),
        "report": _report(study),
        "footing": replace(study.footing, equal_to=study.target) if study.footing else None,
        "constraints": (),
        "schedule": Schedule(),
        "stop": Stop(),
        "timeout": study.timeout * times,
    }
    return Part(**{**kept, **changed}, chosen=tuple(chosen))


def _scaled(questions: Sequence[Question], times: float) -> tuple[Question, ...]:
    """The questions with longer answers; what was left to its default is settled."""
    known = {question.place for question in questions}
    added = [
        Question(place=place, name=place[1], answers=(default,), labels=(str(default),))
        for place, default in SCALED.items()
        if place not in known
    ]
    return tuple(
        _times(question, times) if question.place in SCALED else question
        for question in (*questions, *added)
    )


def _times(question: Question, times: float) -> Question:
    answers = tuple(max(round(answer * times), 1) for answer in question.answers)
    return replace(question, answers=answers, labels=tuple(map(value_label, answers)))


def _briefly(profile: Profile) -> Profile:
    """One size, one way of running, a few rounds."""
    return replace(
        profile,
        size=profile.size[:1],
        run=profile.run[:1],
        precision=profile.precision[:1],
        rounds=min(profile.rounds, ROUNDS),
        processes=1,
        energy=False,
        resident=False,
        stages=False,
    )


def _report(study: Study) -> ReportSettings:
    """The objectives that are measured here, too."""
    known = tuple(name for name in study.report.objectives if name != "energy")
    return replace(study.report, objectives=known or ("psnr",))


def _text(text: str, times: float) -> str:
    """The study's text, which says of itself that it was trained longer."""
    if text.lstrip().startswith("{"):
        return text
    return f"# some mixes of this study, with {times:g} times the steps\n{text}"
