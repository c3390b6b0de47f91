"""A list is a question: what a study file writes, turned into the alternatives it stands for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from ablate.mix import Choice, Value
from ablate.study.lines import Path
from ablate.study.places import Problems
from ablate.study.values import describe, is_tuple, items, read_scalar, show
from blocks import REQUIRED, Entry, Knob, Registry, UnknownName, nearest

Item = TypeVar("Item")

MOST = 10_000  # alternatives of one axis; beyond it a list inside a list was surely not meant


class Reader:
    """Reads names and knobs of one registry; what is wrong goes to `problems`.

    Every method returns all alternatives: one where one value was written, none where it was
    wrong.

    Args:
        registry: What names are looked up in.
        problems: Where mistakes go.
        asks: Whether a list where one value is expected is a question; else it is a mistake.
    """

    def __init__(self, registry: Registry[Any], problems: Problems, *, asks: bool = True) -> None:
        self.registry = registry
        self.problems = problems
        self.asks = asks

    def distinct(
        self, raw: Sequence[object], path: Path, read: Callable[[object, Path], list[Item]]
    ) -> list[Item]:
        """The alternatives of all items of a list; an empty list and a repetition are mistakes."""
        if not raw:
            self.problems.add(path, f"{path[-1]} = [] asks nothing; write at least one value")
        found: list[Item] = []
        for position, item in enumerate(raw):
            for value in read(item, (*path, position)):
                if value in found:
                    text = f"{path[-1]} lists {show(item)} twice; each alternative is tried once"
                    self.problems.add((*path, position), text)
                else:
                    found.append(value)
        return found

    def entry(self, name: object, path: Path) -> Entry[Any] | None:
        """What is registered under a name."""
        try:
            return self.registry[name if isinstance(name, str) else show(name)]
        except UnknownName as error:
            self.problems.add(path, str(error))
            return None

    def choices(self, raw: object, path: Path, beside: Container[str] = ()) -> list[Choice]:
        """`"mwsa"` or `{ name = "mwsa", window = [8, 16] }`; lists of knob values multiply.

        Args:
            raw: What is written.
            path: Where.
            beside: Knobs that are given elsewhere; the choices are without them.
        """
        written: object = {"name": raw} if isinstance(raw, str) else raw
        if isinstance(raw, Choice):  # the default of a knob
            written = {**raw.settings, "name": raw.name}
        if not isinstance(written, Mapping) or not isinstance(written.get("name"), str):
            example = f'"{self._example()}" or {{ name = "{self._example()}" }}'
            kind = self.registry.kind
            self.problems.add(path, f"a {kind} is written {example}; got {show(raw)}")
            return []
        entry = self.entry(written["name"], path)
        if entry is None:
            return []
        knobs = {key: value for key, value in written.items() if key != "name"}
        for key in knobs:
            if key not in entry.knobs:
                self.problems.add((*path, key), unknown_knob(entry, key))
            elif key in beside:
                text = f"{entry.name} {key} is given twice, in the braces and beside them"
                self.problems.add((*path, key), text)
        return self._combinations(entry, knobs, path, beside)

    def knob_values(self, entry: Entry[Any], knob: Knob, raw: object, path: Path) -> list[Value]:
        """The alternatives of one knob; `path` leads to the value."""
        return self.values(raw, knob.type, f"{entry.name} {knob.name}", path)

    def values(self, raw: object, kind: object, what: str, path: Path) -> list[Value]:
        """The alternatives of a value of type `kind`; `what` names it in a message."""
        if self.asks and _is_question(raw, kind):
            return self.distinct(
                cast(list[object], raw), path, lambda item, at: self._one(item, kind, what, at)
            )
        return self._one(raw, kind, what, path)

    def multiplied(self, options: Sequence[Sequence[Item]], path: Path) -> list[tuple[Item, ...]]:
        """Every combination of one item of each; too many are a mistake."""
        count = math.prod(len(option) for option in options)
        if count > MOST:
            text = f"{count} alternatives in one place; at most {MOST} are sensible"
            self.problems.add(path, text)
            return []
        return list(itertools.product(*options))

    def _combinations(
        self, entry: Entry[Any], written: Mapping[str, object], path: Path, beside: Container[str]
    ) -> list[Choice]:
        """The entry with every combination of the written knobs, defaults filled in."""
        knobs = [knob for knob in entry.knobs.values() if knob.name not in beside]
        options = [self._knob(entry, knob, written, path) for knob in knobs]
        names = [knob.name for knob in knobs]
        return [
            Choice.of(entry.name, dict(zip(names, values, strict=True)))
            for values in self.multiplied(options, path)
        ]

    def _knob(
        self, entry: Entry[Any], knob: Knob, written: Mapping[str, object], path: Path
    ) -> list[Value]:
        raw = written.get(knob.name, knob.default)
        if raw is REQUIRED:
            text = f"{entry.name} needs {knob.name}, {describe(knob.type)}"
            self.problems.add(path, f"{text}: {knob.doc}" if knob.doc else text)
            return []
        return self.knob_values(entry, knob, raw, (*path, knob.name))

    def _one(self, raw: object, kind: object, what: str, path: Path) -> list[Value]:
        if is_tuple(kind):
            return self._tuples(raw, kind, what, path)
        if kind is Choice:
            return list(self.choices(raw, path))
        try:
            return [read_scalar(raw, kind)]
        except ValueError as error:
            hint = "; here a list is no question" if isinstance(raw, list) else ""
            self.problems.add(path, f"{what} {error}{hint}")
            return []

    def _tuples(self, raw: object, kind: object, what: str, path: Path) -> list[Value]:
        kinds = items(kind, len(raw)) if isinstance(raw, list | tuple) else ()
        if not isinstance(raw, list | tuple) or len(kinds) != len(raw):
            self.problems.add(path, f"{what} must be {describe(kind)}; got {show(raw)}")
            return []
        options = [
            self.values(item, inner, f"{what}, item {position + 1},", (*path, position))
            for position, (item, inner) in enumerate(zip(raw, kinds, strict=True))
        ]
        return list(self.multiplied(options, path))

    def _example(self) -> str:
        return next(iter(self.registry), "name")


def default_of(registry: Registry[Any], name: str, knob: str) -> Value:
    """A knob's default as a mix holds it; None where the knob is required."""
    entry = registry[name]
    if entry.knobs[knob].default is REQUIRED:
        return None
    reader = Reader(registry, Problems(name), asks=False)
    found = reader.knob_values(entry, entry.knobs[knob], entry.knobs[knob].default, (knob,))
    reader.problems.raise_if_any()
    return found[0]


def unknown_knob(entry: Entry[Any], key: str, others: Iterable[str] = ()) -> str:
    """That an entry has no such knob, with the nearest of its knobs and of the other keys."""
    knobs = sorted(entry.knobs)
    listed = ", ".join(knobs) if knobs else "none"
    hint = nearest(key, [*knobs, *others])
    return f"no {entry.name} knob is named '{key}'{hint} (knobs: {listed})"


def _is_question(raw: object, kind: object) -> bool:
    if not isinstance(raw, list):
        return False
    return not is_tuple(kind) or (bool(raw) and all(isinstance(item, list) for item in raw))
