"""From a record to what a paper takes from it: tables, figures, words, sources, one folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from reports.answering.answer import answer, cost_metric, quality_metric
from reports.answering.colours import telling_slot
from reports.graphics.escaping import escape_latex
from reports.ink.curves import curves_figure
from reports.ink.effects import effects_figure
from reports.ink.front import front_figure
from reports.ink.networks import networks_figure
from reports.ink.style import COLUMN, PAGE, Style, save_all
from reports.methods.details import details, in_latex, in_markdown, things
from reports.methods.settings import settings_of
from reports.numbers.found import Found
from reports.numbers.mixes import mixes
from reports.numbers.results import read
from reports.numbers.units import plain, spoken, title
from reports.paper.bibliography import RECORD, Bibliography, bibliography, run_entry
from reports.paper.results_table import all_sheet, results_sheet
from reports.paper.swaps_table import swaps_sheet
from reports.sections import drawings
from reports.sections.section import Given
from reports.sections.swaps import swap_table
from reports.whole import write_whole

TEMPLATE = Path(__file__).with_name("main.tex")
WIDTHS = {"column": COLUMN, "page": PAGE}
ENDINGS = ("pdf", "svg")
README = """\
# Paper kit

- `main.tex`: everything below in one document; `pdflatex main; bibtex main; pdflatex main; pdflatex
  main` (packages: booktabs, longtable, graphicx, url).
- `tables/results.tex`: the front, the best and the zeros of the scale; bold only beyond doubt.
- `tables/swaps.tex`: what one replacement changes, with intervals.
- `tables/all_mixes.tex`: every mix.
- `figures/*_column.*` (3.25 in wide) and `figures/*_page.*` (6.75 in), as PDF (Type 42 fonts) and
  SVG.
- `methods.tex`, `methods.md`: the implementation details in words.
- `references.bib`: sources of the blocks, topologies, losses and degradations, and the run itself.
"""


@dataclass(frozen=True)
class _Kit:
    """What all files are made of."""

    found: Found
    record: Path
    sources: Bibliography


def write_paper(
    record: Path | str, folder: Path | str, source_of: Callable[[str], str]
) -> dict[str, Path]:
    """Write the paper kit.

    Args:
        record: The run's record.
        folder: Where it goes; made if it is missing, older files of these names are replaced.
        source_of: For a thing (block lama, topology unet, loss l1, degradation haze) its source in
            words, as it was registered; "" where it is not known.

    Returns:
        Name in the folder -> path of each file.

    Raises:
        RecordError: The record cannot be read.
    """
    folder, kit = Path(folder), _kit(Path(record), source_of)
    for name in ("figures", "tables"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    written = {}
    for name, text in _texts(kit).items():
        write_whole(folder / name, text)
        written[name] = folder / name
    for name, draw in _figures(kit).items():
        for width, style in WIDTHS.items():
            files = [f"figures/{name}_{width}.{ending}" for ending in ENDINGS]
            paths = save_all(draw(style), [folder / file for file in files], style)
            written |= dict(zip(files, paths, strict=True))
    return written


def paper_texts(record: Path | str, source_of: Callable[[str], str]) -> dict[str, str]:
    """What `write_paper` would write into each file that is text; the same every time.

    Raises:
        RecordError: The record cannot be read.
    """
    return _texts(_kit(Path(record), source_of))


def _kit(record: Path, source_of: Callable[[str], str]) -> _Kit:
    found = read(record)
    named = things(found, settings_of(record))
    return _Kit(found, record, bibliography({thing: source_of(thing) for thing in named}))


def _texts(kit: _Kit) -> dict[str, str]:
    found = kit.found
    told = details(found, settings_of(kit.record))
    table = mixes(found)
    swaps = swap_table(found)
    texts = {
        "README.md": README,
        "main.tex": _main(kit, has_swaps=swaps is not None),
        "methods.tex": in_latex(told, kit.sources.keys) + f"\\nocite{{{RECORD}}}\n",
        "methods.md": "\n\n".join(in_markdown(told)) + "\n",
        "references.bib": kit.sources.text + "\n" + _own(found),
        "tables/results.tex": results_sheet(found, table).latex,
        "tables/all_mixes.tex": all_sheet(found, table).latex,
    }
    if swaps is not None:
        texts["tables/swaps.tex"] = swaps_sheet(swaps).latex
    return texts


def _figures(kit: _Kit) -> dict[str, Callable[[Style], Figure]]:
    found = kit.found
    quality, cost, slot = quality_metric(found), cost_metric(found), telling_slot(found)
    figures: dict[str, Callable[[Style], Figure]] = {
        "front": lambda style: front_figure(found, style, quality, cost, slot),
        "effects": lambda style: effects_figure(found, style),
        "curves": lambda style: curves_figure(found, style),
    }
    shown = drawings.collect(Given(kit.record, found, answer(found)))
    if shown is not None:
        figures["networks"] = lambda style: networks_figure(shown.drawn, style)
    return figures


def _own(found: Found) -> str:
    facts = found.facts
    began = (facts.get("started") or facts.get("created", ""))[:4]
    return run_entry(facts.get("study_name", ""), began, found.record_hash)


def _main(kit: _Kit, *, has_swaps: bool) -> str:
    """The document, its gaps filled."""
    found, said = kit.found, answer(kit.found)
    quality, cost = spoken(title(quality_metric(found))), spoken(title(cost_metric(found)))
    facts = found.facts
    drawn = drawings.collect(Given(kit.record, found, said)) is not None
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


NETWORKS = r"""\begin{figure*}[t]
\centering
\includegraphics[width=\textwidth]{figures/networks_page.pdf}
\caption{The networks of the front: boxes are stages with their blocks and, where measured, their
share of the cost.}
\label{fig:networks}
\end{figure*}"""
