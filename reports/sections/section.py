"""What every section of the report is: a function from what was found to data and words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from reports.answering.answer import Answer
from reports.numbers.found import Found

T = TypeVar("T")


@dataclass(frozen=True)
class Given:
    """What a section is made from.

    Args:
        record: The run's record, for what is too large to be in `found`: pictures.
        found: The numbers.
        said: The answer.
    """

    record: Path
    found: Found
    said: Answer


@dataclass(frozen=True)
class Part:
    """A section as this run has it.

    Args:
        name: Its anchor in the page, and the name of its template, style and script.
        shown: Its data; the template sees it under this name.
        markdown: Its lines in Markdown.
        data: What its script needs, found in `report.data` under the section's name.
        anchors: Key of each mix whose trials it lists -> where they stand in the page.
    """

    name: str
    shown: object
    markdown: tuple[str, ...]
    data: Mapping[str, object] = field(default_factory=dict)
    anchors: Mapping[str, str] = field(default_factory=dict)


class Makes(Protocol):
    """Whatever makes a part; a `Section` does."""

    def part(self, given: Given) -> Part | None:
        """The section of this run, or None where it has nothing to say."""


def _none(_: object) -> Mapping[str, object]:
    return {}


def _nowhere(_: object) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Section(Generic[T]):
    """A section of the report: one file in this folder, one template, one line in `contents`.

    Args:
        name: As in templates/sections/NAME.html, styles/NAME.css and scripts/NAME.js.
        collect: Its data; None where there is nothing to say.
        markdown: The same in Markdown, line by line, heading included.
        data: What its script needs.
        anchors: Key of each mix whose trials it lists -> where they stand in the page.
    """

    name: str
    collect: Callable[[Given], T | None]
    markdown: Callable[[T], list[str]]
    data: Callable[[T], Mapping[str, object]] = _none
    anchors: Callable[[T], Mapping[str, str]] = _nowhere

    def part(self, given: Given) -> Part | None:
        """The section of this run, or None where it has nothing to say."""
        shown = self.collect(given)
        if shown is None:
            return None
        lines = tuple(self.markdown(shown))
        return Part(self.name, shown, lines, self.data(shown), self.anchors(shown))
