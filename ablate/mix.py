"""The frozen facts of a study once every question is answered: choices, stages, networks, mixes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Union

from ablate.canonical import canonical
from ablate.canonical import digest as digest
from ablate.canonical import plain as plain

Value = Union[bool, int, float, str, None, "Choice", tuple["Value", ...]]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Something registered, by name, with the value of each of its knobs (defaults filled in)."""

    name: str
    knobs: tuple[tuple[str, Value], ...] = ()

    @property
    def settings(self) -> dict[str, Value]:
        """The knobs as keyword arguments."""
        return dict(self.knobs)

    @classmethod
    def of(cls, name: str, settings: Mapping[str, Value] | None = None) -> Choice:
        """A choice whose knobs are put in one order, so that equal choices are equal."""
        return cls(name=name, knobs=tuple(sorted((settings or {}).items())))


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One place of a network and the blocks in it, position by position (none: depth 0)."""

    slot: str  # stage1, decoder1, middle, refinement, group1
    blocks: tuple[Choice, ...]


@dataclass(frozen=True, kw_only=True)
class Network:
    """A topology with its options and what fills each of its stages."""

    topology: Choice
    stages: tuple[Stage, ...]

    @property
    def key(self) -> str:
        """The same for the same network, whatever it is trained on."""
        return digest(self)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is restored: photographs and what is done to them ("given" where pairs are given)."""

    data: Choice = Choice(name="photos")
    degradation: Choice


@dataclass(frozen=True, kw_only=True)
class Training:
    """How every mix is trained.

    Args:
        steps: Optimiser steps.
        batch: Crops in a step.
        crop: Side of a training crop, in pixels.
        augment: Random flips and quarter turns.
        loss: Losses by name, with their weights; summed.
        scale_weights: Weight of the image at full, half, quarter ... resolution, for networks
            with several supervised outputs.
        auxiliary: Weight of the mean of the blocks' own losses, for blocks that have such: how
            unevenly experts are used.
        optimizer: adam or adamw.
        rate: Peak learning rate.
        rates: Peak learning rates that each trial tries first, `probe` steps with each; it trains
            with the best of them, and `rate` is not used.
        probe: Optimiser steps of a trial with each of `rates`.
        final_rate: Learning rate at the last step.
        betas: Decay of the optimiser's two moments.
        weight_decay: Decoupled for adamw, L2 for adam.
        schedule: cosine falls from the end of the warm-up; constant_then_cosine holds first.
        constant: Fraction of the steps at the peak rate, for constant_then_cosine.
        warmup: Fraction of the steps over which the rate rises from nearly 0.
        clip: Largest norm of the gradient; 0 does not clip.
        ema: Decay of the averaged weights that are evaluated; 0 evaluates the weights themselves.
        precision: float32, or bfloat16 for autocast; scoring is in float32 always.
        channels_last: Memory layout of images and weights.
        validate: How many times the validation set is scored, at most once a step, the last time
            after the last step.
    """

    steps: int = 400
    batch: int = 8
    crop: int = 64
    augment: bool = True
    loss: tuple[tuple[str, float], ...] = (("l1", 1.0),)
    scale_weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    auxiliary: float = 0.01
    optimizer: Literal["adam", "adamw"] = "adamw"
    rate: float = 3e-3
    rates: tuple[float, ...] = field(default=(), metadata={"later": True})
    probe: int = field(default=50, metadata={"later": True})
    final_rate: float = 1e-6
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-4
    schedule: Literal["cosine", "constant_then_cosine"] = "cosine"
    constant: float = 0.3
    warmup: float = 0.1
    clip: float = 1.0
    ema: float = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = True
    validate: int = 4


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How a restored image is scored.

    Args:
        crop: Side of the validation crops, in pixels; 0 takes whole images.
        crops: Validation crops in all, spread evenly over the images; unused for whole images.
        color: rgb, or y for the luma of BT.601 as the deraining and super-resolution papers use.
        border: Pixels cut off on each side before scoring.
        quantize: Round the restored image to 8 bits first, as if it had been saved.
        noise_seed: Fixes the degradation of the validation images, the same for every mix.
    """

    crop: int = 128
    crops: int = 24
    color: Literal["rgb", "y"] = "rgb"
    border: int = 0
    quantize: bool = False
    noise_seed: int = 2024


@dataclass(frozen=True, kw_only=True)
class Mix:
    """One full choice for everything that a study may vary: one trainable network."""

    task: Task
    network: Network
    training: Training = field(default_factory=Training)

    @cached_property
    def key(self) -> str:
        """The same for the same mix, in every study: 16 hexadecimal digits."""
        return digest(self)

    def to_json(self) -> str:
        """The whole mix as canonical JSON; `mix_from_json` reads it back."""
        return canonical(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the stages as a small table."""
        from reports.display import mix_html

        return mix_html(self.key, json.loads(self.to_json()))


def mix_from_json(text: str) -> Mix:
    """The mix that `Mix.to_json` wrote; what an older one did not know is at its default."""
    raw = json.loads(text)
    stages = tuple(
        Stage(slot=stage["slot"], blocks=tuple(_choice(block) for block in stage["blocks"]))
        for stage in raw["network"]["stages"]
    )
    return Mix(
        task=Task(
            data=_choice(raw["task"]["data"]), degradation=_choice(raw["task"]["degradation"])
        ),
        network=Network(topology=_choice(raw["network"]["topology"]), stages=stages),
        training=Training(**{name: _frozen(value) for name, value in raw["training"].items()}),
    )


def choice_from_json(raw: dict[str, Any]) -> Choice:
    """The choice that was written as its fields."""
    return _choice(raw)


def _choice(raw: dict[str, Any]) -> Choice:
    return Choice(name=raw["name"], knobs=_frozen(raw["knobs"]))


def _frozen(raw: Any) -> Any:
    """JSON's lists as tuples, its objects as choices."""
    if isinstance(raw, dict):
        return _choice(raw)
    if isinstance(raw, list):
        return tuple(_frozen(item) for item in raw)
    return raw
