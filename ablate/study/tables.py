"""Tables of a study file that name something registered, and tables of plain settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from ablate.mix import Choice
from ablate.study.alternatives import Reader, unknown_knob
from ablate.study.labels import choice_labels, value_labels
from ablate.study.lines import Path
from ablate.study.places import Problems
from ablate.study.questions import Place, Question
from ablate.study.rules import Bounds
from ablate.study.values import show
from blocks import Entry, Registry, nearest

Table = Mapping[str, Any]
Settings = TypeVar("Settings")


def named_table(
    table: Table, key: str, place: Place, path: Path, reader: Reader, others: Sequence[str] = ()
) -> list[Question]:
    """A table that names something and holds its knobs: `topology = "unet"`, `width = [16, 24]`.

    Args:
        table: What is written; `key` is in it.
        key: Under which key the name stands; it may have several alternatives.
        place: What the name is about; its last word is the axis.
        path: Where the table stands.
        reader: Of the registry that the name is in.
        others: Keys of the table that mean something else.
    """
    beside = [name for name in table if name not in (key, *others)]
    choices = _names(table[key], (*path, key), reader, beside)
    entries = [reader.registry[name] for name in dict.fromkeys(c.name for c in choices)]
    if not entries:
        return []
    names = Question(
        place=place,
        name=place[-1],
        answers=tuple(choices),
        labels=choice_labels(choices, reader.registry),
        plain=True,
    )
    found = [names]
    for name in beside:
        found += _knob_beside(name, table[name], entries, place, (*path, name), reader, others)
    return found


def named_settings(table: Table, key: str, path: Path, reader: Reader) -> Choice | None:
    """The same where nothing is asked: one choice with its knobs, nothing where it is wrong."""
    if reader.entry(table[key], (*path, key)) is None:
        return None
    knobs = {name: value for name, value in table.items() if name != key}
    choices = reader.choices({**knobs, "name": table[key]}, path)
    return choices[0] if choices else None


def settings_of(kind: type[Settings]) -> Entry[type[Settings]]:
    """The fields of a keyword-only dataclass, with types, defaults and docs, as knobs."""
    return Entry(kind.__name__.lower(), kind, {})


def plain_table(
    table: Table,
    kind: type[Settings],
    bounds: Mapping[str, Bounds],
    path: Path,
    problems: Problems,
) -> Settings:
    """A table of plain settings; the defaults stand in for what is wrong."""
    knobs = settings_of(kind).knobs
    reader = Reader(Registry("value"), problems, asks=False)
    values = {}
    for key, raw in table.items():
        if key not in knobs:
            problems.add((*path, key), unknown_key(key, knobs))
            continue
        for value in reader.values(raw, knobs[key].type, key, (*path, key)):
            values[key] = value
            check_bounds(key, value, bounds, (*path, key), problems)
    return kind(**values)


def unknown_key(key: str, known: Mapping[str, object] | Sequence[str]) -> str:
    """That a table has no such key, with the nearest one."""
    return f"no key is named '{key}'{nearest(key, known)} (keys: {', '.join(known)})"


def check_bounds(
    key: str, value: object, bounds: Mapping[str, Bounds], path: Path, problems: Problems
) -> None:
    """Note a number that is outside what makes sense."""
    if key in bounds and bounds[key].breaks(value):
        what = f"each item of {key}" if isinstance(value, tuple) else key
        problems.add(path, f"{what} must be {bounds[key].words}; got {show(value)}")


def as_table(raw: object, path: Path, problems: Problems) -> Table:
    """The table that must stand at a path; an empty one where something else stands."""
    if isinstance(raw, Mapping):
        return raw
    name = ".".join(str(part) for part in path)
    problems.add(path, f"{name} is a table, written [{name}]; got {show(raw)}")
    return {}


def _names(raw: object, path: Path, reader: Reader, beside: Sequence[str]) -> list[Choice]:
    if reader.asks and isinstance(raw, list):
        return reader.distinct(raw, path, lambda item, at: reader.choices(item, at, beside))
    return reader.choices(raw, path, beside)


def _knob_beside(
    name: str,
    raw: object,
    entries: Sequence[Entry[Any]],
    place: Place,
    path: Path,
    reader: Reader,
    others: Sequence[str],
) -> Iterator[Question]:
    """A knob that stands beside the name, and so holds for every alternative of it."""
    for entry in entries:
        if name not in entry.knobs:
            text = unknown_knob(entry, name, others)
            if any(name in other.knobs for other in entries):
                inside = f'{{ name = "...", {name} = {show(raw)} }}'
                text += f"; write it only where it belongs: {inside}"
            reader.problems.add(path, text)
            return
    values = reader.knob_values(entries[0], entries[0].knobs[name], raw, path)
    if values:
        yield Question(
            place=(*place, name),
            name=f"data.{name}" if place[-1] == "data" else name,
            answers=tuple(values),
            labels=value_labels(values, reader.registry),
        )
