"""The keys of a study that ask for equal footing, and what they mean for its mixes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ablate.amounts import read_amount
from ablate.footing import Footing, FootingError
from ablate.footing.asked import WIDEST
from ablate.study.lines import Path
from ablate.study.places import Problems
from ablate.study.questions import Question
from ablate.study.rules import Bounds
from ablate.study.study import Study
from ablate.study.tables import Table, plain_table, settings_of
from ablate.study.values import show

FOOTING: Mapping[str, Bounds] = {
    "equal_to": Bounds(above=0),
    "equal_within": Bounds(above=0, high=WIDEST),
}


def footing_keys() -> tuple[str, ...]:
    """The keys of the network table that are about footing."""
    return tuple(settings_of(Footing).knobs)


def read_footing(raw: object, questions: Sequence[Question], problems: Problems) -> Footing | None:
    """What is asked of the cost of all mixes; None where nothing is.

    Args:
        raw: The network table.
        questions: Everything that the study settles or asks.
        problems: Where mistakes go.
    """
    table = raw if isinstance(raw, Mapping) else {}
    path: Path = ("network",)
    written = {key: value for key, value in table.items() if key in footing_keys()}
    if "equal" not in written:
        for key in written:
            text = f'{key} says more about equal, which is missing; write equal = "macs"'
            problems.add((*path, key), text)
        return None
    footing = _read(written, path, problems)
    _check_axes(footing, questions, path, problems)
    return footing


def footing_to_come(network: Mapping[str, Any], problems: Problems) -> Footing:
    """What a study of equal latency asks, as long as its latency model is still to be made.

    Args:
        network: The network table.
        problems: Where mistakes go.
    """
    written = {key: value for key, value in network.items() if key in footing_keys()}
    return _read({"equal_model": "to come", **written}, ("network",), problems)


def _read(written: Table, path: Path, problems: Problems) -> Footing:
    """The settings; `equal_to` may be a number or text."""
    given: Any = written.get("equal_to", "")
    rest = {key: value for key, value in written.items() if key != "equal_to"}
    footing = plain_table({"equal": "macs", **rest}, Footing, FOOTING, path, problems)
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if not number and not isinstance(given, str):
        text = (
            f'equal_to must be an amount, such as "1.5 G", or the label of a mix; got {show(given)}'
        )
        problems.add((*path, "equal_to"), text)
        return footing
    if number and (FOOTING["equal_to"].breaks(given) or math.isinf(given)):
        problems.add((*path, "equal_to"), f"equal_to must be above 0 and finite; got {show(given)}")
        return footing
    if footing.equal == "latency" and not footing.equal_model:
        text = (
            "equal latency needs a latency model first: ablate latency-model STUDY; then write "
            'equal_model = "FILE"'
        )
        problems.add((*path, "equal"), text)
    if footing.equal != "latency" and footing.equal_model:
        text = f"equal_model is for equal = 'latency'; got equal = '{footing.equal}'"
        problems.add((*path, "equal_model"), text)
    return replace(footing, equal_to=float(given) if number else given)


def _check_axes(
    footing: Footing, questions: Sequence[Question], path: Path, problems: Problems
) -> None:
    """That what is solved for is not asked as well."""
    for question in questions:
        last = question.place[-1]
        solved = {"width": ("width", "widths"), "depth": ("depth",)}
        names = solved.get(footing.equal_by, ("width", "widths", "depth"))
        if question.place[0] == "network" and last in names and len(question.answers) > 1:
            text = (
                f"equal_by = '{footing.equal_by}' solves for {question.name}, which is a question "
                "here; write one value, or solve for the other"
            )
            problems.add((*path, "equal_by"), text)


def check_target(study: Study, problems: Problems) -> None:
    """That a label names a mix, and that the mix that sets the cost can be built as written."""
    footing = study.footing
    if footing is None:
        return
    label = footing.equal_to
    named = isinstance(label, str) and label and read_amount(label, footing.equal) is None
    if named and study.point_of(str(label)) is None:
        first = study.label(study.at(0))
        text = f"equal_to is neither an amount nor the label of a mix, such as '{first}'"
        problems.add(("network", "equal_to"), f"{text}; got {show(label)}")
        return
    try:
        _ = study.target
    except FootingError as error:
        problems.add(("network", "equal"), str(error))
