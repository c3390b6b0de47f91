"""Pictures of many networks in few bytes: frames that networks share, and what fills the boxes."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping

from reports.networks.picture import Box, Drawing

UNKNOWN = -1


def compact(pictures: Mapping[str, Drawing]) -> dict[str, object]:
    """What a script draws networks from.

    Args:
        pictures: Key of each mix -> its picture.

    Returns:
        frames: each with width, height, lines (path, whether it is a skip), notes (x, y, text) and
        boxes (x, y, width, height, name). fills: lines, words, looks of the families and of the
        cells. mixes: key -> frame, fill of each box, share of each box in percent (-1: unknown).
    """
    frames, fills = _Numbered(), _Numbered()
    mixes = {
        key: [
            frames.number(_frame(picture)),
            [fills.number(_fill(box)) for box in picture.boxes],
            [UNKNOWN if math.isnan(box.share) else round(100 * box.share) for box in picture.boxes],
        ]
        for key, picture in pictures.items()
    }
    return {"frames": frames.members, "fills": fills.members, "mixes": mixes}


class _Numbered:
    """Different things, each with its number."""

    def __init__(self) -> None:
        self.members: list[object] = []
        self._numbers: dict[Hashable, int] = {}

    def number(self, thing: object) -> int:
        """Its number; a new one if it is new."""
        name = json.dumps(thing)
        if name not in self._numbers:
            self._numbers[name] = len(self.members)
            self.members.append(thing)
        return self._numbers[name]


def _frame(picture: Drawing) -> dict[str, object]:
    return {
        "width": picture.width,
        "height": picture.height,
        "lines": [[line.path, int(line.skip)] for line in picture.lines],
        "notes": [[_short(note.x), _short(note.y), note.text] for note in picture.notes],
        "boxes": [
            [*(_short(n) for n in (box.x, box.y, box.width, box.height)), box.name]
            for box in picture.boxes
        ],
    }


def _fill(box: Box) -> list[object]:
    kinds, cells = ([look.slug for look in looks] for looks in (box.kinds, box.cells))
    return [list(box.lines), box.words, kinds, cells]


def _short(number: float) -> float:
    return round(number, 1)
