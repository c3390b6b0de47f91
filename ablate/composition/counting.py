"""Parameters, multiply-adds and peak memory of every mix of a study, from counts of its parts.

Parameters and multiply-adds add up exactly. Memory does not: it is the weights, which add up, and
the worst moment, which is that of one stage or of what is around them; what is alive around a
stage while it runs does not depend on what fills the others, because blocks keep the shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
from torch import nn

from ablate.composition.skeletons import Fillings, Skeleton
from ablate.composition.tables import Quantity, Table, table
from ablate.latency_model.parts import By, Part, stage_parts
from ablate.mix import Choice, Network, Stage
from ablate.network import build, stages_of
from ablate.profile import Profile
from ablate.profiling.ledger import REST, ledger
from ablate.profiling.memory import forecast_inference
from ablate.study import Study

COUNTED = ("params", "macs", "peak_memory")

Blocks = tuple[Choice, ...]
Values = dict[tuple[str, Blocks], float]  # of a place, filled with these blocks
Counter = Callable[[nn.Module], dict[str, float]]  # by place, and REST


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is counted on: an image of this size in this many channels, as a profile says."""

    size: tuple[int, int]
    profile: Profile
    channels: int = 3

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(B, C, H, W) of a call."""
        return (self.profile.batch, self.channels, *self.size)


def counted(
    study: Study,
    found: Sequence[Skeleton],
    names: Sequence[str],
    by: By,
    setting: Setting,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Quantity]:
    """Quantities that are counted, not measured: nothing runs and nothing is allocated.

    Args:
        study: What is asked.
        found: Its frames.
        names: Of `COUNTED`.
        by: Whether stages are counted, or blocks.
        setting: On what.
        report: Told how many networks of how many were counted.

    Raises:
        CountError: A network cannot be counted.
    """
    covers = [list(_covers(skeleton, by)) for skeleton in found]
    total, done = sum(map(len, covers)), 0
    tables: dict[str, list[Table]] = {}
    for skeleton, networks in zip(found, covers, strict=True):
        values: dict[str, Values] = {}
        for network in networks:
            with torch.device("meta"):
                model = build(network)
            for name, counter in _counters(names, setting).items():
                _enter(values.setdefault(name, {}), network, counter(model))
            done += 1
            report(done, total)
        for name in values:
            tables.setdefault(name, []).append(_table(study, skeleton, values[name], by, name))
    sums = {name: Quantity(tables=tuple(tables[name])) for name in tables if name != "alive"}
    if "peak_memory" in names:
        alive = Quantity(tables=tuple(tables["alive"]), together="max", plus=sums.pop("weights"))
        sums["peak_memory"] = alive
    return sums


def _covers(skeleton: Skeleton, by: By) -> Iterator[Network]:
    """A few networks in which every part occurs, each place going through its own parts."""
    of_slot: dict[str, dict[Blocks, None]] = {slot: {} for slot in skeleton.slots}
    for part in skeleton.parts(by):
        of_slot[part.slot][part.blocks] = None
    for row in zip_longest(*(list(blocks) or [()] for blocks in of_slot.values())):
        filled = (
            Stage(slot=slot, blocks=next(iter(known), ()) if blocks is None else blocks)
            for blocks, (slot, known) in zip(row, of_slot.items(), strict=True)
        )
        yield Network(topology=skeleton.frame.topology, stages=tuple(filled))


def _counters(names: Sequence[str], setting: Setting) -> dict[str, Counter]:
    """What counts each quantity, place by place."""
    counters: dict[str, Counter] = {}
    if "params" in names:
        counters["params"] = lambda model: _by_place(model, lambda one: one.numel(), buffers=False)
    if "macs" in names:
        one_image = (1, *setting.shape[1:])
        counters["macs"] = lambda model: {
            place: float(cost.macs) for place, cost in ledger(model, one_image).by_stage.items()
        }
    if "peak_memory" in names:
        counters["weights"] = _weights
        counters["alive"] = lambda model: _alive(model, setting)
    return counters


def _weights(model: nn.Module) -> dict[str, float]:
    """Bytes of parameters and buffers."""
    return _by_place(model, lambda one: one.numel() * one.element_size(), buffers=True)


def _alive(model: nn.Module, setting: Setting) -> dict[str, float]:
    """Bytes alive at the worst moment of each place, beside the weights."""
    profile = setting.profile
    precision, channels_last = profile.precision[0], profile.channels_last
    found = forecast_inference(
        model, setting.shape, precision=precision, channels_last=channels_last
    )
    return {
        place: float(stretch.worst - stretch.by_kind["weights"])
        for place, stretch in found.by_stage.items()
    }


def _by_place(
    model: nn.Module, size: Callable[[torch.Tensor], int], *, buffers: bool
) -> dict[str, float]:
    """The sum over the tensors of each place, a shared one once."""

    def total(modules: Sequence[nn.Module]) -> int:
        tensors: list[torch.Tensor] = [one for module in modules for one in module.parameters()]
        if buffers:
            tensors += [one for module in modules for one in module.buffers()]
        return sum(size(one) for one in {id(one): one for one in tensors}.values())

    inside = {slot: total(blocks) for slot, blocks in stages_of(model).items()}
    return {**inside, REST: total([model]) - sum(inside.values())}


def _enter(values: Values, network: Network, counted: Mapping[str, float]) -> None:
    """Keep what was counted under what fills each place; the most, where it was met before.

    Only memory can differ from network to network: where a stage hands on the very tensor that it
    was given, less is alive beside another.
    """
    for stage in network.stages:
        place = (stage.slot, stage.blocks)
        values[place] = max(counted.get(stage.slot, 0.0), values.get(place, 0.0))
    values[REST, ()] = max(counted.get(REST, 0.0), values.get((REST, ()), 0.0))


def _table(study: Study, skeleton: Skeleton, values: Values, by: By, name: str) -> Table:
    """The numbers of a frame, for every filling of every place."""

    def number(slot: str, option: int, fillings: Fillings) -> float:
        parts = list(stage_parts(skeleton.frame, slot, fillings.options[option], by))
        if name == "alive":
            return max((values[slot, part.blocks] for part in parts), default=0.0)
        return sum(_share(values, part) for part in parts)

    return table(study, skeleton, values[REST, ()], number)


def _share(values: Values, part: Part) -> float:
    """What a part adds: all its blocks, or the last of them."""
    whole = values[part.slot, part.blocks]
    before = part.blocks[:-1] if part.last else ()
    return whole - values[part.slot, before] if before else whole
