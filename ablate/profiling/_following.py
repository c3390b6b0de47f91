"""A forward pass or a training step, on real or fake tensors, with all that is alive meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ablate.mix import Training
from ablate.profiling._places import Places
from ablate.profiling._step import TrainingStep, infer, state
from ablate.profiling._storage import Kind, StorageTracker, Stretch
from blocks._routing import Routed, forcing


@dataclass(frozen=True, kw_only=True)
class MemoryProfile:
    """The memory of one inference call or one training step.

    Args:
        stretches: What ran and what was alive meanwhile, in order; at least one.
    """

    stretches: tuple[Stretch, ...]

    @property
    def worst(self) -> Stretch:
        """The stretch of the worst moment; the first of them where several are as bad."""
        return max(self.stretches, key=lambda stretch: stretch.worst)

    @property
    def peak(self) -> int:
        """Bytes at the worst moment."""
        return self.worst.worst

    @property
    def by_kind(self) -> Mapping[Kind, int]:
        """What the bytes of the worst moment are; they add up to the peak.

        weights: parameters and buffers; gradients: of parameters; optimiser: its moments;
        averages: averaged weights that are kept beside; images: what the network is given and
        what it is trained to return; activations: features, what is saved for the backward pass,
        gradients of features; kernels: what operators need inside themselves. In a forecast
        these are the dense copies that our own operators make; where it was measured, all that
        the allocator counted beyond the rest, rounding included.
        """
        return self.worst.by_kind

    @property
    def by_stage(self) -> dict[str, Stretch]:
        """The worst stretch of each slot, and of the rest, in the order in which they first ran."""
        found: dict[str, Stretch] = {}
        for stretch in self.stretches:
            if stretch.worst > found.get(stretch.slot, stretch).worst or stretch.slot not in found:
                found[stretch.slot] = stretch
        return found

    @property
    def where(self) -> str:
        """When the worst moment is, in words: "decoder1, backward"."""
        return f"{self.worst.slot}, {self.worst.phase}"


def follow_inference(
    model: nn.Module,
    image: Tensor,
    precision: str = "float32",
    moved: Callable[[], None] = lambda: None,
) -> MemoryProfile:
    """Run one forward pass, on real or fake tensors, and follow what is alive.

    Args:
        model: On the image's device; it is put into evaluation mode and given hooks that stay.
        image: (B, C, H, W).
        precision: float32 or tf32; bfloat16 or float16 for autocast.
        moved: Told when all is ready, and whenever another place of the network begins to run.
    """
    model.eval()
    places = Places(model)
    tracker = StorageTracker(state(model), place=places.now, moved=moved)
    tracker.hold([image], "images")
    moved()
    with forcing(model, Routed.dearest), tracker:
        output = infer(model, image, precision)
    found = tracker.stretches()
    del output  # until here: whoever calls a network keeps what it returns
    return MemoryProfile(stretches=found)


def follow_training(
    model: nn.Module,
    image: Tensor,
    settings: Training,
    moved: Callable[[], None] = lambda: None,
) -> MemoryProfile:
    """Do one training step, on real or fake tensors, and follow what is alive.

    Args:
        model: On the image's device; it is trained and given hooks that stay.
        image: (B, C, H, W), degraded crops.
        settings: The recipe.
        moved: Told when all is ready, and whenever another place of the network begins to run.
    """
    model.train()
    step, places = TrainingStep(model, image, settings), Places(model)
    tracker = StorageTracker(state(model), place=places.now, moved=moved)
    tracker.hold(step.moments, "optimiser")
    tracker.hold(step.averages, "averages")
    tracker.hold(step.images, "images")
    moved()
    with forcing(model, Routed.dearest), tracker:
        step(places.enter)
        tracker.name((p.grad for p in model.parameters() if p.grad is not None), "gradients")
    return MemoryProfile(stretches=tracker.stretches())
