"""What mixes can be told apart by: the level of each choice, and what fills each stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.graphics.families import Look, look
from reports.numbers.fillings import NONE, Codes, Filling, fillings
from reports.numbers.found import Found
from reports.numbers.units import plain


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
    rows = found.levels.index.get_indexer(mixes)
    made = (_slot(each, rows) for each in fillings(found))
    return tuple(slot for slot in made if slot.options)


def _slot(filling: Filling, rows: Codes) -> Slot:
    own = filling.codes[rows]
    there = filling.codes[np.sort(rows)]  # options in the order of the table
    seen = pd.unique(there[there >= 0])
    places = np.full(len(filling.options) + 1, NONE)
    places[seen] = np.arange(len(seen))
    options = (filling.options[at] for at in seen)
    looks = tuple((_text(blocks, depth), look(family)) for blocks, depth, family in options)
    return Slot(plain(filling.slot), looks, places[own])


def _text(blocks: str, depth: int) -> str:
    return f"{blocks} ×{depth}" if depth > 1 else blocks


def _facet(name: str, answers: pd.Series) -> Facet:
    codes, options = pd.factorize(answers)  # NaN is -1
    return Facet(name, tuple(map(str, options)), codes.astype(int))


def _same(one: Codes, other: Codes) -> bool:
    """Whether two questions split the mixes alike."""
    pairs = (one + 1) * (int(other.max()) + 2) + other + 1
    return len({np.count_nonzero(np.bincount(codes)) for codes in (pairs, one + 1, other + 1)}) == 1
