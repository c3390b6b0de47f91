"""Describes the registered blocks: family, knobs, source and cost at one size."""

from __future__ import annotations

import inspect
import re
import types
import typing
from dataclasses import dataclass

import torch

import blocks
from ablate.profiling.flops import count_forward, count_parameters
from blocks._register import Family

CHANNELS, SIDE = 32, 64  # where costs are given


@dataclass(frozen=True, kw_only=True)
class KnobDescription:
    """One knob: what a study may turn."""

    name: str
    type: str
    default: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Description:
    """One block.

    Args:
        name: As a study names it.
        family: cnn, mamba, attention, linear_attention, moe, prompt or none.
        source: Where its equations come from.
        summary: What it does, in a line.
        text: The rest of its documentation: shapes, equations, cost, reach.
        knobs: What a study may turn.
        params: Parameters, at `at`.
        macs: Multiply-adds, at `at`.
        at: Where the costs were counted, in words.
    """

    name: str
    family: str
    source: str
    summary: str
    text: str
    knobs: tuple[KnobDescription, ...]
    params: int
    macs: int
    at: str


def list_blocks() -> list[Description]:
    """Every registered block, by family (in the order of `Family`) and name."""
    order = typing.get_args(Family)
    described = [describe_block(name) for name in blocks.blocks]
    return sorted(described, key=lambda block: (order.index(block.family), block.name))


def describe_block(name: str) -> Description:
    """One block, with its costs counted.

    Raises:
        UnknownName: No such block.
    """
    entry = blocks.blocks[name]
    with torch.device("meta"):
        module = blocks.make(name, CHANNELS)
    count = count_forward(module, (1, CHANNELS, SIDE, SIDE))
    text = (inspect.getdoc(entry.make) or "").partition("\n")[2].partition("\nArgs:")[0]
    return Description(
        name=name,
        family=str(entry.facts["family"]),
        source=str(entry.facts["source"]),
        summary=entry.summary,
        text=text.strip(),
        knobs=tuple(
            KnobDescription(
                name=knob.name,
                type=type_name(knob.type),
                default="required" if knob.default is blocks.REQUIRED else str(knob.default),
                text=knob.doc,
            )
            for knob in entry.knobs.values()
        ),
        params=count_parameters(module),
        macs=count.total,
        at=f"at C = {CHANNELS}, {SIDE}x{SIDE}",
    )


def type_name(kind: object) -> str:
    """A type as people write it: int, batch | none, (int, int)."""
    if typing.get_origin(kind) is typing.Literal:
        return " | ".join(str(value) for value in typing.get_args(kind))
    if isinstance(kind, type) and not isinstance(kind, types.GenericAlias):
        return kind.__name__
    return re.sub(r"\w+\.", "", str(kind))
