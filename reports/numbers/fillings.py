"""What fills the stages of mixes, and what the levels of an axis fill them with, where they do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.analysis.once import once
from reports.graphics.families import Look, look
from reports.numbers.found import Found

Codes = NDArray[np.int64]
NONE = -1  # the code of a mix without an answer, or without such a stage
COLUMNS = ["blocks", "depth", "family"]


@dataclass(frozen=True)
class Filling:
    """What fills one slot.

    Args:
        slot: Its name.
        codes: (mixes of the levels,) which of the options; NONE where a mix has no such stage.
        options: Blocks, depth and family, in order of appearance.
    """

    slot: str
    codes: Codes
    options: tuple[tuple[str, int, str], ...]

    @cached_property
    def blocks(self) -> Codes:
        """(options,) the same number where blocks are the same, however deep."""
        return _coded(np.array([blocks for blocks, _, _ in self.options], dtype=object))[0]

    def of_options(self, numbers: Codes) -> Codes:
        """(mixes,): the number that belongs to the option of each; NONE where it has none."""
        return np.append(numbers, NONE)[self.codes]


@once
def fillings(found: Found) -> tuple[Filling, ...]:
    """All slots, in order of appearance."""
    stages, mixes = found.stages, found.levels.index
    rows = mixes.get_indexer(pd.Index(stages["mix"]))
    slots, names = _coded(stages["slot"])
    kinds = np.zeros(len(stages), dtype=np.int64)
    for column in COLUMNS:
        own, different = _coded(stages[column])
        kinds = _coded(kinds * max(len(different), 1) + own)[0]
    first = np.unique(kinds, return_index=True)[1]
    known = stages[COLUMNS].iloc[first].to_numpy(dtype=object).tolist()
    made = []
    for number, name in enumerate(names):
        at = np.flatnonzero((slots == number) & (rows >= 0))
        codes, numbers = pd.factorize(kinds[at])
        of_mix = np.full(len(mixes), NONE)
        of_mix[rows[at]] = codes
        options = (known[number] for number in numbers.tolist())
        filled = tuple((str(blocks), int(depth), str(of)) for blocks, depth, of in options)
        made.append(Filling(str(name), of_mix, filled))
    return tuple(made)


@once
def families_of_levels(found: Found, name: str) -> dict[str, Look]:
    """Level -> how its family is drawn, where the axis alone decides what fills a stage."""
    levels, known = _coded(found.levels[name])
    for each in fillings(found):
        both = (levels >= 0) & (each.codes >= 0)
        filled = int(each.blocks.max(initial=0)) + 1
        pairs = np.unique(levels[both] * filled + each.of_options(each.blocks)[both])
        decided = len(pairs) == len(np.unique(pairs // filled))
        if len(pairs) and decided and len(np.unique(pairs % filled)) > 1:
            of_levels, first = np.unique(levels[both], return_index=True)
            options = each.codes[both][first]
            in_order = sorted(zip(first, of_levels, options, strict=True))
            return {str(known[level]): look(each.options[of][2]) for _, level, of in in_order}
    return {}


def families(found: Found, slot: str = "") -> list[str]:
    """Of each mix the family of one slot, or those of all its slots joined by " + "; "" of none.

    Identity beside others is unsaid.
    """
    numbers: dict[str, int] = {}
    codes = [np.full(len(found.levels), NONE)]
    for each in fillings(found):
        if each.slot == slot or not slot:
            codes.append(each.of_options(_numbered(each, numbers)))
    combined, of_mix = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)
    names = list(numbers)
    joined = [_joined([names[code] for code in row if code >= 0]) for row in combined.tolist()]
    return [joined[at] for at in of_mix.ravel().tolist()]


def _joined(names: list[str]) -> str:
    different = list(dict.fromkeys(names))
    return " + ".join([name for name in different if name != "none"] or different)


def _numbered(filling: Filling, numbers: dict[str, int]) -> Codes:
    """(options,) the number of the family of each, the same in every slot."""
    found = [numbers.setdefault(family, len(numbers)) for _, _, family in filling.options]
    return np.array(found, dtype=np.int64)


def slots_apart(found: Found) -> Iterator[tuple[str, Codes]]:
    """Slots whose family differs between mixes, with its number in each mix; NONE without one.

    A slot that always goes along with an earlier one (a mirrored decoder) is left out.
    """
    numbers: dict[str, int] = {}
    earlier: list[Codes] = []
    for each in fillings(found):
        codes = each.of_options(_numbered(each, numbers))
        several = len(np.unique(codes[codes >= 0])) > 1
        if several and not any(np.array_equal(codes, other) for other in earlier):
            earlier.append(codes)
            yield each.slot, codes


def _coded(values: Any) -> tuple[Codes, list[object]]:
    codes, names = pd.factorize(values)
    return np.asarray(codes, dtype=np.int64), list(names)
