"""How figures look: fonts, sizes and colours, and how they become files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from reports.graphics.escaping import one_line

INK, FAINT, PLAIN = "#1c1f23", "#b9b6ae", "#3d4248"
SANS = ("DejaVu Sans",)  # comes with matplotlib, as do the others
SERIF = ("STIXGeneral", "DejaVu Serif", "DejaVu Sans")  # the later ones where letters are missing


@dataclass(frozen=True)
class Style:
    """How a figure is drawn.

    Args:
        width: Of the figure, in inches.
        text: Size of the text, in points.
        fonts: Families, in the order in which a letter is looked for.
        titled: Whether it has a heading of its own; a paper's figure has a caption.
        tight: Whether the file is cut to the ink; else it is exactly as wide as asked.
        dpi: Dots per inch of what is stored as dots.
    """

    width: float
    text: float = 8.0
    fonts: tuple[str, ...] = SANS
    titled: bool = False
    tight: bool = False
    dpi: int = 200

    @property
    def layout(self) -> Literal["constrained"] | None:
        """How matplotlib makes room for what stands beside the axes; not where files are cut."""
        return None if self.tight else "constrained"

    def shown(self, text: str) -> str:
        """A text in letters that these fonts have; others are named by their number."""
        known = _letters(self.fonts)
        letters = (
            each if ord(each) in known else f"[U+{ord(each):04X}]" for each in one_line(text)
        )
        return "".join(letters)


SCREEN = Style(width=7.6, text=8.0, titled=True, tight=True)
COLUMN = Style(width=3.25, text=7.5, fonts=SERIF, dpi=300)
PAGE = Style(width=6.75, text=8.0, fonts=SERIF, dpi=300)


@contextmanager
def inked(style: Style) -> Iterator[None]:
    """Within it figures are made and saved in a style; no text is taken for mathematics."""
    settings: Any = {  # matplotlib's keys as a type of their own would be hundreds
        "font.family": list(style.fonts),
        "font.size": style.text,
        "axes.titlesize": style.text,
        "axes.labelsize": style.text,
        "xtick.labelsize": style.text - 0.5,
        "ytick.labelsize": style.text - 0.5,
        "legend.fontsize": style.text - 0.5,
        "mathtext.fontset": "stix",
        "text.parse_math": False,
        "text.usetex": False,
        "axes.formatter.use_mathtext": False,
        "axes.unicode_minus": True,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "pdf.fonttype": 42,  # TrueType, as publishers ask for
        "ps.fonttype": 42,
        "svg.fonttype": "path",
        "svg.hashsalt": "ablate",  # so that the same figure is the same bytes
    }
    with matplotlib.rc_context(settings):
        yield


def blank(
    style: Style, height: float, rows: int = 1, columns: int = 1
) -> tuple[Figure, list[Axes]]:
    """A figure of the style's width with bare axes, row by row.

    Args:
        style: How it is drawn.
        height: In inches.
        rows: Of axes.
        columns: Of axes; all share what goes across and up.
    """
    figure = Figure(figsize=(style.width, height), layout=style.layout)
    grid = figure.subplots(rows, columns, sharex="all", sharey="all", squeeze=False)
    axes = [each for row in grid for each in row]
    for each in axes:
        bare(each)
    return figure, axes


def bare(axes: Axes) -> None:
    """Axes without a box."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(color=FAINT)


def empty(style: Style, words: str) -> Figure:
    """A figure that says why there is none."""
    figure, (axes,) = blank(style, 1.6)
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes)
    return figure


def save_all(figure: Figure, paths: Sequence[Path], style: Style) -> list[Path]:
    """Write a figure in several formats; where everything goes is settled once."""
    if style.tight:
        box = _inked_part(figure, style)
        return [save(figure, path, style, box) for path in paths]
    with inked(style):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return [save(figure, path, style) for path in paths]


def save(figure: Figure, path: Path, style: Style, part: Bbox | None = None) -> Path:
    """Write it, whole or not at all: what was drawn before stays until then.

    Args:
        figure: What was drawn.
        path: Its ending chooses the format.
        style: That it was drawn in.
        part: What of it is written where the style is tight, in inches; all ink if left out.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    kind = path.suffix.removeprefix(".") or "png"
    box = (part or "tight") if style.tight else None
    try:
        with inked(style):
            figure.savefig(
                draft, format=kind, dpi=style.dpi, bbox_inches=box, metadata=_undated(kind)
            )
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _inked_part(figure: Figure, style: Style) -> Bbox:
    """What of a figure has ink, in inches, as matplotlib would find it anew for each format."""
    with inked(style):
        figure.set_dpi(style.dpi)
        canvas: Any = FigureCanvasAgg(figure)
        found = figure.get_tightbbox(canvas.get_renderer())
        return found.padded(matplotlib.rcParams["savefig.pad_inches"])


def _undated(kind: str) -> dict[str, None] | None:
    """No date in the file, so that the same report is the same bytes."""
    return {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)


@cache
def _letters(fonts: tuple[str, ...]) -> frozenset[int]:
    """The letters that at least one of these fonts has."""
    paths = [font_manager.findfont(name, fallback_to_default=False) for name in fonts]
    return frozenset().union(*(font_manager.get_font(path).get_charmap() for path in paths))
