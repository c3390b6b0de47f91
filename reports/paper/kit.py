"""From a record to what a paper takes from it: tables, figures, words, sources, one folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reports.answering.answer import answer
from reports.methods.details import details, in_latex, in_markdown, things
from reports.methods.settings import settings_of
from reports.numbers.found import Found
from reports.numbers.mixes import mixes
from reports.numbers.results import read
from reports.page.maker import maker
from reports.paper.bibliography import RECORD, Bibliography, bibliography, run_entry
from reports.paper.document import document
from reports.paper.figures import draw_figures
from reports.paper.results_table import all_sheet, results_sheet
from reports.paper.swaps_table import swaps_sheet
from reports.sections.section import Given
from reports.sections.swaps import swap_table
from reports.whole import write_whole

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

Made by {maker} from the record with SHA-256 {record}; `ablate verify` makes it again and compares.
"""


@dataclass(frozen=True)
class Kit:
    """What all files are made of."""

    given: Given
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
    folder, kit = Path(folder), kit_of(Path(record), source_of)
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    written = {}
    for name, text in texts_of(kit).items():
        write_whole(folder / name, text)
        written[name] = folder / name
    return written | draw_figures(kit.given, folder)


def paper_texts(record: Path | str, source_of: Callable[[str], str]) -> dict[str, str]:
    """What `write_paper` would write into each file that is text; the same every time.

    Raises:
        RecordError: The record cannot be read.
    """
    return texts_of(kit_of(Path(record), source_of))


def kit_of(record: Path, source_of: Callable[[str], str]) -> Kit:
    """Read what all files are made of.

    Raises:
        RecordError: The record cannot be read.
    """
    found = read(record)
    named = things(found, settings_of(record))
    sources = bibliography({thing: source_of(thing) for thing in named})
    return Kit(Given(record, found, answer(found)), sources)


def texts_of(kit: Kit) -> dict[str, str]:
    """Name of each file that is text -> what stands in it."""
    found = kit.given.found
    told = details(found, settings_of(kit.given.record))
    table = mixes(found)
    swaps = swap_table(found)
    texts = {
        "README.md": README.format(maker=maker(), record=found.record_hash),
        "main.tex": document(kit.given, has_swaps=swaps is not None),
        "methods.tex": in_latex(told, kit.sources.keys) + f"\\nocite{{{RECORD}}}\n",
        "methods.md": "\n\n".join(in_markdown(told)) + "\n",
        "references.bib": kit.sources.text + "\n" + _own(found),
        "tables/results.tex": results_sheet(found, table).latex,
        "tables/all_mixes.tex": all_sheet(found, table).latex,
    }
    if swaps is not None:
        texts["tables/swaps.tex"] = swaps_sheet(swaps).latex
    return texts


def _own(found: Found) -> str:
    facts = found.facts
    began = (facts.get("started") or facts.get("created", ""))[:4]
    return run_entry(facts.get("study_name", ""), began, found.record_hash)
