"""The table of contents of the page: a word or two for each section."""

from __future__ import annotations

from collections.abc import Iterable

from reports.numbers.units import heading

SHORT = {
    "budgets": "Under a budget",
    "speed": "Accuracy and cost",
    "front": "The front",
    "choices": "Each choice",
    "interactions": "Interactions",
    "swaps": "Swaps",
    "drawings": "Networks",
    "pictures": "Pictures",
    "mixes": "All mixes",
    "rungs": "Left at a rung",
    "ranks": "Ranks by speed",
    "stages": "Cost by stage",
    "roofline": "Roofline",
    "crossover": "Cross-over",
    "curves": "Learning curves",
    "fidelity": "Short and long runs",
    "trials": "Trials",
    "method": "Method",
    "files": "Files",
}


def navigation(names: Iterable[str]) -> list[tuple[str, str]]:
    """Anchor and text of each section, in the order of the page.

    Args:
        names: Of the sections.
    """
    return [(name, SHORT.get(name, heading(name))) for name in names]
