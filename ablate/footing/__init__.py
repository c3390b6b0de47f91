"""Equal footing: networks of one study brought to the same cost, so that blocks are compared."""

from ablate.footing.asked import Filling, Footing, FootingError, amount, amount_words
from ablate.footing.solving import Solver

__all__ = ["Filling", "Footing", "FootingError", "Solver", "amount", "amount_words"]
