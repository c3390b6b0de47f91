"""The words around the heat maps: which choices interact, and what can't be told."""

from __future__ import annotations

from collections.abc import Sequence

from reports.analysis.estimates import Values
from reports.analysis.interactions import Interaction, Interactions
from reports.numbers.units import Scale, count, percent, plain

NAMED = 6  # pairs that a sentence names


def names(axes: tuple[str, str]) -> str:
    """Two axes as one name."""
    return f"{axes[0]} × {axes[1]}"


def _plain(axes: tuple[str, str]) -> str:
    return names((plain(axes[0]), plain(axes[1])))


def verdict(pair: Interaction, measured: Values) -> str:
    """Whether two axes interact, in words."""
    if pair.interacts:
        return "interact"
    if not measured.claims:
        return "can't be told: too few seeds"
    return "can't be told"


def doubt(mixed_with: Sequence[tuple[str, str]]) -> str:
    """What a pair cannot be told from; "" where there is nothing."""
    if not mixed_with:
        return ""
    return f"These mixes can't tell it from {_list([_plain(axes) for axes in mixed_with])}."


def _list(names: Sequence[str]) -> str:
    shown = list(names[:NAMED])
    if len(names) > NAMED:
        shown.append(f"{len(names) - NAMED} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)


def title(judged: Interactions, shown: Scale) -> str:
    """The heading of the section.

    Args:
        judged: The pairs, the surest first.
        shown: How the quality is shown.
    """
    sure = [pair for pair in judged.pairs if pair.interacts]
    if not sure:
        return "No two choices were shown to interact"
    most = f"{_plain(sure[0].axes)}, by up to {shown.text(sure[0].largest)}"
    if len(sure) == 1:
        return f"Two choices interact: {most}"
    return f"{len(sure)} pairs of choices interact, most surely {most}"


def reading(judged: Interactions, measured: Values, quality: str) -> list[str]:
    """How to read the heat maps, a sentence each."""
    design = measured.model.design
    said = [
        f"What two levels do together to the {quality}, beyond adding up what each does on "
        "average: 0 says that the one choice need not know of the other."
    ]
    if not design.complete:
        said.append(
            "Not every combination was tried: the numbers are fitted beside the effects of all "
            "choices, and intervals allow for what is left over."
        )
    said.append(f"Intervals are {percent(0.95)} each.")
    pairs = f"all {len(judged.pairs)} pairs" if len(judged.pairs) > 1 else "the one pair"
    said.append(
        f"“Interact” is claimed with {percent(0.95)} over {pairs} (F tests, Holm); bold cells are "
        "those that show it. “Can’t be told” does not say that there is no interaction."
    )
    if judged.mixes < design.mixes:
        said.append(f"From {judged.mixes:,} mixes, evenly spaced among all {design.mixes:,}.")
    return said


def untold(judged: Interactions) -> str:
    """Which pairs cannot be judged; "" if there is none."""
    if not judged.untold:
        return ""
    listed = _list([_plain(axes) for axes in judged.untold])
    return (
        f"{count(len(judged.untold), 'pair')} can't be judged, as the mixes lack combinations of "
        f"their levels: {listed}."
    )
