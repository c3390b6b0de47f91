"""The table of mixes as CSV in raw units, as Markdown and as LaTeX for a paper."""

from __future__ import annotations

import re

import pandas as pd

from reports.found import Found
from reports.sections.mixes import DEGRADED, HIDDEN, Column, Row, Table, heading
from reports.units import ABSENT

SYMBOLS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "−": "$-$",
    "–": "--",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "µ": r"\textmu{}",
    "σ": r"$\sigma$",
    "…": r"\ldots{}",
    "\u00a0": "~",
}


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


def markdown(table: Table) -> str:
    """A pipe table; the front's mixes carry their letter."""
    head = ["Front", "Mix", *(heading(column) for column in table.columns), "Front probability"]
    lines = [_pipes(head), "|---|---|" + "---:|" * (len(head) - 2)]
    for row in table.rows:
        cells = [f"{cell.text} {cell.spread}".strip() for cell in row.cells]
        lines.append(
            _pipes([row.letter, escape_markdown(_named(row)), *cells, row.probability.text])
        )
    return "\n".join(lines) + "\n"


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
        lines.append(" & ".join([row.letter, escape_latex(_named(row)), *cells]) + r" \\")
    lines += ["\\bottomrule", "\\end{tabular}", "\\end{table}"]
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    """The text as LaTeX prints it, whatever stands in it."""
    return "".join(SYMBOLS.get(letter, letter) for letter in text)


def escape_markdown(text: str) -> str:
    """The text as Markdown shows it, with nothing taken for markup."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", text.replace("\n", " "))


def _pipes(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _named(row: Row) -> str:
    marked = "" if row.status in ("done", "input") else f" [{row.status}]"
    return row.label + marked


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
