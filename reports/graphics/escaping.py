"""Names that users chose, as plain text in whatever is written: Markdown, LaTeX, CSV, pages."""

from __future__ import annotations

import re

SYMBOLS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    '"': r"\char34{}",
    "'": r"\char39{}",
    "`": r"\char96{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "−": "$-$",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "’": r"\textquoteright{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "°": r"$^{\circ}$",
    "²": r"$^{2}$",
    "³": r"$^{3}$",
    "√": r"$\surd$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "→": r"$\rightarrow$",
    "Δ": r"$\Delta$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "δ": r"$\delta$",
    "ε": r"$\varepsilon$",
    "λ": r"$\lambda$",
    "µ": r"$\mu$",
    "μ": r"$\mu$",
    "π": r"$\pi$",
    "ρ": r"$\rho$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
    "…": r"\ldots{}",
    "\u00a0": "~",
}
LATIN = "ĂăĄąĆćČčĎďĐđĘęĚěĞğŁłŃńŇňŊŋŐőŒœŔŕŘřŚśŞşŠšŤťŢţŮůŰűŸŹźŻżŽž"
LETTERS = SYMBOLS | {letter: letter for letter in LATIN}  # and all up to U+00FF as they are
JOINED = re.compile(r"-(?=-)|,(?=,)|[?!](?=\\char96)")  # what fonts would draw as one sign

# Controls, those that turn the direction of what follows, and letters without width.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)
BREAKS = re.compile(r"[\r\n\u0085\u2028\u2029]+|\t")
FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")  # what makes a spreadsheet calculate
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE)


def visible(text: str) -> str:
    """The text with what can't be seen, or would reorder what is, named by its number: [U+202E].

    Line breaks and tabs stay.
    """
    if text.isascii() and text.isprintable():  # nearly all there is
        return text
    return UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The text as one line in which every letter can be seen."""
    return visible(BREAKS.sub(" ", text))


def escape_latex(text: str) -> str:
    """The text as LaTeX prints it, whatever stands in it.

    Letters that its usual fonts lack are named by their number.
    """
    safe = "".join(LETTERS.get(letter) or _latin(letter) for letter in one_line(text))
    return JOINED.sub(lambda found: found[0] + "{}", safe)


def escape_markdown(text: str) -> str:
    """The text as Markdown shows it, with nothing taken for markup, in one line."""
    safe = re.sub(r"([\\`*_{}\[\]<>|#&~$])", r"\\\1", one_line(text).strip(" "))
    safe = re.sub(r"^([-+=])", r"\\\1", safe)
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", safe)


def csv_text(text: str) -> str:
    """A text as a cell of a table of values: no spreadsheet takes it for a formula.

    What would be one gets an apostrophe in front, numbers do not; controls are named.
    """
    formula = text.startswith(FORMULA) and not NUMBER.fullmatch(text)
    return visible(f"'{text}" if formula else text)


def _latin(letter: str) -> str:
    return letter if ord(letter) <= 0xFF else f"{{[}}U+{ord(letter):04X}{{]}}"
