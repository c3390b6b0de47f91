"""What the levels of an axis fill stages with, where they do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.analysis.once import once
from reports.graphics.families import Look, look
from reports.numbers.found import Found

Codes = NDArray[np.int64]
Texts = NDArray[np.object_]


@once
def families_of_levels(found: Found, name: str) -> dict[str, Look]:
    """Level -> how its family is drawn, where the axis alone decides what fills a stage."""
    levels, known = _coded(found.levels[name])
    for mixes, blocks, filled, families in _fillings(found):
        at = np.where(mixes >= 0, levels[mixes], -1)
        both = (at >= 0) & (blocks >= 0)
        pairs = np.unique(at[both] * filled + blocks[both])  # each level with its blocks
        decided = len(pairs) == len(np.unique(pairs // filled))
        if len(pairs) and decided and len(np.unique(pairs % filled)) > 1:
            of_levels, first = np.unique(at[both], return_index=True)
            rows = np.flatnonzero(both)[first]
            return {
                str(known[level]): look(str(families[row]))
                for level, row in sorted(
                    zip(of_levels, rows, strict=True), key=lambda pair: pair[1]
                )
            }
    return {}


@once
def _fillings(found: Found) -> list[tuple[Codes, Codes, int, Texts]]:
    """Of each slot: rows of mixes in the levels, numbers of blocks, how many, and families."""
    made = []
    for _, rows in found.stages.groupby("slot", sort=False):
        rows = rows.dropna(subset=["blocks", "family"])
        blocks, names = _coded(rows["blocks"])
        mixes = found.levels.index.get_indexer(pd.Index(rows["mix"]))
        made.append((mixes, blocks, max(len(names), 1), rows["family"].to_numpy(dtype=object)))
    return made


def _coded(values: pd.Series) -> tuple[Codes, Sequence[object]]:
    codes, names = pd.factorize(values)
    return np.asarray(codes, dtype=np.int64), list(names)
