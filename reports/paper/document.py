"""The document of a paper kit: main.tex, its gaps filled with what a run says."""

from __future__ import annotations

from pathlib import Path

from reports.answering.answer import cost_metric, quality_metric
from reports.answering.colours import telling_slot
from reports.graphics.escaping import escape_latex
from reports.numbers.units import plain, spoken, title
from reports.sections import drawings
from reports.sections.section import Given

TEMPLATE = Path(__file__).with_name("main.tex")
NETWORKS = r"""\begin{figure*}[t]
\centering
\includegraphics[width=\textwidth]{figures/networks_page.pdf}
\caption{The networks of the front: boxes are stages with their blocks and, where measured, their
share of the cost.}
\label{fig:networks}
\end{figure*}"""


def document(given: Given, *, has_swaps: bool) -> str:
    """The document, its gaps filled.

    Args:
        given: The run.
        has_swaps: Whether there is a table of swaps.
    """
    found, said = given.found, given.said
    quality, cost = spoken(title(quality_metric(found))), spoken(title(cost_metric(found)))
    facts = found.facts
    drawn = drawings.collect(given) is not None
    gaps = {
        "TITLE": escape_latex(facts.get("question") or facts.get("study_name", "")),
        "ANSWER": escape_latex(" ".join(filter(None, (said.sentence, said.choices, *said.doubts)))),
        "SWAPS": "\\input{tables/swaps}" if has_swaps else "% no two levels can be compared",
        "FRONT": escape_latex(
            f"Mean {quality} against {cost}; bars are intervals, the staircase joins mixes that no "
            f"other beats in the two, letters mark the front.{_colour(telling_slot(found))}"
        ),
        "EFFECTS": escape_latex(
            "Mean difference of each level to the mean of its choice, all else equal; filled dots "
            "are differences that the data support."
        ),
        "CURVES": "Validation over training, a line for each mix; those of the front in colour.",
        "NETWORKS": NETWORKS if drawn else "% no network can be drawn",
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, filling in gaps.items():
        text = text.replace(f"<<{name}>>", filling)
    return text


def _colour(slot: str) -> str:
    return f" Colour and shape: the family of blocks at {plain(slot)}." if slot else ""
