"""Short names for the alternatives of an axis, made of what tells them apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ablate.mix import Choice, Value
from ablate.study.alternatives import default_of
from ablate.study.values import number
from blocks import REQUIRED, Registry

Shown = dict[tuple[str, str], object]
"""The knobs to show, by choice and knob, each with the value that goes without saying."""


def pattern_labels(
    patterns: Sequence[tuple[Choice, ...]], registry: Registry[Any]
) -> tuple[str, ...]:
    """One label for each way of filling a stage: "rdcnn", "mwsa window=16", "emvm+mwsa".

    A knob is shown where it differs among the alternatives; where several do, those at their
    default go without saying. Where none differs, those off their default are shown.
    """
    shown = _telling(patterns, registry)
    return tuple("+".join(_choice(choice, shown) for choice in pattern) for pattern in patterns)


def choice_labels(choices: Sequence[Choice], registry: Registry[Any]) -> tuple[str, ...]:
    """The same for single choices: degradations, data, topologies."""
    return pattern_labels([(choice,) for choice in choices], registry)


def value_labels(values: Sequence[Value], registry: Registry[Any]) -> tuple[str, ...]:
    """The same for the values of a knob, which may hold choices."""
    shown = _telling([values], registry)
    return tuple(_inner(value, shown) for value in values)


def value_label(value: object) -> str:
    """A knob's value: 25, 0.5, true, linear, [8, 8]."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return number(value)
        case tuple():
            return f"[{', '.join(value_label(item) for item in value)}]"
    return str(value)


def loss_label(losses: Sequence[tuple[str, float]]) -> str:
    """A weighted sum: "l1 + 0.1 fft_l1"."""
    return " + ".join(
        name if weight == 1 else f"{number(weight)} {name}" for name, weight in losses
    )


def _choice(choice: Choice, shown: Shown) -> str:
    told = [(k, v) for k, v in choice.knobs if v != shown.get((choice.name, k), v)]
    return " ".join([choice.name, *(f"{knob}={_inner(value, shown)}" for knob, value in told)])


def _inner(value: Value, shown: Shown) -> str:
    if isinstance(value, tuple) and any(isinstance(item, Choice) for item in value):
        return f"[{', '.join(_inner(item, shown) for item in value)}]"
    return _choice(value, shown) if isinstance(value, Choice) else value_label(value)


def _telling(patterns: Iterable[Iterable[Value]], registry: Registry[Any]) -> Shown:
    """The knobs to show of each choice."""
    values: dict[str, dict[str, set[Value]]] = {}
    for choice in _all(item for pattern in patterns for item in pattern):
        for knob, value in choice.knobs:
            values.setdefault(choice.name, {}).setdefault(knob, set()).add(value)
    shown: Shown = {}
    for name, knobs in values.items():
        different = {knob for knob, found in knobs.items() if len(found) > 1}
        default = {knob: default_of(registry, name, knob) for knob in knobs}
        unusual = {knob for knob, found in knobs.items() if found != {default[knob]}}
        silent = default if len(different) != 1 else {}
        shown |= {(name, knob): silent.get(knob, REQUIRED) for knob in different or unusual}
    return shown


def _all(choices: Iterable[Value]) -> Iterator[Choice]:
    """Choices and those inside their knobs."""
    for choice in choices:
        if isinstance(choice, tuple):
            yield from _all(choice)
        elif isinstance(choice, Choice):
            yield choice
            yield from _all(value for _, value in choice.knobs)
