"""The mixes of a run as Optuna's trials: axes as parameters, objectives as values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reports.numbers.found import Found
from reports.tables import with_unit

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_SPREAD = re.compile(r"_(low|high|sd|n)(_|$)")


def optuna_trials(found: Found) -> Iterator[FrozenTrial]:
    """Every mix of a run as a trial of Optuna's, in the order in which they were proposed.

    A mix that has every objective is COMPLETE, one that failed or diverged FAIL, one that was left
    at a rung PRUNED, one that was trained and lacks a cost RUNNING, one that was not WAITING.
    """
    from optuna.distributions import CategoricalDistribution
    from optuna.trial import create_trial

    readers = {str(axis): _reader(found.levels[axis]) for axis in found.levels}
    axes = {
        axis: CategoricalDistribution(_choices(found.levels[axis], read))
        for axis, read in readers.items()
    }
    seconds = found.trials.groupby("mix", observed=True)["seconds"].sum()
    for key, row in found.table.iterrows():
        levels = found.levels.loc[str(key)].dropna()
        parameters = {str(axis): readers[str(axis)](str(level)) for axis, level in levels.items()}
        state, values = _state(found, row)
        trial = create_trial(
            state=state,
            values=values,
            params=parameters,
            distributions={axis: axes[axis] for axis in parameters},
            user_attrs=_attributes(found, str(key), row),
            intermediate_values=_curve(found, str(key)),
        )
        if trial.datetime_start is not None:
            took = timedelta(seconds=float(seconds.get(key, 0.0)))
            trial.datetime_start = (trial.datetime_complete or datetime.now()) - took
        yield trial


def _state(found: Found, row: pd.Series) -> tuple[Any, list[float] | None]:
    """Optuna's state of a mix, and its values where it has all of them."""
    from optuna.trial import TrialState

    values = [float(row.get(objective, math.nan)) for objective in found.objectives]
    if row["status"] in ("failed", "diverged"):
        return TrialState.FAIL, None
    if row["status"] in ("waiting", "stopped"):
        return TrialState.WAITING if row["status"] == "waiting" else TrialState.PRUNED, None
    if all(math.isfinite(value) for value in values):
        return TrialState.COMPLETE, values
    return TrialState.RUNNING, None


def _reader(levels: pd.Series) -> Callable[[str], Any]:
    """Levels as numbers where all of them are, so that they are drawn in their order."""
    for kind in (int, float):
        try:
            numbers = [kind(level) for level in levels.dropna()]
        except ValueError:
            continue
        if all(math.isfinite(number) for number in numbers):
            return kind
    return str


def _choices(levels: pd.Series, read: Callable[[str], Any]) -> list[Any]:
    choices = list(dict.fromkeys(read(level) for level in levels.dropna()))
    return choices if read is str else sorted(choices)


def _attributes(found: Found, key: str, row: pd.Series) -> dict[str, Any]:
    """Everything else that is known of a mix, as plain values; what is absent is left out.

    Ends of intervals, deviations and counts are one attribute: a database takes long over many.
    """
    told = {name: row[name] for name in row.index if name not in found.levels.columns}
    trials = found.trials[found.trials["mix"] == key]
    told["trials"] = len(trials[trials["status"] == "done"])
    told["reason"] = "; ".join(dict.fromkeys(text for text in trials["reason"] if text))
    named = {with_unit(found, str(name)): _plain(value) for name, value in told.items()}
    known = {name: value for name, value in named.items() if value not in ("", None)}
    spreads = {name: known.pop(name) for name in list(known) if _SPREAD.search(name)}
    return {"mix": key, **known, **({"spreads": spreads} if spreads else {})}


def _plain(value: object) -> bool | int | float | str | None:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | float | np.integer | np.floating):
        number = value.item() if isinstance(value, np.generic) else value
        return number if math.isfinite(number) else None
    return None if value is None or value is pd.NA else str(value)


def _curve(found: Found, key: str) -> dict[int, float]:
    """The first objective over the steps of training where it was followed, the mean over seeds."""
    followed = {*found.curve["name"], "psnr"}
    name = next(name for name in (*found.objectives, "psnr") if name in followed)
    trials = found.trials[found.trials["mix"] == key]["key"]
    points = found.curve[found.curve["trial"].isin(trials) & (found.curve["name"] == name)]
    rested = found.partials[found.partials["mix"] == key].set_index("key")["step"]
    values = found.measurements[found.measurements["metric"] == name].set_index("subject")["value"]
    at_rungs = pd.DataFrame({"step": rested, "value": values.reindex(rested.index)}).dropna()
    parts = [part for part in (at_rungs, points[["step", "value"]]) if not part.empty]
    if not parts:
        return {}
    means = pd.concat(parts).groupby("step", observed=True)["value"].mean()
    return {int(step): float(value) for step, value in zip(means.index, means, strict=True)}
