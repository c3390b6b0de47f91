"""Mixes with trials that trained otherwise than the rest, because they ran out of memory."""

from __future__ import annotations

from reports.numbers.found import Found
from reports.numbers.units import count

COLUMNS = ["comparable", "micro_batch"]  # facts of trials


def apart(found: Found) -> tuple[str, tuple[str, ...]]:
    """One sentence, and a line for each trial; the sentence is empty where there is no such trial.

    These are trials whose batches passed in parts, where that changes what is learnt: batch
    statistics are then those of fewer images.
    """
    facts = found.trial_facts
    facts = facts[facts["name"].isin(COLUMNS)]
    if facts.empty:
        return "", ()
    table = facts.drop_duplicates(["trial", "name"]).pivot(
        index="trial", columns="name", values="value"
    )
    table = table.reindex(columns=COLUMNS)
    odd = table[table["comparable"] == "no"]["micro_batch"]
    rows = found.trials[found.trials["key"].isin(odd.index)]
    if rows.empty:
        return "", ()
    lines = tuple(
        f"{found.label(str(mix))}, seed {seed}: {odd[key]} images at a time"
        for key, mix, seed in rows[["key", "mix", "seed"]].to_numpy().tolist()
    )
    mixes = count(rows["mix"].nunique(), "mix")
    return (
        f"{mixes} not comparable with the others: for want of memory {count(len(rows), 'trial')} "
        "trained on smaller batches at a time, and what these networks learn depends on it.",
        lines,
    )
