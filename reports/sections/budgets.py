"""Which mix to take where only so much may be spent, and which others would do as well."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from reports.answering.recommending import Costly, by_cost
from reports.graphics.pipes import escaped, pipe_table
from reports.numbers.found import Found
from reports.numbers.goals import quality_metric
from reports.numbers.objectives import weighed
from reports.numbers.units import count
from reports.sections.section import Given, Section

COSTS = 4  # that have budgets
TRAINING = ("training_memory",)  # costs that nobody who uses a network pays
LAST = ("Behind the best of all (95 %)", "Wins in", "As good, as far as seeds tell")


@dataclass(frozen=True)
class Budgets:
    """The section.

    Args:
        first: By the cost that the study asks about.
        others: By every other cost that was measured.
        draws: How often seeds and timings were drawn again; 0 where they could not be.
    """

    first: Costly
    others: tuple[Costly, ...]
    draws: int


def budgets(found: Found) -> Budgets | None:
    """Budgets by the first costs; None where no mix has both a quality and a cost."""
    names = [name for name in found.cost_metrics if _known_of_all(found, name)]
    made = ((name, by_cost(found, name)) for name in names)
    known = list(islice(((name, each) for name, each in made if each is not None), COSTS))
    if not known:
        return None
    mixes = weighed(found, (quality_metric(found), known[0][0]))
    draws = len(mixes.redrawn.values) if mixes and mixes.redrawn else 0
    return Budgets(known[0][1], tuple(each for _, each in known[1:]), draws)


def collect(given: Given) -> Budgets | None:
    """The same, as a section."""
    return budgets(given.found)


def _known_of_all(found: Found, cost: str) -> bool:
    """Whether a cost is one to be kept low, of the finished network, that most mixes have."""
    known = float(found.ranked[cost].notna().mean())
    return found.metrics[cost].better == "lower" and cost not in TRAINING and known > 0.5


def markdown(shown: Budgets) -> list[str]:
    """A table for the first cost, and one for each other."""
    lines = ["## The mix for each budget", ""]
    for each in (shown.first, *shown.others):
        heads = ("Budget", "Mix", each.quality, each.cost, *LAST)
        rows = []
        for line in each.lines:
            cells = (line.budget, line.best.name, line.quality, line.cost, line.behind, line.wins)
            rows.append(escaped([*cells, line.as_good]))
        lines += [*pipe_table(escaped(heads), "llrrrrl", rows), ""]
        if each.left_out:
            steps = count(each.left_out, "smaller step")
            lines += [f"{steps} of the front left out; the front is in results.csv.", ""]
    return lines


SECTION = Section("budgets", collect, markdown)
