"""Names that users chose, as plain text in whatever is written."""

from __future__ import annotations

import re

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


def escape_latex(text: str) -> str:
    """The text as LaTeX prints it, whatever stands in it."""
    return "".join(SYMBOLS.get(letter, letter) for letter in text)


def escape_markdown(text: str) -> str:
    """The text as Markdown shows it, with nothing taken for markup."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", text.replace("\n", " "))
