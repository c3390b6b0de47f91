"""Channels at each resolution, written in one way: by their first where they double."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.mix import Choice


def canonical_widths(topology: Choice) -> Choice:
    """Widths that say no more than width does are left out; where they say more, width follows."""
    settings = topology.settings
    if not {"width", "widths"} <= settings.keys():
        return topology
    widths = settings.pop("widths")
    if not isinstance(widths, tuple) or not widths:
        return Choice.of(topology.name, settings)
    settings["width"] = widths[0]
    if any(width != widths[0] * 2**level for level, width in enumerate(_numbers(widths))):
        settings["widths"] = widths
    return Choice.of(topology.name, settings)


def with_widths(topology: Choice, widths: Sequence[int]) -> Choice:
    """A topology with these channels at its resolutions; with one number, with this width."""
    settings = {name: value for name, value in topology.knobs if name != "widths"}
    settings["width"] = widths[0]
    if len(widths) > 1:
        settings["widths"] = tuple(widths)
    return canonical_widths(Choice.of(topology.name, settings))


def widths_of(topology: Choice, levels: int) -> tuple[int, ...]:
    """The channels at each of so many resolutions, as the settings have them."""
    widths = topology.settings.get("widths", ())
    if isinstance(widths, tuple) and widths:
        return _numbers(widths)
    width = topology.settings["width"]
    assert isinstance(width, int)
    return tuple(width * 2**level for level in range(levels))


def _numbers(widths: tuple[object, ...]) -> tuple[int, ...]:
    return tuple(int(str(width)) for width in widths)
