"""Sentences whose parts know what they cite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Cited:
    """Words after which a source is cited.

    Args:
        text: The words; "" where only the source is added.
        thing: What the source is of: block lama.
    """

    text: str
    thing: str


Sentence: TypeAlias = tuple[str | Cited, ...]
