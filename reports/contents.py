"""What a report consists of, in the order of the page: a section is added here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reports.numbers.found import Found
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


def contents(
    given: Given, shown_budgets: Callable[[Found], budgets.Budgets | None] = budgets.budgets
) -> tuple[Part, ...]:
    """The sections that have something to say of this run.

    Args:
        given: What they are made from.
        shown_budgets: Makes the budgets, maybe elsewhere meanwhile, so it is asked last.
    """
    elsewhere = replace(budgets.SECTION, collect=lambda given: shown_budgets(given.found))
    made = {each: each.part(given) for each in SECTIONS if each is not budgets.SECTION}
    if budgets.SECTION in SECTIONS:
        made[budgets.SECTION] = elsewhere.part(given)
    return tuple(part for each in SECTIONS if (part := made[each]) is not None)
