"""The registry of topologies, what a topology is given and what its networks return."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from blocks import Registry

Fill = Callable[[int], nn.Module]
"""Makes the blocks of one stage for a number of channels."""

Outputs = dict[str, Tensor | list[Tensor]]
"""`image`, and on request `scales` and `features`."""

topologies: Registry[type[nn.Module]] = Registry("topology")
