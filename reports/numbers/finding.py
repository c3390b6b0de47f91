"""One line of the health check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line of the health check.

    Args:
        level: good, note (know this when reading) or bad (numbers are missing, or mean little).
        text: One sentence.
        details: More lines, such as the reason of each failure.
    """

    level: Literal["good", "note", "bad"]
    text: str
    details: tuple[str, ...] = ()
