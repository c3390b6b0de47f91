"""Restored crops beside what came in and what was wanted, because people look at pictures."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from reports.answer import Answer, cost_metric, quality_metric
from reports.found import Found
from reports.record import Reading
from reports.sections.section import Given, Section

SIDE = 192  # pixels of a shown picture
MOST_MIXES = 4
MOST_IMAGES = 3
QUALITY = 88


@dataclass(frozen=True)
class Shot:
    """One picture.

    Args:
        title: Input (enlarged, of super-resolution), original, or the mix.
        caption: Its PSNR against the original; "" for the original.
        uri: The picture itself, as a data URI.
        mix: Key of the mix, or "".
        alt: What it shows, in words.
    """

    title: str
    caption: str
    uri: str
    mix: str
    alt: str


@dataclass(frozen=True)
class Strip:
    """The pictures of one image, input first and original last."""

    image: str
    shots: tuple[Shot, ...]


def pictures(path: Path | str, found: Found, said: Answer) -> tuple[Strip, ...]:
    """Strips of the mixes worth looking at; none if the record holds no pictures."""
    with Reading.open(path) as record:
        trials = _with_pictures(found, record.pictured())
        chosen = [mix for mix in worth_a_look(found, said) if mix in trials][:MOST_MIXES]
        shots = {mix: record.pictures(trials[mix]) for mix in chosen}
    if not shots:
        return ()
    images = list(dict.fromkeys(next(iter(shots.values()))["image"]))[:MOST_IMAGES]
    return tuple(_strip(found, str(image), shots) for image in images)


def worth_a_look(found: Found, said: Answer) -> list[str]:
    """The best mix, the cheaper one, the ends and the middle of the front, then the next best."""
    members = list(found.letters)
    middle = members[len(members) // 2 : len(members) // 2 + 1]
    order = [said.best, said.cheaper, *members[:1], *middle]
    quality = quality_metric(found)
    if quality in found.ranked:
        up = found.metrics[quality].better == "lower"
        order += [str(mix) for mix in found.ranked.sort_values(quality, ascending=up).index[:4]]
    return [mix for mix in dict.fromkeys(order) if mix]


def _with_pictures(found: Found, pictured: set[str]) -> dict[str, str]:
    """Mix -> its first trial that left pictures."""
    rows = found.trials[found.trials["key"].isin(pictured)].drop_duplicates("mix")
    return dict(zip(rows["mix"], rows["key"], strict=True))


def _strip(found: Found, image: str, shots: dict[str, pd.DataFrame]) -> Strip:
    """Cheapest mix first, as on the front."""
    decoded = {mix: _decode(rows, image) for mix, rows in shots.items()}
    first = next(iter(decoded.values()))
    target = first.get("target")
    row = []
    if "input" in first:
        row.append(_input(image, first["input"], target))
    cost = cost_metric(found)
    order = sorted(decoded, key=lambda mix: found.number(mix, cost)) if cost else list(decoded)
    for mix in order:
        if "restored" in decoded[mix]:
            restored, label = decoded[mix]["restored"], found.label(mix)
            letter = found.letters.get(mix, "")
            heading = f"Mix {letter}" if letter else label
            alt = f"{image}, restored by {label}"
            row.append(Shot(heading, _score(restored, target), uri(restored), mix, alt))
    if target is not None:
        row.append(Shot("Original", "", uri(target), "", f"{image}, original"))
    return Strip(image, tuple(row))


def _input(image: str, shown: Image.Image, target: Image.Image | None) -> Shot:
    """What came in; where it is smaller than what was wanted, enlarged to that."""
    heading, alt = "Input", f"{image}, degraded"
    if target is not None and shown.size != target.size:
        shown = shown.resize(target.size, Image.Resampling.BICUBIC)
        heading, alt = "Input, enlarged", f"{alt}, enlarged by bicubic interpolation"
    return Shot(heading, _score(shown, target), uri(shown), "", alt)


def _decode(rows: pd.DataFrame, image: str) -> dict[str, Image.Image]:
    of_image = rows[rows["image"] == image]
    return {
        str(kind): Image.open(io.BytesIO(png), formats=["PNG"]).convert("RGB")
        for kind, png in zip(of_image["kind"], of_image["png"], strict=True)
    }


def _score(shown: Image.Image, target: Image.Image | None) -> str:
    """PSNR of an 8-bit picture, as it can be seen."""
    if target is None or shown.size != target.size:
        return ""
    gap = np.asarray(shown, dtype=float) - np.asarray(target, dtype=float)
    error = float((gap**2).mean())
    return f"{10 * math.log10(255**2 / error):.2f} dB" if error else "identical"


def uri(picture: Image.Image) -> str:
    """A picture as a small WebP in a data URI."""
    picture = picture.copy()
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=6)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def collect(given: Given) -> tuple[Strip, ...] | None:
    """The strips; None where the record holds no pictures."""
    return pictures(given.record, given.found, given.said) or None


def markdown(_: tuple[Strip, ...]) -> list[str]:
    """Nothing: pictures are looked at on the page."""
    return []


SECTION = Section("pictures", collect, markdown)
