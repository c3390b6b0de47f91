"""The places of a network that a study fills, by what topologies say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from ablate.study.questions import Place, Slot
from ablate.study.tables import Table
from ablate.topologies import topologies

DECODER = "decoder"


def all_extras() -> tuple[str, ...]:
    """The optional places of all topologies."""
    return tuple(sorted({extra for name in topologies for extra in extras_of(name)}))


def extras_of(topology: str) -> tuple[str, ...]:
    """The optional places of a topology."""
    return cast(tuple[str, ...], topologies[topology].facts.get("extras", ()))


def all_numbered() -> tuple[str, ...]:
    """What the places are called that topologies number: stage first."""
    return tuple(dict.fromkeys(("stage", *(numbered(name) for name in topologies))))


def numbered(topology: str) -> str:
    """What the places of a topology are called that it numbers: stage, or group."""
    return str(topologies[topology].facts.get("numbered", "stage"))


def slots_of(topology: str, table: Table) -> tuple[Slot, ...]:
    """Every place of the network, and the questions that fill it."""
    array = numbered(topology)
    raw = table.get(array, [])
    count = len(raw) if isinstance(raw, list) else 0
    slots = [_slot(f"{array}{k + 1}", repeated=array != "stage") for k in range(count)]
    slots += [_slot(extra) for extra in extras_of(topology) if extra in table]
    if topologies[topology].facts.get("decoder"):
        slots += [_mirror(table, k) for k in range(count)]
    return tuple(slots)


def _slot(name: str, *, repeated: bool = False) -> Slot:
    repeat = place_of(name, "repeat") if repeated else None
    block, depth = place_of(name, "block"), place_of(name, "depth")
    return Slot(name=name, block=block, depth=depth, repeat=repeat)


def _mirror(table: Table, position: int) -> Slot:
    """A decoder stage: key by key its own, or else that of the encoder."""
    decoders = table.get(DECODER, [])
    own = decoders[position] if isinstance(decoders, list) and position < len(decoders) else {}
    name = f"decoder{position + 1}"
    sides = {
        key: name if isinstance(own, Mapping) and key in own else f"stage{position + 1}"
        for key in ("block", "depth")
    }
    block, depth = (place_of(sides[key], key) for key in ("block", "depth"))
    return Slot(name=name, block=block, depth=depth)


def place_of(slot: str, key: str) -> Place:
    """What a question about a place is about: its block, its depth."""
    return ("network", slot, key)
