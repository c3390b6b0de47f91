"""All swaps of a run as a CSV file: what each does to the quality and to every cost."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reports.analysis.estimates import Values
from reports.analysis.swaps import Swap
from reports.numbers.found import Found
from reports.numbers.goals import quality_metric
from reports.numbers.measured import cost_values, quality_values
from reports.numbers.swapped import cost_swaps, named, quality_swaps
from reports.tables import guarded, with_unit


def csv(found: Found) -> str:
    """Every swap in raw units, in the order of the page; the headings alone where there is none.

    Beside axis, from and to stand whether a difference in quality is claimed, how many seeds a mix
    has, and how many pairs of mixes would differ in the swap alone, were everything tried. Of the
    quality and of each cost there are the change with both ends of its 95 % interval, as
    change_psnr_dB, change_psnr_low_dB and change_psnr_high_dB, and what it comes of: a mean over so
    many pairs (psnr_pairs), or a fit to so many mixes (psnr_fit). What is not known is empty. No
    text in it is a formula to a spreadsheet.
    """
    made = quality_swaps(found)
    table = pd.DataFrame(
        {
            "axis": [swap.axis for swap in made],
            "from": [swap.before for swap in made],
            "to": [swap.after for swap in made],
            "claimed": [swap.claimed for swap in made],
            "seeds": [swap.seeds for swap in made],
            "pairs_possible": [swap.contexts for swap in made],
        }
    )
    parts = [table]
    if made:
        parts.append(_changes(found, quality_metric(found), made, quality_values(found)))
    for metric in found.cost_metrics if made else ():
        of_cost = cost_swaps(found, metric)
        swaps = [of_cost.get(named(swap)) for swap in made]
        parts.append(_changes(found, metric, swaps, cost_values(found, metric)))
    return guarded(pd.concat(parts, axis=1)).to_csv(index=False, lineterminator="\n")


def _changes(
    found: Found, metric: str, swaps: Sequence[Swap | None], measured: Values
) -> pd.DataFrame:
    """The columns of one metric; None is a swap of which it was not measured."""
    mixes = measured.model.design.mixes
    pairs = [swap.pairs if swap and swap.paired else None for swap in swaps]
    fit = [mixes if swap and not swap.paired else None for swap in swaps]
    return pd.DataFrame(
        {
            f"change_{with_unit(found, metric)}": [swap and swap.value for swap in swaps],
            f"change_{with_unit(found, f'{metric}_low')}": [swap and swap.low for swap in swaps],
            f"change_{with_unit(found, f'{metric}_high')}": [swap and swap.high for swap in swaps],
            f"{metric}_pairs": pd.array(pairs, dtype="Int64"),
            f"{metric}_fit": pd.array(fit, dtype="Int64"),
        }
    )
