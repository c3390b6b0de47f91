"""What a report consists of, in the order of the page: a section is added here."""

from __future__ import annotations

from reports.sections import (
    choices,
    learning,
    method,
    mixes,
    pictures,
    ranks,
    rungs,
    speed,
    stages,
)
from reports.sections.section import Given, Makes, Part

SECTIONS: tuple[Makes, ...] = (
    speed.SECTION,
    choices.SECTION,
    pictures.SECTION,
    mixes.SECTION,
    rungs.SECTION,
    ranks.SECTION,
    stages.SECTION,
    learning.SECTION,
    method.SECTION,
)


def contents(given: Given) -> tuple[Part, ...]:
    """The sections that have something to say of this run."""
    made = (section.part(given) for section in SECTIONS)
    return tuple(part for part in made if part is not None)
