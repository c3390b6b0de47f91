"""What fills one place of a network: its blocks, in a cycle or alone, and how deep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablate.mix import Choice
from ablate.study.alternatives import Reader
from ablate.study.labels import pattern_labels
from ablate.study.lines import Path
from ablate.study.places import Problems
from ablate.study.questions import Question
from ablate.study.rules import DEPTH, REPEAT, Bounds
from ablate.study.slots import all_numbered, place_of
from ablate.study.tables import Table, check_bounds, unknown_key
from ablate.study.values import show
from blocks import blocks

Pattern = tuple[Choice, ...]


def read_stage(
    table: Table, slot: str, path: Path, problems: Problems, others: Sequence[str] = ()
) -> list[Question]:
    """The block and the depth of one place; block is required."""
    if "block" not in table:
        problems.add(path, 'block is missing; write block = "rdcnn", or another block or a list')
    return read_override({"depth": 1, **table}, slot, path, problems, others)


def read_override(
    table: Table, slot: str, path: Path, problems: Problems, others: Sequence[str] = ()
) -> list[Question]:
    """What a place says itself; what it leaves out is not among the questions."""
    questions = []
    for key in table:
        if key not in ("block", "depth", *others):
            problems.add((*path, key), _unknown_stage_key(table, key, others))
    if "block" in table:
        questions += _blocks(table["block"], slot, (*path, "block"), problems)
    if "depth" in table:
        questions += _depth(table["depth"], slot, (*path, "depth"), problems)
    return questions


def _unknown_stage_key(table: Table, key: str, others: Sequence[str]) -> str:
    text = unknown_key(key, ("block", "depth", *others))
    name = table["block"] if isinstance(table.get("block"), str) else "..."
    if any(key in blocks[block].knobs for block in blocks):
        inside = f'block = {{ name = "{name}", {key} = {show(table[key])} }}'
        text += f"; a knob goes with its block: {inside}"
    return text


def read_repeat(raw: object, slot: str, path: Path, problems: Problems) -> list[Question]:
    """How many places alike it stands for."""
    return _number(raw, slot, "repeat", REPEAT, path, problems)


def _depth(raw: object, slot: str, path: Path, problems: Problems) -> list[Question]:
    return _number(raw, slot, "depth", DEPTH, path, problems)


def _number(
    raw: object, slot: str, key: str, bounds: Bounds, path: Path, problems: Problems
) -> list[Question]:
    values = Reader(blocks, problems).values(raw, int, key, path)
    for value in values:
        check_bounds(key, value, {key: bounds}, path, problems)
    labels = tuple(str(value) for value in values)
    place = place_of(slot, key)
    question = Question(place=place, name=f"{slot}.{key}", answers=tuple(values), labels=labels)
    return [question] if values else []


def _blocks(raw: object, slot: str, path: Path, problems: Problems) -> list[Question]:
    reader = Reader(blocks, problems)
    patterns = (
        reader.distinct(raw, path, lambda item, at: _patterns(item, at, reader))
        if isinstance(raw, list)
        else _patterns(raw, path, reader)
    )
    question = Question(
        place=place_of(slot, "block"),
        name=slot,
        answers=tuple(patterns),
        labels=pattern_labels(patterns, blocks),
        plain=slot.startswith(all_numbered()),
    )
    return [question] if patterns else []


def _patterns(raw: object, path: Path, reader: Reader) -> list[Pattern]:
    """The alternatives of one item of `block`: a block or a cycle of blocks."""
    if not isinstance(raw, Mapping) or "cycle" not in raw:
        return [(choice,) for choice in reader.choices(raw, path)]
    for key in raw:
        if key != "cycle":
            reader.problems.add((*path, key), unknown_key(key, ("cycle",)))
    cycle: Any = raw["cycle"]
    if not isinstance(cycle, list) or not cycle:
        text = f'cycle takes a list of blocks, as in cycle = ["emvm", "mwsa"]; got {show(cycle)}'
        reader.problems.add(path, text)
        return []
    options = [
        _turn(item, (*path, "cycle", position), reader) for position, item in enumerate(cycle)
    ]
    return list(dict.fromkeys(_shortest(turns) for turns in reader.multiplied(options, path)))


def _turn(raw: object, path: Path, reader: Reader) -> list[Choice]:
    """One position of a cycle; a list there is a question too."""
    if isinstance(raw, Mapping) and "cycle" in raw:
        reader.problems.add(path, "a cycle cannot hold a cycle; write its blocks out in one list")
        return []
    if isinstance(raw, list):
        return reader.distinct(raw, path, lambda item, at: _turn(item, at, reader))
    return reader.choices(raw, path)


def _shortest(turns: Pattern) -> Pattern:
    """A cycle that repeats itself is the shorter cycle."""
    for length in range(1, len(turns)):
        if len(turns) % length == 0 and turns[:length] * (len(turns) // length) == turns:
            return turns[:length]
    return turns
