"""The files of a paper kit, and what a record makes of each: texts, and figures byte by byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib

from reports.numbers.units import count
from reports.page.pieces import pieces
from reports.paper.figures import NAMES, draw_figures
from reports.paper.kit import kit_of, texts_of
from reports.sections.section import Given
from reports.verifying.copies import Compared, Copy, Stated, compared
from reports.verifying.differing import Difference, first, first_byte

TABLES = ("tables/results.tex", "tables/swaps.tex", "tables/all_mixes.tex")
TEXTS = (*TABLES, "methods.tex", "methods.md", "references.bib", "main.tex")
STATED = {
    "README.md": re.compile(
        r"Made by (?P<code>.+?) from the record with SHA-256 (?P<record>[0-9a-f]{64})"
    ),
    "references.bib": re.compile(r"SHA-256 \\texttt\{(?P<record>[0-9a-f ]{67})\}"),
}
DRAWN = re.compile(rb"Matplotlib v(\d+(?:\.\w+)*)")  # in PDF and SVG

Sources = Callable[[str], str]


def kit_of_file(path: Path) -> tuple[Path, tuple[str, ...]] | None:
    """The kit that a file or a folder is, or is part of, and which files are meant."""
    if path.is_dir():
        return (path, _present(path)) if is_kit(path) else None
    for folder in path.absolute().parents[:2]:
        name = path.absolute().relative_to(folder).as_posix()
        if name in (*TEXTS, *NAMES) and is_kit(folder):
            return folder, (name,)
    return None


def is_kit(folder: Path) -> bool:
    """Whether a folder is a paper kit."""
    return any((folder / name).is_file() for name in (*TABLES, "methods.tex"))


def compare_kit(
    folder: Path, names: Sequence[str], given: tuple[Path, str], source_of: Sources, place: str = ""
) -> Compared:
    """Hold a kit against a record.

    Args:
        folder: The kit.
        names: Which of its files.
        given: The record, and its hash.
        source_of: As `write_paper` was given it.
        place: What stands before the names of files in messages.
    """
    record, now = given
    kit = kit_of(record, source_of)
    made = texts_of(kit)
    copies = tuple(
        Copy(place + name, (folder / name).read_text(encoding="utf-8"), made.get(name))
        for name in names
        if name in TEXTS
    )
    found = compared(copies, _stated(folder), now, f"paper kit {place}".strip())
    drawn = _compare_figures(folder, [name for name in names if name in NAMES], kit.given, place)
    return replace(
        found,
        files=(*found.files, *drawn.files),
        difference=found.difference or drawn.difference,
        remarks=(*found.remarks, *drawn.remarks),
    )


def _present(folder: Path) -> tuple[str, ...]:
    return tuple(name for name in (*TEXTS, *NAMES) if (folder / name).is_file())


def _stated(folder: Path) -> Stated:
    """The record and the code that a kit says it was made of; code stands in one file only."""
    for name, pattern in STATED.items():
        text = (folder / name).read_text(encoding="utf-8") if (folder / name).is_file() else ""
        if found := pattern.search(text):
            stated = found.groupdict()
            return Stated(stated["record"].replace(" ", ""), stated.get("code", ""))
    return Stated()


def _compare_figures(folder: Path, names: Sequence[str], given: Given, place: str) -> Compared:
    """Figures that this matplotlib drew, drawn again."""
    theirs = {name: (folder / name).read_bytes() for name in names}
    by = {name: _drawn_by(theirs[name]) for name in names}
    own = [name for name in names if by[name] == matplotlib.__version__]
    remarks = tuple(_not_compared([by[name] for name in names if name not in own]))
    difference = None
    if own:
        with TemporaryDirectory() as scratch:
            ours = draw_figures(given, Path(scratch))
            for name in own:
                made = ours[name].read_bytes() if name in ours else b""
                difference = difference or _difference(place + name, theirs[name], made)
    return Compared(tuple(place + name for name in own), 0, difference, remarks)


def _drawn_by(content: bytes) -> str:
    """The version of matplotlib that a file says it was drawn by; "" if by something else."""
    found = DRAWN.search(content)
    return found[1].decode() if found else ""


def _not_compared(versions: Sequence[str]) -> Iterator[str]:
    for version in dict.fromkeys(versions):
        by = f"matplotlib {version}" if version else "something else than matplotlib"
        yield (
            f"{count(versions.count(version), 'figure')} drawn by {by}, so not compared with what "
            f"matplotlib {matplotlib.__version__} draws here"
        )


def _difference(name: str, theirs: bytes, ours: bytes) -> Difference | None:
    """Where two figures differ; an SVG is text, and says which mark it is."""
    if not ours:
        return Difference(name, "the whole file", "a figure", None)
    if theirs != ours and name.endswith(".svg"):
        texts = (each.decode("utf-8", errors="replace") for each in (theirs, ours))
        found = first(name, *(pieces(name, text) for text in texts))
        if found:
            return found
    return first_byte(name, theirs, ours)
