"""The timings of one sitting, round by round, by the clock that is to be believed."""

from __future__ import annotations

from collections import Counter

import pandas as pd

METRIC = "latency"
CPU = "latency_cpu"  # samples of CPU time
BY_CPU = "latency_by_cpu"  # a sample where wall time is not believed
_WORDS = "CPU time is given"  # the same in the remarks of older records


def main_sittings(measurements: pd.DataFrame, mixes: pd.Index[str]) -> dict[str, str]:
    """Mode -> the sitting that the latest latency of most of these mixes is of.

    Args:
        measurements: Of a record.
        mixes: Their keys.
    """
    rows = measurements[measurements["metric"] == METRIC]
    rows = rows[rows["subject"].isin(mixes)].drop_duplicates(["subject", "mode"], keep="last")
    return {
        str(mode): str(Counter(of_mode["sitting"]).most_common(1)[0][0])
        for mode, of_mode in rows.groupby("mode", sort=False, observed=True)
    }


def rounds_of(
    samples: pd.DataFrame, notes: pd.DataFrame, mode: str, sitting: str
) -> tuple[pd.DataFrame, bool]:
    """What all networks of a sitting took in each round, and whether that is CPU time.

    Where wall time was not believed, it is the least CPU time of each process, as one round.

    Args:
        samples: Of a record.
        notes: Of the same.
        mode: What was measured, such as 256x256.
        sitting: Its name.

    Returns:
        Columns subject, process, round, value.
    """
    here = samples[(samples["mode"] == mode) & (samples["sitting"] == sitting)]
    busy = bool((here["metric"] == BY_CPU).any()) or _said(notes, mode, set(here["subject"]))
    if not busy:
        return here[here["metric"] == METRIC], False
    rows = here[here["metric"] == CPU]
    least = rows.groupby(["subject", "process"], observed=True)["value"].min().reset_index()
    return least.assign(round=0), True


def _said(notes: pd.DataFrame, mode: str, subjects: set[str]) -> bool:
    about = notes[(notes["topic"] == METRIC) & notes["subject"].isin(subjects)]
    return any(_WORDS in text for text in about["text"] if str(text).startswith(f"{mode}: "))
