"""A mix as tables call it."""

from __future__ import annotations

from dataclasses import dataclass

from reports.numbers.found import Found


@dataclass(frozen=True)
class Named:
    """A mix with its names; rows and pictures of one mix are this and more.

    Args:
        mix: Its key.
        label: Its label.
        letter: Its letter on the front; "" off it.
    """

    mix: str
    label: str
    letter: str

    @property
    def name(self) -> str:
        """Letter and label: A mwsa | lama."""
        return f"{self.letter} {self.label}".strip()


def named(found: Found, mix: str) -> Named:
    """A mix by its key."""
    return Named(mix, found.label(mix), found.letters.get(mix, ""))
