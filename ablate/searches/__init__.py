"""Which mixes to try next: strategies, pure functions of the study and of what was seen so far."""

from ablate.searches import designs as designs
from ablate.searches.space import (
    Axes,
    Constrained,
    Point,
    Proposal,
    Seen,
    Space,
    propose,
    strategies,
)

__all__ = [
    "Axes",
    "Constrained",
    "Point",
    "Proposal",
    "Seen",
    "Space",
    "propose",
    "strategies",
]
