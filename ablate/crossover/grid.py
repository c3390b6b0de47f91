"""Which blocks are compared, and at which resolutions, widths and batch sizes."""

from __future__ import annotations

import itertools
import tomllib
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ablate.mix import Choice
from ablate.study.alternatives import Reader
from ablate.study.places import Problems, StudyError
from blocks import UnknownName, blocks
from blocks._register import Family

Axis = Literal["size", "width", "batch"]
AXES: tuple[Axis, ...] = ("size", "width", "batch")
DEFAULTS: Mapping[Axis, tuple[int, ...]] = {
    "size": (32, 48, 64, 96, 128, 192, 256),
    "width": (32,),
    "batch": (1,),
}


class CrossoverError(ValueError):
    """Nothing can be compared; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A block, or a family: several blocks of which the fastest counts at each size.

    Args:
        name: As it was asked for.
        family: Of its blocks.
        members: The blocks, with all their knobs.
    """

    name: str
    family: str
    members: tuple[Choice, ...]


@dataclass(frozen=True, order=True)
class Point:
    """Where a block is run: on features (batch, width, size, size)."""

    size: int
    width: int
    batch: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(B, C, H, W)."""
        return self.batch, self.width, self.size, self.size


@dataclass(frozen=True, kw_only=True)
class Case:
    """A block at a point."""

    block: Choice
    point: Point

    @property
    def key(self) -> str:
        """The same for the same block at the same point, and readable."""
        point = self.point
        where = f"{point.size}x{point.size}, width {point.width}, batch {point.batch}"
        return f"{shown(self.block)} at {where}"


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The values of each axis, ascending; while one varies, the others stay at `base`.

    Args:
        size: Sides of the features, in pixels.
        width: Channels.
        batch: Images.
        middle: The base; none for the middle value of each axis, the lower of two.
    """

    size: tuple[int, ...]
    width: tuple[int, ...]
    batch: tuple[int, ...]
    middle: Point | None = None

    @property
    def base(self) -> Point:
        """Where the axes meet."""
        return self.middle or Point(*(values[(len(values) - 1) // 2] for values in self._all))

    def with_more(self, more: Mapping[Axis, Iterable[int]]) -> Grid:
        """The same grid with more values, and the same base."""
        values = {
            axis: tuple(sorted({*known, *more.get(axis, ())}))
            for axis, known in zip(AXES, self._all, strict=True)
        }
        return Grid(
            size=values["size"], width=values["width"], batch=values["batch"], middle=self.base
        )

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes along which something varies."""
        return tuple(axis for axis, values in zip(AXES, self._all, strict=True) if len(values) > 1)

    @property
    def points(self) -> tuple[Point, ...]:
        """Every point, once."""
        along = (self.along(axis).values() for axis in AXES)
        return tuple(sorted(set(itertools.chain(*along))))

    def along(self, axis: Axis) -> dict[int, Point]:
        """The points of one axis, by its value."""
        base = self.base
        place = {"size": base.size, "width": base.width, "batch": base.batch}
        values = self._all[AXES.index(axis)]
        return {value: Point(**{**place, axis: value}) for value in values}

    @property
    def _all(self) -> tuple[tuple[int, ...], ...]:
        return self.size, self.width, self.batch


def _given(values: Mapping[Axis, Sequence[int]]) -> str:
    """One value each: size 64, width 32, batch 1."""
    return ", ".join(f"{axis} {listed[0]}" for axis, listed in values.items())


def read_grid(asked: Mapping[Axis, Sequence[str] | None]) -> Grid:
    """The grid that was asked for; defaults where nothing was.

    Args:
        asked: By axis the values as text; none for the defaults.

    Raises:
        CrossoverError: A value is no whole number from 1, or nothing varies.
    """
    values = {axis: _numbers(axis, asked.get(axis)) for axis in AXES}
    grid = Grid(size=values["size"], width=values["width"], batch=values["batch"])
    if not grid.axes:
        raise CrossoverError(
            "nothing varies: give several values to --size, --width or --batch, "
            f"as in --size 32 64 128 256; got {_given(values)}"
        )
    return grid


def read_contestants(names: Sequence[str]) -> tuple[Contestant, ...]:
    """Blocks as they are written on the command line: mwsa, mwsa:window=16, or a family.

    Raises:
        CrossoverError: A name is given twice.
        UnknownName: There is no such block or family.
        ValueError: A knob is unknown or has a value that it cannot take.
    """
    found = tuple(_contestant(name) for name in names)
    for number, contestant in enumerate(found):
        for other in found[:number]:
            if contestant.members == other.members:
                raise CrossoverError(
                    f"'{contestant.name}' is '{other.name}' once more; each is compared once"
                )
    return found


def shown(block: Choice) -> str:
    """A block and the knobs that are not at their defaults: mwsa:window=16."""
    knobs = blocks[block.name].knobs
    changed = [f"{name}={value}" for name, value in block.knobs if value != knobs[name].default]
    return f"{block.name}:{','.join(changed)}" if changed else block.name


def cases_of(contestants: Iterable[Contestant], points: Iterable[Point]) -> tuple[Case, ...]:
    """Every block at every point, where there is little to compute first."""
    members = dict.fromkeys(itertools.chain(*(c.members for c in contestants)))
    order = sorted(points, key=lambda point: point.size**2 * point.width * point.batch)
    return tuple(Case(block=block, point=point) for point in order for block in members)


def _contestant(text: str) -> Contestant:
    name, _, knobs = text.partition(":")
    families = typing.get_args(Family)
    if name in families and name not in blocks and not knobs:
        members = tuple(_choice(b, "") for b in blocks if blocks[b].facts["family"] == name)
        if members:
            return Contestant(name=name, family=name, members=members)
    try:
        family = str(blocks[name].facts["family"])
    except UnknownName as error:
        listed = ", ".join(families)
        raise UnknownName(f"{error}; a family stands for all its blocks ({listed})") from None
    return Contestant(name=text, family=family, members=(_choice(name, knobs),))


def _choice(name: str, knobs: str) -> Choice:
    """A block with its knobs, each written name=value, with commas between."""
    problems = Problems("")
    try:
        settings = tomllib.loads("\n".join(_assignments(knobs)))
    except tomllib.TOMLDecodeError:
        raise CrossoverError(
            f"{name}: knobs are written as in {name}:name=value,other=value; got '{knobs}'"
        ) from None
    chosen = Reader(blocks, problems, asks=False).choices({"name": name, **settings}, ("block",))
    try:
        problems.raise_if_any()
    except StudyError as error:
        raise CrossoverError(error.problems[0]) from None
    return chosen[0]


def _assignments(knobs: str) -> list[str]:
    """One line of TOML for each knob; a bare word is a text, as in kind=plain."""
    lines = []
    for part in filter(None, knobs.split(",")):
        key, equals, value = part.partition("=")
        bare = value.isidentifier() and value not in ("true", "false")
        lines.append(f"{key}{equals}" + (f'"{value}"' if bare else value))
    return lines


def _numbers(axis: Axis, asked: Sequence[str] | None) -> tuple[int, ...]:
    if asked is None:
        return DEFAULTS[axis]
    for text in asked:
        if not (text.isdecimal() and int(text)):
            raise CrossoverError(f"--{axis}: expected whole numbers from 1; got '{text}'")
    return tuple(sorted({int(text) for text in asked}))
