r"""Tables as LaTeX sets them: booktabs, a caption above, notes below, nothing else needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reports.graphics.escaping import escape_latex

LONG = 45  # rows from which a table goes over several pages


@dataclass(frozen=True)
class Sheet:
    r"""A table in LaTeX; every text in it is LaTeX already.

    Args:
        caption: Above it.
        label: For `\ref`; "" without one.
        columns: One letter each: l, r, c, or p with its width.
        head: One for each column.
        rows: One text for each column.
        rules: Numbers of rows above which a rule stands.
        notes: Below it.
        wide: Whether it goes over both columns of a page.
    """

    caption: str
    label: str
    columns: Sequence[str]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    rules: frozenset[int] = field(default_factory=frozenset)
    notes: str = ""
    wide: bool = False

    @property
    def latex(self) -> str:
        """The table; as a longtable where it is too long for a page."""
        return _long(self) if len(self.rows) > LONG else _floating(self)


def bold(text: str) -> str:
    """In bold."""
    return f"\\textbf{{{text}}}"


def small(text: str) -> str:
    """Smaller, for intervals beside numbers."""
    return f"{{\\scriptsize {text}}}" if text else ""


def beside(interval: str) -> str:
    """An interval (a to b, or a–b) or a half of one (±a) as it stands beside its number."""
    if not interval or interval.startswith("±"):
        return small(escape_latex(interval))
    return small(escape_latex(f"[{interval.replace(' to ', ', ').replace('–', ', ')}]"))


def _floating(sheet: Sheet) -> str:
    kind = "table*" if sheet.wide else "table"
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{{kind}}}[t]",
        "\\centering",
        "\\footnotesize",
        "\\setlength{\\tabcolsep}{3.5pt}",
        f"\\caption{{{sheet.caption}}}",
        *([f"\\label{{{sheet.label}}}"] if sheet.label else []),
        f"\\begin{{tabular}}{{{''.join(sheet.columns)}}}",
        "\\toprule",
        _row(sheet.head),
        "\\midrule",
        *_body(sheet),
        "\\bottomrule",
        "\\end{tabular}",
        *_notes(sheet),
        f"\\end{{{kind}}}",
    ]
    return "\n".join(lines) + "\n"


def _long(sheet: Sheet) -> str:
    lines = [
        "% needs \\usepackage{booktabs,longtable}; in two columns put \\onecolumn before it",
        "{\\footnotesize",
        "\\setlength{\\tabcolsep}{3.5pt}",
        f"\\begin{{longtable}}{{{''.join(sheet.columns)}}}",
        f"\\caption{{{sheet.caption}}}" + (f"\\label{{{sheet.label}}}" if sheet.label else ""),
        "\\\\",
        "\\toprule",
        _row(sheet.head),
        "\\midrule",
        "\\endfirsthead",
        "\\toprule",
        _row(sheet.head),
        "\\midrule",
        "\\endhead",
        "\\bottomrule",
        "\\endlastfoot",
        *_body(sheet),
        "\\end{longtable}",
        *_notes(sheet),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _body(sheet: Sheet) -> list[str]:
    lines = []
    for at, row in enumerate(sheet.rows):
        lines += ["\\midrule"] if at in sheet.rules else []
        lines.append(_row(row))
    return lines


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _notes(sheet: Sheet) -> list[str]:
    return ["\\par\\smallskip", f"{{\\footnotesize {sheet.notes}\\par}}"] if sheet.notes else []
