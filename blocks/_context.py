"""What a block is given beside its features, and what it gives back beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Context:
    """Carried through one forward pass of a network, made anew for each.

    Args:
        embedding: (B, E), a vector for each image that the topology computed elsewhere in the
            network, for blocks whose constructor takes `context` (E, 0 where there is none).
        auxiliary: The collector: blocks append losses of their own, scalars that are small when
            all is well, such as how unevenly experts are used.
    """

    embedding: Tensor | None = None
    auxiliary: list[Tensor] = field(default_factory=list)
