"""The network table: which blocks fill each stage, how deep, and how the stages are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ablate.footing import Footing
from ablate.mix import Choice
from ablate.study.alternatives import Reader
from ablate.study.fillings import read_override, read_repeat, read_stage
from ablate.study.lines import Path
from ablate.study.places import Problems
from ablate.study.questions import Question, Slot
from ablate.study.slots import DECODER, all_extras, all_numbered, extras_of, numbered, slots_of
from ablate.study.tables import (
    Table,
    as_table,
    named_table,
    settings_of,
)
from ablate.topologies import topologies

Slots = dict[str, tuple[Slot, ...]]


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
        questions += read_stage(
            stage, f"stage{position + 1}", ("network", "stage", position), problems
        )
        questions += _decoder(table, position, problems)
    _check_decoders(table, len(stages), names, problems)
    for array in arrays:
        if array != "stage":
            questions += _repeated(array, _array(table, array, problems), problems)
    for extra in (key for key in table if key in extras):
        questions += _extra(table[extra], extra, names, problems)
    return questions, {name: slots_of(name, table) for name in names}


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
        own = read_repeat(table.get("repeat", 1), place, (*path, "repeat"), problems)
        own += read_stage(table, place, path, problems, ("repeat",))
        name = f"{array}{number}"
        questions += [replace(q, name=q.name.replace(place, name, 1)) for q in own]
        number += own[0].answers[0] if own and own[0].place[-1] == "repeat" else 1
    return questions


def _decoder(table: Table, position: int, problems: Problems) -> list[Question]:
    decoders = table.get(DECODER, [])
    if not isinstance(decoders, list) or position >= len(decoders):
        return []
    path = ("network", DECODER, position)
    own = as_table(decoders[position], path, problems)
    return read_override(own, f"decoder{position + 1}", path, problems)


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
    return read_stage(as_table(raw, path, problems), slot, path, problems)
