"""The network table: which blocks fill each stage, how deep, and how the stages are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from ablate.footing import Footing
from ablate.mix import Choice
from ablate.study.alternatives import Reader
from ablate.study.labels import pattern_labels
from ablate.study.lines import Path
from ablate.study.places import Problems
from ablate.study.questions import Place, Question, Slot
from ablate.study.rules import DEPTH, REPEAT, Bounds
from ablate.study.tables import (
    Table,
    as_table,
    check_bounds,
    named_table,
    settings_of,
    unknown_key,
)
from ablate.study.values import show
from ablate.topologies import topologies
from blocks import blocks

Pattern = tuple[Choice, ...]
Slots = dict[str, tuple[Slot, ...]]

DECODER = "decoder"


def read_network(raw: object, problems: Problems) -> tuple[list[Question], Slots]:
    """Questions in the order of the axes, and the places to fill for each topology."""
    path: Path = ("network",)
    table = {"topology": "unet", **as_table(raw, path, problems)}
    extras, arrays = all_extras(), all_numbered()
    others = (*arrays, DECODER, *extras, *settings_of(Footing).knobs)
    reader = Reader(topologies, problems)
    if "width" in table and "widths" in table:
        text = "width is not used where widths are given; leave width or widths out"
        problems.add(("network", "widths"), text)
    questions = named_table(table, "topology", ("network", "topology"), path, reader, others)
    questions[:1] = [_without_empty_widths(question) for question in questions[:1]]
    names = [choice.name for choice in questions[0].answers] if questions else []
    _check_arrays(table, names, problems)
    stages = _array(table, "stage", problems)
    for position, stage in enumerate(stages):
        questions += _stage(stage, f"stage{position + 1}", ("network", "stage", position), problems)
        questions += _decoder(table, position, problems)
    _check_decoders(table, len(stages), names, problems)
    for array in arrays:
        if array != "stage":
            questions += _repeated(array, _array(table, array, problems), problems)
    for extra in (key for key in table if key in extras):
        questions += _extra(table[extra], extra, names, problems)
    return questions, {name: _slots(name, table) for name in names}


def _without_empty_widths(question: Question) -> Question:
    """Topologies that were given no widths, as studies of before there were such had them."""
    answers = (
        Choice.of(choice.name, {k: v for k, v in choice.knobs if (k, v) != ("widths", ())})
        for choice in question.answers
    )
    return replace(question, answers=tuple(answers))


def _check_arrays(table: Table, names: Sequence[str], problems: Problems) -> None:
    """That the places which a topology numbers are there, and no others."""
    for array in all_numbered():
        lacking = [name for name in names if numbered(name) != array]
        if array in table and lacking:
            text = f"{lacking[0]} has no {array}s; write [[network.{numbered(lacking[0])}]]"
            problems.add(("network", array), text)
    for array in dict.fromkeys(numbered(name) for name in names):
        if array not in table and not any(other in table for other in all_numbered()):
            text = f'no {array} is given; write [[network.{array}]] with block = "rdcnn"'
            problems.add(("network",), text)


def _array(table: Table, side: str, problems: Problems) -> list[Table]:
    """The tables of [[network.stage]], [[network.decoder]] or [[network.group]]."""
    raw, path = table.get(side, []), ("network", side)
    if not isinstance(raw, list):
        problems.add(path, f"write [[network.{side}]] with two brackets, once for each {side}")
        return []
    return [as_table(item, (*path, position), problems) for position, item in enumerate(raw)]


def _repeated(array: str, tables: Sequence[Table], problems: Problems) -> list[Question]:
    """Tables that may stand for several places alike; their axes are named after the first."""
    questions, number = list[Question](), 1
    for position, table in enumerate(tables):
        path: Path = ("network", array, position)
        place = f"{array}{position + 1}"
        own = _repeat(table.get("repeat", 1), place, (*path, "repeat"), problems)
        own += _stage(table, place, path, problems, ("repeat",))
        name = f"{array}{number}"
        questions += [replace(q, name=q.name.replace(place, name, 1)) for q in own]
        number += own[0].answers[0] if own and own[0].place[-1] == "repeat" else 1
    return questions


def _repeat(raw: object, slot: str, path: Path, problems: Problems) -> list[Question]:
    return _number(raw, slot, "repeat", REPEAT, path, problems)


def _stage(
    table: Table, slot: str, path: Path, problems: Problems, others: Sequence[str] = ()
) -> list[Question]:
    """The block and the depth of one place; block is required."""
    if "block" not in table:
        problems.add(path, 'block is missing; write block = "rdcnn", or another block or a list')
    return _override({"depth": 1, **table}, slot, path, problems, others)


def _override(
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


def _decoder(table: Table, position: int, problems: Problems) -> list[Question]:
    decoders = table.get(DECODER, [])
    if not isinstance(decoders, list) or position >= len(decoders):
        return []
    path = ("network", DECODER, position)
    own = as_table(decoders[position], path, problems)
    return _override(own, f"decoder{position + 1}", path, problems)


def _check_decoders(table: Table, count: int, names: Sequence[str], problems: Problems) -> None:
    decoders = _array(table, DECODER, problems)
    for name in names:
        if decoders and not topologies[name].facts.get("decoder"):
            problems.add(("network", DECODER), f"{name} has no decoder stages; leave them out")
    if len(decoders) > count > 0:
        text = f"{len(decoders)} decoder stages for {count} stages; there is one for each, or fewer"
        problems.add(("network", DECODER, count), text)


def _extra(raw: object, slot: str, names: Sequence[str], problems: Problems) -> list[Question]:
    path: Path = ("network", slot)
    for name in names:
        if slot not in extras_of(name):
            has = ", ".join(extras_of(name)) or "none"
            problems.add(path, f"{name} has no {slot}; leave [network.{slot}] out (it has: {has})")
    return _stage(as_table(raw, path, problems), slot, path, problems)


def all_extras() -> tuple[str, ...]:
    """The optional places of all topologies."""
    return tuple(sorted({extra for name in topologies for extra in extras_of(name)}))


def extras_of(topology: str) -> tuple[str, ...]:
    """The optional places of a topology."""
    return cast(tuple[str, ...], topologies[topology].facts.get("extras", ()))


def all_numbered() -> tuple[str, ...]:
    """What the places are called that topologies number: stage first."""
    return tuple(dict.fromkeys(("stage", *(numbered(name) for name in topologies))))


def numbered(topology: str) -> str:
    """What the places of a topology are called that it numbers: stage, or group."""
    return str(topologies[topology].facts.get("numbered", "stage"))


def _slots(topology: str, table: Table) -> tuple[Slot, ...]:
    """Every place of the network, and the questions that fill it."""
    array = numbered(topology)
    raw = table.get(array, [])
    count = len(raw) if isinstance(raw, list) else 0
    slots = [_slot(f"{array}{k + 1}", repeated=array != "stage") for k in range(count)]
    slots += [_slot(extra) for extra in extras_of(topology) if extra in table]
    if topologies[topology].facts.get("decoder"):
        slots += [_mirror(table, k) for k in range(count)]
    return tuple(slots)


def _slot(name: str, *, repeated: bool = False) -> Slot:
    repeat = _place(name, "repeat") if repeated else None
    block, depth = _place(name, "block"), _place(name, "depth")
    return Slot(name=name, block=block, depth=depth, repeat=repeat)


def _mirror(table: Table, position: int) -> Slot:
    """A decoder stage: key by key its own, or else that of the encoder."""
    decoders = table.get(DECODER, [])
    own = decoders[position] if isinstance(decoders, list) and position < len(decoders) else {}
    name = f"decoder{position + 1}"
    sides = {
        key: name if isinstance(own, Mapping) and key in own else f"stage{position + 1}"
        for key in ("block", "depth")
    }
    block, depth = (_place(sides[key], key) for key in ("block", "depth"))
    return Slot(name=name, block=block, depth=depth)


def _place(slot: str, key: str) -> Place:
    return ("network", slot, key)


def _depth(raw: object, slot: str, path: Path, problems: Problems) -> list[Question]:
    return _number(raw, slot, "depth", DEPTH, path, problems)


def _number(
    raw: object, slot: str, key: str, bounds: Bounds, path: Path, problems: Problems
) -> list[Question]:
    values = Reader(blocks, problems).values(raw, int, key, path)
    for value in values:
        check_bounds(key, value, {key: bounds}, path, problems)
    labels = tuple(str(value) for value in values)
    place = _place(slot, key)
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
        place=_place(slot, "block"),
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
