"""Which mixes to try next: strategies, pure functions of the study and of what was seen so far."""

from ablate.searches import adaptive as adaptive
from ablate.searches import designs as designs
from ablate.searches import factorial as factorial
from ablate.searches import optimal as optimal
from ablate.searches.constrained import Constrained
from ablate.searches.space import (
    Axes,
    Goal,
    NothingToTry,
    Point,
    Proposal,
    Seen,
    Space,
    all_in_all,
    check_search,
    design_words,
    propose,
    strategies,
)

__all__ = [
    "Axes",
    "Constrained",
    "Goal",
    "NothingToTry",
    "Point",
    "Proposal",
    "Seen",
    "Space",
    "all_in_all",
    "check_search",
    "design_words",
    "propose",
    "strategies",
]
