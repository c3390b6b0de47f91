"""Durations, names and paths as people read them."""

from __future__ import annotations

from pathlib import Path


def duration(seconds: float) -> str:
    """Seconds for people: 12 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def shortened(text: str, width: int) -> str:
    """Text that fits: cut in its middle, since labels differ at both ends."""
    if len(text) <= width:
        return text
    head, tail = (width - 2) // 2, (width - 3) // 2
    return f"{text[:head]}...{text[len(text) - tail :]}"


def shown(path: Path) -> str:
    """A path as short as it can be typed."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
