"""One colour and one shape for each family of blocks: either alone tells them apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Look:
    """How a family is drawn.

    Args:
        name: What the legend says.
        slug: Its name in the style sheet.
        color: On white.
        dark: On black.
        marker: matplotlib's name of its shape.
        shape: The same shape around (0, 0), as an SVG path.
    """

    name: str
    slug: str
    color: str
    dark: str
    marker: str
    shape: str


LOOKS = {
    "cnn": Look("CNN", "cnn", "#1f6fb4", "#6cb1ec", "o", "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z"),
    "mamba": Look("Mamba", "mamba", "#c4501b", "#f59460", "D", "M0-6.4 6.4 0 0 6.4-6.4 0z"),
    "attention": Look(
        "Attention", "attention", "#0a8069", "#4fc9ac", "^", "M0-6.4 6.2 4.8-6.2 4.8z"
    ),
    "linear_attention": Look(
        "Linear attention", "linear", "#9a4a9f", "#d695db", "v", "M0 6.4 6.2-4.8-6.2-4.8z"
    ),
    "moe": Look("Mixture of experts", "moe", "#a37208", "#e5b84a", "s", "M-5-5h10v10h-10z"),
    "prompt": Look(
        "Prompt", "prompt", "#5a55c9", "#a5a1f7", "p", "M0-6.2 5.9-1.9 3.6 5h-7.2L-5.9-1.9z"
    ),
    "none": Look(
        "Nothing (identity)",
        "none",
        "#6f7378",
        "#a3a8ae",
        "X",
        "M-5.5-3.2-3.2-5.5 0-2.3 3.2-5.5 5.5-3.2 2.3 0 5.5 3.2 3.2 5.5 0 2.3-3.2 5.5-5.5 3.2"
        "-2.3 0z",
    ),
}
SEVERAL = Look(
    "Several families",
    "several",
    "#3d4248",
    "#d5d8db",
    "P",
    "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
)
OTHER = Look("Other", "other", "#7a5c43", "#c9a789", "h", "M0-6.2 5.4-3.1v6.2L0 6.2-5.4 3.1v-6.2z")


def look(family: str) -> Look:
    """How a family is drawn; " + " joins several."""
    if "+" in family:
        return SEVERAL
    return LOOKS.get(family, OTHER)


def looks(families: Iterable[str]) -> list[Look]:
    """The different looks among families, in the order of the legend."""
    return in_order(look(family) for family in families)


def in_order(several: Iterable[Look]) -> list[Look]:
    """The different ones among several looks, in the order of the legend."""
    seen = {each.slug for each in several}
    return [each for each in (*LOOKS.values(), SEVERAL, OTHER) if each.slug in seen]


def by_slot(stages: pd.DataFrame) -> dict[str, dict[str, str]]:
    """For each slot whose family differs between mixes: mix -> family.

    A slot that always goes along with an earlier one (a mirrored decoder) is left out. Where no
    slot differs, one entry "all stages" says each mix's family.

    Args:
        stages: Columns mix, slot, family.
    """
    found = {
        slot: dict(zip(of_mix.index.tolist(), of_mix.tolist(), strict=True))
        for slot, of_mix in slots_apart(stages).items()
    }
    return found or {"all stages": whole(stages)}


def slots_apart(stages: pd.DataFrame) -> dict[str, pd.Series]:
    """The same as `by_slot`, as families indexed by mix; empty where no slot differs."""
    found: dict[str, pd.Series] = {}
    for slot, rows in stages.groupby("slot", sort=False, observed=True):
        rows = rows.drop_duplicates("mix", keep="last")
        families = pd.Series(rows["family"].to_numpy(), index=rows["mix"].to_numpy())
        if families.nunique() > 1 and not any(_same(families, each) for each in found.values()):
            found[str(slot)] = families
    return found


def _same(one: pd.Series, other: pd.Series) -> bool:
    """Whether mixes have the same families, in whatever order."""
    if len(one) != len(other):
        return False
    if not one.index.equals(other.index):
        other = other.reindex(one.index)
    return bool((one.to_numpy(dtype=object) == other.to_numpy(dtype=object)).all())


def whole(stages: pd.DataFrame) -> dict[str, str]:
    """Mix -> the families of all its stages, joined by " + "; identity beside others unsaid."""
    found = {}
    for mix, rows in stages.groupby("mix", sort=False, observed=True):
        names = list(dict.fromkeys(rows["family"]))
        names = [name for name in names if name != "none"] or names
        found[str(mix)] = " + ".join(names)
    return found
