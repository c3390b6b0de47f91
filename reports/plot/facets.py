"""What mixes can be told apart by: the level of each choice, and what fills each stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.graphics.families import Look, look
from reports.numbers.found import Found
from reports.numbers.units import plain

Codes = NDArray[np.int64]
NONE = -1  # the code of a mix that has no answer
FILLING = ["blocks", "depth", "family"]


@dataclass(frozen=True)
class Facet:
    """One question, and what each mix answers.

    Args:
        name: The question.
        options: The different answers, in the order in which they first appear.
        codes: (mixes,) which of the options; -1 for none.
    """

    name: str
    options: tuple[str, ...]
    codes: Codes


@dataclass(frozen=True)
class Slot:
    """What fills one stage of each mix.

    Args:
        name: The stage.
        options: The different fillings: blocks with their number, and how their family is drawn.
        codes: (mixes,) which of them; -1 where the network has no such stage.
    """

    name: str
    options: tuple[tuple[str, Look], ...]
    codes: Codes


def facets(found: Found, mixes: pd.Index[str]) -> tuple[Facet, ...]:
    """The choices in which mixes differ, and stages that no choice stands for.

    A stage that always goes along with a choice or with an earlier stage (a mirrored decoder) is
    left out.
    """
    levels = found.levels.reindex(mixes)
    made = [_facet(plain(str(name)), levels[name]) for name in levels]
    kept = [facet for facet in made if len(facet.options) > 1]
    for slot in slots(found, mixes):
        options = tuple(text for text, _ in slot.options)
        if len(options) > 1 and not any(_same(slot.codes, facet.codes) for facet in kept):
            kept.append(Facet(slot.name, options, slot.codes))
    return tuple(kept)


def slots(found: Found, mixes: pd.Index[str]) -> tuple[Slot, ...]:
    """All stages of the mixes."""
    stages = found.stages[found.stages["mix"].isin(mixes)]
    return tuple(_slot(str(name), rows, mixes) for name, rows in stages.groupby("slot", sort=False))


def _slot(name: str, rows: pd.DataFrame, mixes: pd.Index[str]) -> Slot:
    rows = rows.drop_duplicates("mix", keep="last")
    kinds = rows.groupby(FILLING, sort=False).ngroup()
    codes = pd.Series(kinds.to_numpy(), index=rows["mix"]).reindex(mixes, fill_value=NONE)
    options = rows[FILLING].drop_duplicates().to_numpy().tolist()
    looks = tuple((_text(blocks, int(depth)), look(family)) for blocks, depth, family in options)
    return Slot(plain(name), looks, codes.to_numpy(dtype=int))


def _text(blocks: str, depth: int) -> str:
    return f"{blocks} ×{depth}" if depth > 1 else blocks


def _facet(name: str, answers: pd.Series) -> Facet:
    codes, options = pd.factorize(answers)  # NaN is -1
    return Facet(name, tuple(map(str, options)), codes.astype(int))


def _same(one: Codes, other: Codes) -> bool:
    """Whether two questions split the mixes alike."""
    pairs = (one + 1) * (int(other.max()) + 2) + other + 1
    return len({np.count_nonzero(np.bincount(codes)) for codes in (pairs, one + 1, other + 1)}) == 1
