"""The table of mixes as CSV in raw units, as Markdown and as LaTeX for a paper."""

from __future__ import annotations

import re

import pandas as pd

from reports.escaping import escape_latex
from reports.found import Found
from reports.sections.mixes import DEGRADED, HIDDEN, Column, Table, named
from reports.units import ABSENT


def csv(found: Found) -> str:
    """All numbers in raw units, each column named with its unit: latency_s, peak_memory_byte.

    The last rows are the degraded input, with its PSNR in the column psnr_dB.
    """
    table = found.table.reset_index(names="mix")
    inputs = table[[name for name in HIDDEN if name in table]].dropna().drop_duplicates()
    if not inputs.empty:
        rows = inputs.rename(columns=lambda name: str(name).removeprefix("input_"))
        extra = rows.assign(mix="", label=DEGRADED, status="input", baseline=True)
        table = pd.concat([table, extra.astype({"baseline": bool})], ignore_index=True)
    table["on_front"] = table["on_front"].eq(True)
    return table.rename(columns=lambda name: with_unit(found, str(name))).to_csv(index=False)


def latex(table: Table, caption: str) -> str:
    """A booktabs table; the package booktabs is all it needs.

    Mixes on the front are marked by their letter.
    """
    head = ["", "Mix", *(_latex_heading(column) for column in table.columns)]
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{escape_latex(caption)}}}",
        f"\\begin{{tabular}}{{ll{'r' * len(table.columns)}}}",
        "\\toprule",
        " & ".join(head) + r" \\",
        "\\midrule",
    ]
    for row in table.rows:
        if row.status == "input":
            lines.append("\\midrule")
        cells = [
            escape_latex(_latex_cell(column, cell.text, cell.spread))
            for column, cell in zip(table.columns, row.cells, strict=True)
        ]
        lines.append(" & ".join([row.letter, escape_latex(named(row)), *cells]) + r" \\")
    lines += ["\\bottomrule", "\\end{tabular}", "\\end{table}"]
    return "\n".join(lines) + "\n"


def _latex_heading(column: Column) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    return escape_latex(column.title + unit)


def _latex_cell(column: Column, text: str, spread: str) -> str:
    """Only a symmetric spread: a paper's table has no room for both ends."""
    return f"{text} {spread}" if spread.startswith("±") else text.replace(ABSENT, "–")


def with_unit(found: Found, name: str) -> str:
    """latency_low -> latency_low_s; latency@256x256 -> latency@256x256_s; counts as they are."""
    base = re.sub(r"_(low|high|sd)$", "", name).partition("@")[0]
    unit = found.metrics[base].unit if base in found.metrics else ""
    return f"{name}_{unit}" if unit else name
