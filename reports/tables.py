"""All mixes as a table: CSV in raw units for programs, LaTeX for a paper."""

from __future__ import annotations

import re
from csv import writer
from io import StringIO

import numpy as np
import pandas as pd

from reports.graphics.escaping import csv_text, escape_latex
from reports.graphics.sheet import Sheet
from reports.numbers.found import Found
from reports.numbers.mixes import DEGRADED, HIDDEN, Column, Table, named
from reports.numbers.units import ABSENT, count

FEW = 100  # different numbers
QUOTED = re.compile('[,"\\r\\n]')  # where a field may need quotes


def csv(found: Found) -> str:
    """All numbers in raw units, each column named with its unit: latency_s, peak_memory_byte.

    The last rows are the degraded input, with its PSNR in the column psnr_dB. No text in it is a
    formula to a spreadsheet.
    """
    table = found.table.reset_index(names="mix")
    inputs = table[[name for name in HIDDEN if name in table]].dropna().drop_duplicates()
    if not inputs.empty:
        rows = inputs.rename(columns=lambda name: str(name).removeprefix("input_"))
        extra = rows.assign(mix="", label=DEGRADED, status="input", baseline=True)
        table = pd.concat([table, extra.astype({"baseline": bool})], ignore_index=True)
    table["on_front"] = table["on_front"].eq(True)
    table = table.rename(columns=lambda name: with_unit(found, str(name)))
    return _written(guarded(table))


def guarded(table: pd.DataFrame) -> pd.DataFrame:
    """A table for a CSV file: texts and headings that a spreadsheet would calculate are quoted.

    What would begin with = + - @, a tab or a carriage return gets an apostrophe in front; numbers
    stay numbers.
    """
    safe = table.rename(columns=lambda name: csv_text(str(name)))
    for at, kind in enumerate(table.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            texts = table.iloc[:, at].tolist()
            known = {each: csv_text(each) for each in set(texts) if isinstance(each, str)}
            safe.isetitem(at, [known.get(each, each) for each in texts])
    return safe


def _written(table: pd.DataFrame) -> str:
    """As pandas writes it, in half the time: what is absent is empty."""
    columns = [_cells(table.iloc[:, at]) for at in range(table.shape[1])]
    rows = (",".join(row) for row in zip(*columns, strict=True))
    return "\n".join([",".join(_quoted(list(table.columns))), *rows, ""])


def _cells(column: pd.Series) -> list[str]:
    """A column as it is written; numbers of which there are few are turned into text once."""
    if not pd.api.types.is_float_dtype(column.dtype):
        return _quoted(["" if each != each else str(each) for each in column.tolist()])
    codes, different = pd.factorize(column)  # what is absent is the last
    if len(different) > FEW or 0.0 in different:  # which may be -0.0 as well
        texts = list(map(repr, column.tolist()))
        return ["" if each == "nan" else each for each in texts] if column.hasnans else texts
    found: list[str] = np.array([*map(repr, different.tolist()), ""], dtype=object)[codes].tolist()
    return found


def _quoted(texts: list[str]) -> list[str]:
    """Fields as a CSV file has them."""
    if not QUOTED.search("".join(texts)):
        return texts
    return [_field(text) if QUOTED.search(text) else text for text in texts]


def _field(text: str) -> str:
    written = StringIO()
    writer(written, lineterminator="\n").writerow([text])
    return written.getvalue().removesuffix("\n")


def latex(table: Table, caption: str) -> str:
    """A booktabs table; the package booktabs is all it needs, and longtable where it is long.

    Mixes on the front are marked by their letter.
    """
    zeros = [at for at, row in enumerate(table.rows) if row.status == "input"][:1]
    left = f" {count(table.left_out, 'mix')} not listed: results.csv." if table.left_out else ""
    return Sheet(
        caption=escape_latex(caption + left),
        label="",
        columns=["l", "l", "r" * len(table.columns)],
        head=["", "Mix", *(_latex_heading(column) for column in table.columns)],
        rows=[
            [
                row.letter,
                escape_latex(named(row)),
                *(escape_latex(_latex_cell(cell.text, cell.spread)) for cell in row.cells),
            ]
            for row in table.rows
        ],
        rules=frozenset(zeros),
    ).latex


def _latex_heading(column: Column) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    return escape_latex(column.title + unit)


def _latex_cell(text: str, spread: str) -> str:
    """Only a symmetric spread: a paper's table has no room for both ends."""
    return f"{text} {spread}" if spread.startswith("±") else text.replace(ABSENT, "–")


def with_unit(found: Found, name: str) -> str:
    """latency_low -> latency_low_s; latency@256x256 -> latency@256x256_s; counts as they are."""
    base = re.sub(r"_(low|high|sd)$", "", name).partition("@")[0]
    unit = found.metrics[base].unit if base in found.metrics else ""
    return f"{name}_{unit}" if unit else name
