"""Restored crops beside what came in and what was wanted, because people look at pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image

from reports.answering.answer import Answer, cost_metric, quality_metric
from reports.graphics.crops import (
    Errors,
    ErrorScale,
    Pixels,
    enlarged,
    error_uri,
    errors,
    middle,
    psnr,
    read,
    scale_of_errors,
    uri,
)
from reports.graphics.pipes import escaped, pipe_table
from reports.numbers.found import Found
from reports.numbers.units import ABSENT, TIE
from reports.record import Reading
from reports.sections.section import Given, Section

MOST_MIXES = 4
MOST_IMAGES = 3
INPUT, TARGET = "input", "target"


@dataclass(frozen=True)
class Shot:
    """One picture.

    Args:
        kind: input, target, or the mix's key.
        title: Input (enlarged, of super-resolution), original, or the mix.
        caption: Its PSNR against the original; "" for the original.
        uri: The picture itself, as a data URI.
        mix: Key of the mix, or "".
        alt: What it shows, in words.
        errors: Its error map as a data URI; "" for the original, or where there is none.
    """

    kind: str
    title: str
    caption: str
    uri: str
    mix: str
    alt: str
    errors: str = ""


@dataclass(frozen=True)
class Strip:
    """The pictures of one image, input first and original last."""

    image: str
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class Pictures:
    """The section.

    Args:
        strips: Image by image.
        scale: How errors are coloured; None where there is no original to compare with.
        left: Kind of the picture that the slider shows on the left at first.
        right: And on the right.
    """

    strips: tuple[Strip, ...]
    scale: ErrorScale | None
    left: str
    right: str


@dataclass(frozen=True)
class _Image:
    """The crops of one image, the same pixels of all; the mixes cheapest first."""

    name: str
    crops: Mapping[str, Pixels]
    enlarged: bool
    owner: str  # mix whose input it is, where mixes were given different ones

    @property
    def target(self) -> Pixels | None:
        return self.crops.get(TARGET)

    def errors(self, kind: str) -> Errors | None:
        """Where a crop errs; None for the original and without one."""
        target = self.target
        if target is None or kind == TARGET or self.crops[kind].shape != target.shape:
            return None
        return errors(self.crops[kind], target)


def pictures(path: Path | str, found: Found, said: Answer) -> Pictures | None:
    """Crops of the mixes worth looking at; None if the record holds no pictures."""
    with Reading.open(path) as record:
        trials = _with_pictures(found, record.pictured())
        chosen = [mix for mix in worth_a_look(found, said) if mix in trials][:MOST_MIXES]
        rows = {mix: record.pictures(trials[mix]) for mix in _cheapest_first(found, chosen)}
    if not rows:
        return None
    names = list(dict.fromkeys(next(iter(rows.values()))["image"]))[:MOST_IMAGES]
    images = [_image(str(name), rows) for name in names]
    maps = [each.errors(mix) for each in images for mix in rows if mix in each.crops]
    known = [each for each in maps if each is not None]
    scale = scale_of_errors(known) if known else None
    kinds = [kind for kind in (INPUT, *rows, TARGET) if kind in images[0].crops]
    return Pictures(
        strips=tuple(_strip(found, each, scale) for each in images),
        scale=scale,
        left=kinds[0] if len(rows) == 1 else next(iter(rows)),
        right=said.best if said.best in list(rows)[1:] else list(rows)[-1],
    )


def worth_a_look(found: Found, said: Answer) -> list[str]:
    """The best mix, the cheaper one, the ends and the middle of the front, then the next best."""
    members = list(found.letters)
    middle_one = members[len(members) // 2 : len(members) // 2 + 1]
    order = [said.best, said.cheaper, *members[:1], *middle_one]
    quality = quality_metric(found)
    if quality in found.ranked:
        up = found.metrics[quality].better == "lower"
        best = found.ranked[quality].sort_values(ascending=up, kind="stable")
        order += map(str, best.index[:4])
    return [mix for mix in dict.fromkeys(order) if mix]


def _with_pictures(found: Found, pictured: set[str]) -> dict[str, str]:
    """Mix -> its first trial that left pictures."""
    rows = found.trials[found.trials["key"].isin(pictured)].drop_duplicates("mix")
    return dict(zip(rows["mix"], rows["key"], strict=True))


def _cheapest_first(found: Found, mixes: list[str]) -> list[str]:
    """As on the front."""
    cost = cost_metric(found)
    return sorted(mixes, key=lambda mix: found.number(mix, cost)) if cost else mixes


def _image(name: str, rows: Mapping[str, pd.DataFrame]) -> _Image:
    """The crops of an image; an input that is smaller than what was wanted is enlarged to it."""
    shots = {mix: _decoded(table, name) for mix, table in rows.items()}
    owner, first = next(iter(shots.items()))
    alike = len({of[INPUT].tobytes() for of in shots.values() if INPUT in of}) < 2
    target, entered = first.get(TARGET), first.get(INPUT)
    crops, grown = {}, False
    if entered is not None:
        grown = target is not None and entered.size != target.size
        crops[INPUT] = middle(enlarged(entered, target.size) if target is not None else entered)
    crops |= {mix: middle(of["restored"]) for mix, of in shots.items() if "restored" in of}
    if target is not None:
        crops[TARGET] = middle(target)
    return _Image(name, crops, grown, "" if alike else owner)


def _decoded(rows: pd.DataFrame, image: str) -> dict[str, Image.Image]:
    of_image = rows[rows["image"] == image]
    return {
        str(kind): read(png) for kind, png in zip(of_image["kind"], of_image["png"], strict=True)
    }


def _strip(found: Found, image: _Image, scale: ErrorScale | None) -> Strip:
    return Strip(image.name, tuple(_shot(found, image, kind, scale) for kind in image.crops))


def _shot(found: Found, image: _Image, kind: str, scale: ErrorScale | None) -> Shot:
    crop, wrong = image.crops[kind], image.errors(kind)
    title, alt = _words(found, image, kind)
    score = psnr(crop, image.target) if image.target is not None and kind != TARGET else math.nan
    return Shot(
        kind=kind,
        title=title,
        caption=_decibels(score),
        uri=uri(crop),
        mix="" if kind in (INPUT, TARGET) else kind,
        alt=alt,
        errors=error_uri(wrong, scale) if wrong is not None and scale is not None else "",
    )


def _words(found: Found, image: _Image, kind: str) -> tuple[str, str]:
    """Title and alternative text."""
    if kind == TARGET:
        return "Original", f"{image.name}, original"
    if kind == INPUT:
        whose = f" of {_title(found, image.owner)}" if image.owner else ""
        text = f"{image.name}, degraded"
        if image.enlarged:
            return f"Input{whose}, enlarged", f"{text}, enlarged by bicubic interpolation"
        return f"Input{whose}", text
    return _title(found, kind), f"{image.name}, restored by {found.label(kind)}"


def _title(found: Found, mix: str) -> str:
    letter = found.letters.get(mix, "")
    return f"Mix {letter}" if letter else found.label(mix)


def _decibels(score: float) -> str:
    if math.isnan(score):
        return ""
    return "identical" if math.isinf(score) else f"{score:.2f}{TIE}dB"


def collect(given: Given) -> Pictures | None:
    """The crops; None where the record holds no pictures."""
    return pictures(given.record, given.found, given.said)


def markdown(shown: Pictures) -> list[str]:
    """PSNR of each crop, for the pictures themselves are on the page."""
    titles = list(dict.fromkeys(shot.title for strip in shown.strips for shot in strip.shots))
    titles = [title for title in titles if title != "Original"]
    lines = ["## Look at them", "", "PSNR of the crops that the page shows.", ""]
    rows = []
    for strip in shown.strips:
        scores = {shot.title: shot.caption for shot in strip.shots}
        cells = [strip.image, *(scores.get(title, "") or ABSENT for title in titles)]
        rows.append(escaped(cells))
    return [*lines, *pipe_table(escaped(["Crop", *titles]), "l" + "r" * len(titles), rows), ""]


def data(shown: Pictures) -> Mapping[str, object]:
    """What the slider shows at first."""
    return {"left": shown.left, "right": shown.right}


SECTION = Section("pictures", collect, markdown, data)
