"""The task and training tables: what is restored, and how every mix is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablate.mix import Training
from ablate.study.alternatives import Reader
from ablate.study.labels import loss_label, value_label
from ablate.study.lines import Path
from ablate.study.places import Problems
from ablate.study.questions import Question
from ablate.study.rules import SEEDS, TIMEOUT, TRAINING, WEIGHT
from ablate.study.tables import (
    as_table,
    check_bounds,
    named_table,
    settings_of,
    unknown_key,
)
from ablate.study.values import show
from ablate.tasks.data import sources
from ablate.tasks.degradations import degradations
from ablate.training.losses import losses
from blocks import Registry

DEFAULT_SEEDS = 3  # the fewest that support a claim

Losses = tuple[tuple[str, float], ...]


def read_task(raw: object, problems: Problems) -> list[Question]:
    """What is done to which images."""
    path: Path = ("task",)
    table = as_table(raw, path, problems)
    data_path: Path = ("task", "data")
    data = {"source": "photos", **as_table(table.get("data", {}), data_path, problems)}
    if "degradation" not in table and _is_paired(data["source"]):
        table = {"degradation": "given", **table}
    questions = []
    if "degradation" in table:
        reader = Reader(degradations, problems)
        questions += named_table(
            table, "degradation", ("task", "degradation"), path, reader, ("data",)
        )
    else:
        problems.add(path, 'degradation is missing; write degradation = "gaussian_noise"')
    reader = Reader(sources, problems)
    return questions + named_table(data, "source", ("task", "data"), data_path, reader)


def _is_paired(source: object) -> bool:
    return (
        isinstance(source, str) and source in sources and bool(sources[source].facts.get("paired"))
    )


def read_seeds(raw: object, problems: Problems) -> int:
    """How many seeds each mix is trained with."""
    path: Path = ("training", "seeds")
    if isinstance(raw, list):
        text = f"seeds says how many, not which; write seeds = {max(len(raw), 1)}; got {show(raw)}"
        problems.add(path, text)
        return DEFAULT_SEEDS
    values = Reader(Registry("value"), problems).values(raw, int, "seeds", path)
    for value in values:
        check_bounds("seeds", value, {"seeds": SEEDS}, path, problems)
    return int(str(values[0])) if values else DEFAULT_SEEDS


def read_timeout(raw: object, problems: Problems) -> float:
    """Seconds that a trial may take; 0 for as long as it needs."""
    path: Path = ("training", "timeout")
    if isinstance(raw, list):
        text = f"timeout is one number of seconds for all trials; got {show(raw)}"
        problems.add(path, text)
        return 0.0
    values = Reader(Registry("value"), problems).values(raw, float, "timeout", path)
    for value in values:
        check_bounds("timeout", value, {"timeout": TIMEOUT}, path, problems)
    return float(str(values[0])) if values else 0.0


def read_training(raw: object, problems: Problems) -> list[Question]:
    """Every field that the table gives; the others keep their defaults."""
    table = as_table(raw, ("training",), problems)
    if "rate" in table and "rates" in table:
        text = "rate is not used where rates are tried; leave rate or rates out"
        problems.add(("training", "rates"), text)
    if "probe" in table and "rates" not in table:
        text = "probe says how long each of several rates is tried; write rates, or leave it out"
        problems.add(("training", "probe"), f"{text}; got probe = {show(table['probe'])}")
    questions = []
    for key, value in table.items():
        if key == "loss":
            questions += _loss(value, problems)
        elif key not in ("seeds", "timeout"):
            questions += _field(key, value, problems)
    return questions


def _field(key: str, raw: object, problems: Problems) -> list[Question]:
    path: Path = ("training", key)
    knobs = settings_of(Training).knobs
    if key not in knobs:
        problems.add(path, unknown_key(key, [*knobs, "seeds", "timeout"]))
        return []
    values = Reader(Registry("value"), problems).values(raw, knobs[key].type, key, path)
    for value in values:
        check_bounds(key, value, TRAINING, path, problems)
    labels = tuple(value_label(value) for value in values)
    question = Question(place=path_words(path), name=key, answers=tuple(values), labels=labels)
    return [question] if values else []


def path_words(path: Path) -> tuple[str, ...]:
    """A path without positions."""
    return tuple(str(part) for part in path)


def _loss(raw: object, problems: Problems) -> list[Question]:
    """One loss, a weighted sum of several, or a list of such alternatives."""
    path: Path = ("training", "loss")
    reader = Reader(losses, problems)
    sums = (
        reader.distinct(raw, path, lambda item, at: _sums(item, at, reader))
        if isinstance(raw, list)
        else _sums(raw, path, reader)
    )
    labels = tuple(loss_label(terms) for terms in sums)
    question = Question(
        place=("training", "loss"), name="loss", answers=tuple(sums), labels=labels, plain=True
    )
    return [question] if sums else []


def _sums(raw: object, path: Path, reader: Reader) -> list[Losses]:
    weights: Any = {raw: 1.0} if isinstance(raw, str) else raw
    if not isinstance(weights, Mapping) or not weights:
        example = "a name, or weights such as { l1 = 1.0, fft_l1 = 0.1 }"
        reader.problems.add(path, f"loss must be {example}; got {show(raw)}")
        return []
    known = [name for name in sorted(weights) if reader.entry(name, path)]
    options = [_weights(name, weights[name], (*path, name), reader) for name in known]
    return [tuple(zip(known, values, strict=True)) for values in reader.multiplied(options, path)]


def _weights(name: str, raw: object, path: Path, reader: Reader) -> list[float]:
    what = f"the weight of {name}"
    values = [float(str(value)) for value in reader.values(raw, float, what, path)]
    for value in values:
        check_bounds(what, value, {what: WEIGHT}, path, reader.problems)
    return values
