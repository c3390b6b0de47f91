"""One section of a report by itself, for tests: its data, its HTML, its Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from reports.answering.answer import Answer
from reports.numbers.results import read
from reports.page.rendering import environment
from reports.sections.section import Given, Section

T = TypeVar("T")


def data(section: Section[T], record: Path) -> T | None:
    """What the section has to show of a record."""
    return section.collect(Given(record, read(record), Answer("")))


def html(section: Section[T], shown: T) -> str:
    """The section as the page has it."""
    return environment().get_template(f"sections/{section.name}.html").render(shown=shown)


def markdown(section: Section[T], shown: T) -> str:
    """The section as report.md has it."""
    return "\n".join(section.markdown(shown))
