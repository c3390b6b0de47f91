"""How many seeds the mixes of a run have, and how that is said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.analysis.once import once
from reports.analysis.statistics import FEWEST_SEEDS
from reports.numbers.found import Found
from reports.numbers.goals import quality_metric
from reports.numbers.units import count


@dataclass(frozen=True)
class SeedCounts:
    """Seeds to a mix, of the mixes that count and have a quality; 0 where there is none.

    Args:
        fewest: Of the mix with the fewest.
        middle: Of the middle one: what a study as a whole can be judged by.
        most: Of the mix with the most.
        enough: Of the mix with the fewest of those that have enough for an interval.
    """

    fewest: int
    middle: int
    most: int
    enough: int

    @property
    def words(self) -> str:
        """3 seeds; 1 to 5 seeds where mixes differ."""
        return _range(self.fewest, self.most)

    @property
    def of_intervals(self) -> str:
        """The same of the mixes whose means have an interval."""
        return _range(self.enough, self.most)


@once
def seed_counts(found: Found, metric: str = "") -> SeedCounts:
    """How many seeds the mixes have.

    Args:
        found: The numbers.
        metric: Of what trials were scored by; by default what mixes are ranked by.
    """
    metric = metric or quality_metric(found)
    if metric not in found.per_seed:
        return SeedCounts(0, 0, 0, 0)
    counts = found.seeds(metric).notna().sum(axis=1).to_numpy()
    counts = counts[counts > 0]
    if not len(counts):
        return SeedCounts(0, 0, 0, 0)
    several = counts[counts >= FEWEST_SEEDS]
    enough = int(several.min()) if len(several) else 0
    return SeedCounts(int(counts.min()), int(np.median(counts)), int(counts.max()), enough)


def _range(low: int, high: int) -> str:
    return count(high, "seed") if low == high else f"{low} to {high} seeds"
