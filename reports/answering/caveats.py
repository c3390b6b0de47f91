"""What the intervals of effects allow for, and what they can't."""

from __future__ import annotations

from reports.analysis.effects import Effects
from reports.analysis.estimates import Values
from reports.analysis.seeds import most_seeds
from reports.analysis.statistics import FEWEST_SEEDS
from reports.numbers.units import count, plain


def caveats(effects: Effects, measured: Values, stopped: int = 0) -> tuple[str, ...]:
    """A sentence each; none where every combination was tried with seeds enough.

    Args:
        effects: On the quality.
        measured: What they are from.
        stopped: How many mixes were left at a rung.
    """
    design = measured.model.design
    said = []
    if not effects.complete and effects.tested:
        said.append(
            f"{design.mixes} of {design.combinations:,} combinations were tried; the intervals "
            "allow for what choices may do together in the others. A search that looks more often "
            "at good mixes does not bend the fit, as far as choices interact two at a time."
        )
    elif not effects.complete:
        said.append(
            f"{design.mixes} of {design.combinations:,} combinations were tried, too few to see "
            "whether choices interact: an effect is known only beside the choices it was tried "
            "with."
        )
    if stopped:
        verb = "is" if stopped == 1 else "are"
        said.append(
            f"{count(stopped, 'mix')} stopped at a rung {verb} not in: these are effects among the "
            "mixes that were good enough to go on, and smaller than among all."
        )
    if effects.untold:
        names = ", ".join(map(plain, effects.untold))
        said.append(f"Left out, as they only vary along with other choices: {names}.")
    if measured.noise is None and measured.model.spare:
        said.append(
            "With one seed, the intervals say how mixes scatter around the sum of the effects; "
            "whether another seed agrees is not known."
        )
    elif 0 < measured.seeds < FEWEST_SEEDS:
        most = "" if most_seeds(measured.trials) < FEWEST_SEEDS else ", as most mixes have,"
        said.append(f"{count(measured.seeds, 'seed')}{most} can't support a claim.")
    return tuple(said)
