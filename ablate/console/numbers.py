"""Numbers that were given to options."""

from __future__ import annotations

from typing import Literal

from ablate.folder import RunError


def whole(option: str, text: str, least: int = 1) -> int:
    """The number that was given to an option.

    Raises:
        RunError: It is not a whole number, or too small.
    """
    if not text.isdecimal() or int(text) < least:
        raise RunError(f"--{option}: expected a whole number from {least}; got '{text}'")
    return int(text)


def workers_of(text: str) -> int | Literal["auto"]:
    """How many trials at a time were asked for.

    Raises:
        RunError: It is neither auto nor a whole number from 1.
    """
    if text == "auto":
        return "auto"
    if not text.isdecimal() or not int(text):
        raise RunError(f"--workers: expected auto or a whole number from 1; got '{text}'")
    return int(text)
