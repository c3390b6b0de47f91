"""Every operator of a forward pass, with the layer that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ablate.profiling._counting import CountingMode
from ablate.profiling._operators import Work
from ablate.profiling._running import Running
from blocks._layout import ChannelNorm
from blocks._pooling import GlobalMean

LAYERS: frozenset[type[nn.Module]] = frozenset({
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.Linear, nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d,
    nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, ChannelNorm,
    nn.Softmax, nn.PReLU, nn.Upsample, nn.UpsamplingBilinear2d, nn.UpsamplingNearest2d,
    nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, GlobalMean,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operator as it was called.

    Args:
        name: As PyTorch names it, such as aten.convolution.
        call: Its arguments by name.
        output: What it returned.
        work: What it costs, by kind, as `MacCount` has them.
        layer: The layer that it ran in, or whose weight it was given; None for neither. A layer
            is a module of exactly one of the types in `LAYERS`.
    """

    name: str
    call: Mapping[str, Any]
    output: Any
    work: Work
    layer: nn.Module | None


class Watching(CountingMode):  # type: ignore[no-untyped-call]
    """Keeps every operator that it counts.

    Args:
        model: The network that is about to run; it is given hooks that stay.
        image: Its input.
    """

    def __init__(self, model: nn.Module, image: Tensor) -> None:
        super().__init__(image)
        self.operations: list[Operation] = []
        layers = [layer for layer in model.modules() if type(layer) in LAYERS]
        self._layers = Running((layer, layer) for layer in layers)
        self._owners = {  # of the storages of weights
            parameter.untyped_storage()._cdata: layer
            for layer in layers
            for parameter in layer.parameters()
        }

    def note(
        self,
        name: str,
        call: Mapping[str, Any],
        output: Any,
        work: Work,
        written: list[Tensor] | None,
    ) -> None:
        """Enter the work of one operator by kind, and keep it."""
        super().note(name, call, output, work, written)
        layer = self._layers.running[-1] if self._layers.running else self._owner(call)
        self.operations.append(
            Operation(name=name, call=call, output=output, work=work, layer=layer)
        )

    def _owner(self, call: Mapping[str, Any]) -> nn.Module | None:
        """The layer that one of the arguments, or a view of it, is a parameter of."""
        tensors = (leaf for leaf in tree_leaves(dict(call)) if isinstance(leaf, Tensor))
        owners = (self._owners.get(tensor.untyped_storage()._cdata) for tensor in tensors)
        return next((owner for owner in owners if owner is not None), None)
