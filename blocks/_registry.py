"""Names for the things a study can ask for, and the knobs that each of them has.

One class serves blocks, topologies, degradations, losses, metrics and strategies:
a thing is registered under its own name and its signature is its schema.
Parameters before the star are supplied by the program, parameters after it are knobs.
"""

from __future__ import annotations

import difflib
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

Made = TypeVar("Made", bound=Callable[..., Any])

REQUIRED: typing.Final = inspect.Parameter.empty


class UnknownName(ValueError):
    """A name that nothing is registered under; the message holds the nearest valid one."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """A ready-made "; did you mean 'x'?" for an error message, or nothing when none is near."""
    close = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


@dataclass(frozen=True)
class Knob:
    """A keyword-only argument: what a study may turn. `default` is REQUIRED where there is none."""

    name: str
    type: Any
    default: object
    doc: str


@dataclass(frozen=True)
class Entry(Generic[Made]):
    """A registered thing: its name, how to make it, and the facts given when it was registered."""

    name: str
    make: Made
    facts: Mapping[str, object]

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.make) or "").partition("\n")[0]

    @cached_property
    def knobs(self) -> Mapping[str, Knob]:
        """The keyword-only arguments by name, in the order of the signature."""
        target = self.make.__init__ if inspect.isclass(self.make) else self.make
        hints, docs = typing.get_type_hints(target), _argument_docs(self.make)
        return {
            p.name: Knob(p.name, hints[p.name], p.default, docs.get(p.name, ""))
            for p in inspect.signature(target).parameters.values()
            if p.kind is p.KEYWORD_ONLY
        }

    @cached_property
    def supplied(self) -> tuple[str, ...]:
        """The arguments before the star, which the program supplies (`self` left out)."""
        parameters = inspect.signature(self.make).parameters.values()
        return tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)


class Registry(Generic[Made]):
    """Things of one kind by name; an unknown name is an error that says the nearest one."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry[Made]] = {}

    def register(self, *, name: str | None = None, **facts: object) -> Callable[[Made], Made]:
        """Decorator: register under `name`, or under the thing's own name in snake case.

        Raises:
            ValueError: The name is taken.
        """

        def enter(make: Made) -> Made:
            key = name or _snake(getattr(make, "__name__", ""))
            if key in self._entries:
                raise ValueError(f"two things are registered as {self.kind} '{key}'")
            self._entries[key] = Entry(key, make, facts)
            return make

        return enter

    def __getitem__(self, name: str) -> Entry[Made]:
        if name not in self._entries:
            hint = nearest(name, self._entries)
            known = ", ".join(sorted(self._entries))
            raise UnknownName(
                f"no {self.kind} is named '{name}'{hint} ({_plural(self.kind)}: {known})"
            )
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)


def _plural(kind: str) -> str:
    if kind.endswith("y"):
        return f"{kind[:-1]}ies"
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _argument_docs(make: Callable[..., Any]) -> dict[str, str]:
    """The `Args:` section of a docstring (the class's own, for a class) by argument."""
    _, _, section = (inspect.getdoc(make) or "").partition("\nArgs:\n")
    docs: dict[str, str] = {}
    current = ""
    for line in section.splitlines():
        if line and not line.startswith(" "):
            break
        if match := re.match(r"    (\w+): (.*)", line):
            current, text = match.groups()
            docs[current] = text
        elif current and line.strip():
            docs[current] += " " + line.strip()
    return docs
