"""What a report consists of, in the order of the page: a section is added here."""

from __future__ import annotations

from reports.sections import (
    budgets,
    choices,
    crossover,
    drawings,
    fidelity,
    front,
    interactions,
    learning,
    method,
    mixes,
    pictures,
    ranks,
    roofline,
    rungs,
    speed,
    stages,
    swaps,
    trials,
)
from reports.sections.section import Given, Makes, Part

SECTIONS: tuple[Makes, ...] = (
    budgets.SECTION,
    speed.SECTION,
    front.SECTION,
    choices.SECTION,
    interactions.SECTION,
    swaps.SECTION,
    drawings.SECTION,
    pictures.SECTION,
    mixes.SECTION,
    rungs.SECTION,
    ranks.SECTION,
    stages.SECTION,
    roofline.SECTION,
    crossover.SECTION,
    learning.SECTION,
    fidelity.SECTION,
    trials.SECTION,
    method.SECTION,
)


def contents(given: Given) -> tuple[Part, ...]:
    """The sections that have something to say of this run."""
    made = (section.part(given) for section in SECTIONS)
    return tuple(part for part in made if part is not None)
