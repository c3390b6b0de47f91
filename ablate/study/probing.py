"""Finds what cannot work before anything is trained: builds networks without memory or data."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch

from ablate.mix import Mix, Network
from ablate.network import build
from ablate.search import Point, propose
from ablate.study.lines import Path
from ablate.study.places import Problems
from ablate.study.rules import training_problems
from ablate.study.study import Study
from ablate.tasks.data import check_task
from ablate.tasks.degradations import check

ALL = 64  # a study of at most this many mixes is probed in full

_SLOT = re.compile(r"([a-z]+)(\d*): ")


def probe(study: Study, problems: Problems) -> None:
    """Try the study's alternatives, and note which of them cannot work."""
    mixes = [study.mix(point) for point in probed(study)]
    for mix in _different(mixes, lambda mix: mix.network):
        _probe_network(mix.network, problems)
    for mix in _different(mixes, lambda mix: mix.task):
        _probe_task(mix, problems)
    for mix in _different(mixes, lambda mix: mix.training):
        for key, text in training_problems(mix.training):
            problems.add(("training", key), text)
    _probe_search(study, problems)


def probed(study: Study) -> Iterator[Point]:
    """All points of a small study; else each alternative once, the others at their first."""
    if study.size <= ALL:
        yield from study.points()
        return
    base = [0] * len(study.axes)
    yield tuple(base)
    for axis, alternatives in enumerate(study.axes):
        for position in range(1, len(alternatives.labels)):
            yield (*base[:axis], position, *base[axis + 1 :])


def _different(mixes: Sequence[Mix], part: Callable[[Mix], object]) -> Iterator[Mix]:
    """One mix for each different value of a part."""
    return iter({part(mix): mix for mix in reversed(mixes)}.values())


def _probe_network(network: Network, problems: Problems) -> None:
    try:
        with torch.device("meta"):
            build(network)
    except (ValueError, RuntimeError, TypeError, ArithmeticError, AssertionError) as error:
        text = str(error).partition("\n")[0]
        slot = _SLOT.match(text)
        path = slot_path(slot[1], slot[2]) if slot else ("network",)
        text = text[slot.end() :] if slot else text
        if not isinstance(error, ValueError):
            text = f"cannot be built: {type(error).__name__}: {text}"
        problems.add(path, text)


def slot_path(name: str, position: str) -> Path:
    """Where a slot stands in the file: ("network", "stage", 1) for stage2."""
    return ("network", name, int(position) - 1) if position else ("network", name)


def _probe_task(mix: Mix, problems: Problems) -> None:
    for test in (lambda: check_task(mix.task), lambda: check(mix.task.degradation)):
        try:
            test()
        except ValueError as error:
            problems.add(("task", "degradation"), str(error))


def _probe_search(study: Study, problems: Problems) -> None:
    """A strategy rejects its knobs itself: let it propose for a study of one mix."""
    settled = tuple(
        replace(question, answers=question.answers[:1], labels=question.labels[:1])
        for question in study.questions
    )
    try:
        propose(replace(study, questions=settled), [], study.search.name, study.search.settings)
    except ValueError as error:
        problems.add(("search",), f"{study.search.name}: {error}")
