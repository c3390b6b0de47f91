"""Equal footing: networks of one study brought to the same cost, so that blocks are compared."""

from ablate.footing.asked import (
    Filling,
    Footing,
    FootingError,
    amount_words,
    network_of,
)
from ablate.footing.solving import Solved, Solver

__all__ = [
    "Filling",
    "Footing",
    "FootingError",
    "Solved",
    "Solver",
    "amount_words",
    "network_of",
]
