"""Rows as DataFrames, in little time and room."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

Rows = Sequence[tuple[Any, ...]]
KIND = ("metric", "mode", "backend", "device", "sitting")  # what measurements have few of
MEASURED = ("subject", "metric", "value", "low", "high", "n", *KIND[1:])


def frame(names: Sequence[str], rows: Rows, few: str = "") -> pd.DataFrame:
    """The rows as a table; `few` names the columns of few different texts."""
    if not rows:
        return pd.DataFrame(columns=list(names))
    columns = zip(*rows, strict=True)  # column by column is twice as quick
    known = zip(names, columns, strict=True)
    return pd.DataFrame({name: _column(of, name in few.split()) for name, of in known})


def measured_frame(rows: Rows, kinds: Rows) -> pd.DataFrame:
    """Measurements, whose texts are looked up once for each kind.

    Args:
        rows: Subject, kind (a number), value, low, high, n.
        kinds: Number, metric, mode, back end, device, sitting: of those above, and maybe others.

    Returns:
        The columns of `MEASURED`; texts of a kind are categories, in the order in which the rows
        have them, without those that no row has.

    Raises:
        LookupError: A kind is not there.
    """
    if not rows:
        return frame(MEASURED, rows)
    subjects, numbers, value, low, high, n = zip(*rows, strict=True)
    texts = {number: texts for number, *texts in kinds}
    codes, used = pd.factorize(np.array(numbers, dtype=np.int64))
    of_kinds = zip(*(texts[number] for number in used.tolist()), strict=True)
    columns = {name: _category(of)[codes] for name, of in zip(KIND, of_kinds, strict=True)}
    columns |= {"subject": _column(subjects), "n": _column(n)}
    columns |= {"value": _column(value), "low": _column(low), "high": _column(high)}
    return pd.DataFrame({name: columns[name] for name in MEASURED})


@contextmanager
def uncollected() -> Iterator[None]:
    """Rows by the hundred thousand hold no cycles: looking for such takes as long as reading."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _column(values: tuple[Any, ...], few: bool = False) -> Any:
    """As pandas holds it in least room; only numbers with a fraction are ever absent."""
    if few:
        return _category(values)
    if values[0] is None or isinstance(values[0], float):
        return np.array(values, dtype=float)
    if isinstance(values[0], int):  # as an array at once: pandas looks at each number of a list
        return np.array(values, dtype=np.int64)
    return list(values)


def _category(values: tuple[str, ...]) -> pd.Categorical:
    """Few different texts, in the order in which they come."""
    codes, names = pd.factorize(np.array(values, dtype=object))
    return pd.Categorical.from_codes(codes, pd.Index(names))
