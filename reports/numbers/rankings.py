"""Which mix is faster than which: ranks with their doubt, and who is not separable from whom."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from reports.analysis.once import once
from reports.analysis.ranking import Comparison, Place, compare, overlapping, places
from reports.graphics.axes import Axis, axis, wants_log
from reports.numbers.found import Found
from reports.numbers.named import Named
from reports.numbers.results import main_mode
from reports.numbers.sittings import METRIC, main_sittings, rounds_of
from reports.numbers.units import count, percent, spoken, title

ROOM = 1.2  # how far beyond the ratios their intervals are drawn, as a factor
NAMED = 3  # mixes that are named among those that another is not separable from


@dataclass(frozen=True)
class RankRow(Named):
    """One mix among those timed with it.

    Args:
        ranks: The rank that it has, or the range that it may have: 2, or 2–4.
        low: The best of them.
        ratio: How many times longer it takes than the first: 1.03×.
        interval: The 95 % interval of that; "" of the first.
        tied: Whom it is not separable from, in words; "" where it is from all.
        ties: The keys of those.
        at: Where its ratio lies in the lane, as a share of the width.
        ends: Ends of the interval there; empty where it has none.
    """

    ranks: str
    low: int
    ratio: str
    interval: str
    tied: str
    ties: tuple[str, ...]
    at: float
    ends: tuple[float, ...]


@dataclass(frozen=True)
class Ranks:
    """All mixes that were timed together, the fastest first.

    Args:
        mode: What they were timed on; size, and whatever is not the default.
        rows: The mixes.
        pairs: How many pairs they make.
        separable: How many of the pairs differ beyond doubt.
        sentence: What can be said and what can't.
        basis: What it is based on.
        log: Whether ratios are drawn on a logarithmic axis.
    """

    mode: str
    rows: tuple[RankRow, ...]
    pairs: int
    separable: int
    sentence: str
    basis: str
    log: bool

    @property
    def ties(self) -> int:
        """Pairs that are not separable."""
        return self.pairs - self.separable


@once
def ranks(found: Found) -> tuple[Ranks, ...]:
    """A ranking for each mode in which two mixes or more were timed together, the main one first.

    Baselines are not in it, nor mixes that were timed in another sitting than most.
    """
    rows = found.costs[found.costs["metric"] == METRIC]
    mixes = found.table.index[~found.table["baseline"]]
    rows = rows[rows["subject"].isin(mixes)]
    if rows.empty:
        return ()
    main, sittings = main_mode(rows)[METRIC], main_sittings(rows, mixes)
    modes = sorted(sittings, key=lambda mode: mode != main)
    made = (_ranks(found, mode, rows[rows["mode"] == mode], sittings[mode]) for mode in modes)
    return tuple(each for each in made if each is not None)


def not_separable(found: Found, mix: str) -> frozenset[str]:
    """Keys of the mixes that a mix is not separable from by latency, in the main mode."""
    rows = [row for shown in ranks(found)[:1] for row in shown.rows if row.mix == mix]
    return frozenset(key for row in rows for key in row.ties)


def rank_texts(shown: Iterable[Ranks]) -> dict[str, tuple[str, int]]:
    """For each mix its ranks in the main mode as text, and the number that they are sorted by."""
    first = next(iter(shown), None)
    return {row.mix: (row.ranks, row.low) for row in first.rows} if first else {}


def _ranks(found: Found, mode: str, rows: pd.DataFrame, sitting: str) -> Ranks | None:
    last = rows.drop_duplicates("subject", keep="last").set_index("subject")
    together = last[last["sitting"] == sitting]
    if len(together) < 2:
        return None
    placed, basis = _placed(found, mode, sitting, together)
    pairs = len(placed) * (len(placed) - 1) // 2
    ties = sum(len(place.tied) for place in placed) // 2
    others = len(last) - len(together)
    if others:
        basis += f" {count(others, 'mix')} timed in another sitting can't be ranked beside these."
    across = _axis(placed)
    return Ranks(
        mode=mode,
        rows=tuple(_row(found, place, across) for place in placed),
        pairs=pairs,
        separable=pairs - ties,
        sentence=_sentence(len(placed), pairs, ties),
        basis=basis,
        log=across.log,
    )


def _placed(
    found: Found, mode: str, sitting: str, together: pd.DataFrame
) -> tuple[tuple[Place, ...], str]:
    """Places of mixes of one sitting, and what they rest on."""
    rounds, busy = rounds_of(found.samples, found.notes, mode, sitting)
    rounds = rounds[rounds["subject"].isin(together.index)]
    if set(rounds["subject"]) == set(together.index):
        try:
            compared = compare(rounds)
        except ValueError:  # rounds without all of them: the intervals are still there
            pass
        else:
            return places(compared), _how(compared, busy)
    ends = (together[name].to_numpy(dtype=float) for name in ("value", "low", "high"))
    why = "the machine was busy" if busy else "their rounds can't be paired"
    how = f"Held apart where their {percent(0.95)} intervals do not overlap, as {why}."
    return overlapping(list(map(str, together.index)), *ends), how


def _how(compared: Comparison, busy: bool) -> str:
    level, rounds = percent(0.95), count(compared.rounds, "round")
    if busy:
        return (
            f"The machine was busy, so mixes are held against each other by their least CPU time "
            f"in {_processes(compared.processes)}; a pair counts as separable where the {level} "
            "interval of its ratio leaves out 1, each pair by itself."
        )
    if compared.processes > 1:
        return (
            f"Mixes are held against each other round by round ({rounds} in {compared.processes} "
            f"fresh processes); a pair counts as separable where the {level} interval of its "
            "ratio over processes leaves out 1, each pair by itself."
        )
    return (
        f"Mixes are held against each other round by round ({rounds} of one process: how much "
        f"processes differ is not in the {level} intervals), each pair by itself."
    )


def _processes(number: int) -> str:
    return "one fresh process" if number == 1 else f"each of {number} fresh processes"


def _sentence(mixes: int, pairs: int, ties: int) -> str:
    name = spoken(title(METRIC))
    if not ties:
        return f"All {count(mixes, 'mix')} can be told apart by {name}."
    if ties == pairs:
        return f"No two of the {count(mixes, 'mix')} are separable by {name}: they have no order."
    is_are = "is" if ties == 1 else "are"
    return (
        f"{ties} of {count(pairs, 'pair')} of mixes {is_are} not separable by {name}; "
        "where that is so, a range of ranks is given."
    )


def _axis(placed: Sequence[Place]) -> Axis:
    """Across all ratios, and their intervals as far as these do not hide the ratios."""
    ratios = [place.ratio for place in placed]
    least, most = min(ratios) / ROOM, max(ratios) * ROOM
    ends = [end for place in placed for end in (place.ratio_low, place.ratio_high)]
    values = [*ratios, *(min(max(end, least), most) for end in ends)]
    return axis(values, log=wants_log(values), pad=0.04)


def _row(found: Found, place: Place, across: Axis) -> RankRow:
    mix = place.subject
    several = place.low != place.high
    finite = math.isfinite(place.ratio_high) and place.ratio_high > place.ratio_low
    return RankRow(
        mix=mix,
        label=found.label(mix),
        letter=found.letters.get(mix, ""),
        ranks=f"{place.low}–{place.high}" if several else str(place.low),
        low=place.low,
        ratio=_times(place.ratio),
        interval=f"{_times(place.ratio_low)}–{_times(place.ratio_high)}" if finite else "",
        tied=_tied(found, place),
        ties=place.tied,
        at=across.clipped(place.ratio),
        ends=_ends(place, across) if finite else (),
    )


def _ends(place: Place, across: Axis) -> tuple[float, float]:
    low = place.ratio_low if place.ratio_low > 0 else across.low
    return across.clipped(low), across.clipped(place.ratio_high)


def _tied(found: Found, place: Place) -> str:
    if not place.tied:
        return ""
    named = [found.letters[mix] for mix in place.tied if mix in found.letters][:NAMED]
    named = named or [found.label(place.tied[0])]  # labels are long: one at most
    more = len(place.tied) - len(named)
    named += [f"{more} more"] if more else []
    joined = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return f"not separable from {joined}"


def _times(ratio: float) -> str:
    return f"{ratio:.3f}×" if ratio < 10 else f"{ratio:.1f}×"
