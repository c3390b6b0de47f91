"""What `ablate crossover --json` found, read back: how blocks grow, and where they cross."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "crossover.json"  # beside the record
LARGEST = 16 * 2**20  # bytes; no such file is as large


class CrossingError(ValueError):
    """A file that is not what `ablate crossover --json` writes; the message says so."""


@dataclass(frozen=True)
class Course:
    """One contestant along one axis: what it takes at each value, with 95 % intervals."""

    name: str
    quantity: str
    axis: str
    x: tuple[float, ...]
    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Crossing:
    """Where, along an axis, one contestant overtakes another: at, with its 95 % interval."""

    quantity: str
    axis: str
    below: str
    above: str
    at: float
    low: float
    high: float


@dataclass(frozen=True)
class Crossings:
    """A whole comparison of blocks.

    Args:
        families: Of each contestant, by name.
        courses: How each grows.
        crossings: Where one overtakes another.
        sentences: What was found, in words; none in a file of an older version.
        how: Machine, device, back end and protocol, in words.
        base: What stays fixed while one axis varies: size, width, batch.
        dropped: What could not be run, and why.
    """

    families: dict[str, str]
    courses: tuple[Course, ...]
    crossings: tuple[Crossing, ...]
    sentences: tuple[str, ...]
    how: str
    base: dict[str, int]
    dropped: dict[str, str]


def read_crossings(path: Path) -> Crossings:
    """Read what `ablate crossover --json` printed.

    Raises:
        CrossingError: The file cannot be read, or is something else.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise CrossingError(f"{path}: larger than any cross-over; expected the JSON of one")
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CrossingError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, CrossingError):
            raise
        raise CrossingError(f"{path}: not JSON; expected what {_COMMAND} prints") from error
    try:
        return _crossings(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        why = " ".join(said.split())[:100]
        text = f"{path}: not a cross-over ({why}); expected what {_COMMAND} prints"
        raise CrossingError(text) from error


_COMMAND = "ablate crossover --json"


def keep_crossings(path: Path, folder: Path) -> None:
    """Put such a file beside a record, where the report looks for it.

    Args:
        path: The file.
        folder: That of the run.

    Raises:
        CrossingError: It is something else.
    """
    read_crossings(path)
    text, kept = path.read_text(encoding="utf-8"), folder / FILE
    draft = kept.with_name(f".{FILE}.partial")
    draft.write_text(text, encoding="utf-8")
    draft.replace(kept)


def _crossings(raw: dict[str, Any]) -> Crossings:
    facts = [str(raw.get(name, "")) for name in ("machine", "device", "protocol")]
    backend = str(raw.get("scan_backend", ""))
    facts[2:2] = [f"scan back end {backend}"] if backend else []
    return Crossings(
        families={str(one["name"]): str(one["family"]) for one in raw["contestants"]},
        courses=tuple(_course(one) for one in raw["courses"]),
        crossings=tuple(_crossing(duel, one) for duel in raw["duels"] for one in duel["crossings"]),
        sentences=tuple(str(text) for text in raw.get("sentences", [])),
        how="; ".join(part for part in facts if part),
        base={str(name): int(value) for name, value in raw["base"].items()},
        dropped={str(name): str(reason) for name, reason in raw["dropped"].items()},
    )


def _course(raw: dict[str, Any]) -> Course:
    columns = {name: _positive(raw[name]) for name in ("x", "values", "low", "high")}
    name, quantity, axis = (str(raw[key]) for key in ("name", "quantity", "axis"))
    if len({len(column) for column in columns.values()}) != 1:
        lengths = ", ".join(f"{key} {len(column)}" for key, column in columns.items())
        raise ValueError(f"columns of {name} have different lengths: {lengths}")
    if list(columns["x"]) != sorted(set(columns["x"])):
        raise ValueError(f"{axis} of {name} does not ascend: {columns['x']}")
    return Course(name, quantity, axis, **columns)


def _crossing(duel: dict[str, Any], raw: dict[str, Any]) -> Crossing:
    at, low, high = _positive([raw["at"], raw["low"], raw["high"]])
    below, above = str(raw["below"]), str(raw["above"])
    return Crossing(str(duel["quantity"]), str(duel["axis"]), below, above, at, low, high)


def _positive(raw: Sequence[Any]) -> tuple[float, ...]:
    """Numbers that can stand on a logarithmic axis."""
    numbers = tuple(float(value) for value in raw)
    if wrong := [number for number in numbers if not 0 < number < math.inf]:
        raise ValueError(f"{wrong[0]:g} where a finite number above 0 is expected")
    return numbers
