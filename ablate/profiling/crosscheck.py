"""An independent second count: fvcore on a fresh network, in a process that ends afterwards."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import nn

from ablate.engines.job import Failed, Reporter
from ablate.engines.single import run_alone
from ablate.mix import mix_from_json
from ablate.network import build
from ablate.profiling._fvcore import KINDS, Both, ByModule, count_both

TOLERANCE: Final = 0.01
"""Counts that are further apart than this share of the larger one disagree."""

MIX: Final = "ablate.profiling.crosscheck:network_of_mix"
"""Makes the network of a mix, given the mix as JSON."""


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """One kind of operator whose two counts are more than 1 % apart.

    Args:
        kind: conv: convolutions; product: products of matrices, with weights or not.
        ours: Our multiply-adds.
        fvcore: Theirs.
        modules: Paths of the innermost modules that they differ in; "" is the network itself.
    """

    kind: str
    ours: int
    fvcore: int
    modules: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CrossCheck:
    """Two counts of a network, of what both counters claim to see.

    Where experts are routed, both counted the most expensive ones.

    Args:
        shape: Of the image.
        ours: Our multiply-adds by kind of operator, conv and product, without what is set aside.
        fvcore: Theirs, without what they add for norms, resizing and pooling.
        disagreements: Kinds whose counts are more than 1 % apart; never averaged.
        set_aside: Our multiply-adds in operators that fvcore says it cannot count, by operator.
        charged_beside: What fvcore charges for norms, resizing and pooling, by its names.
        unseen: All operators that fvcore says it cannot count.
        reason: Why there is no second count; then all else is empty.
    """

    shape: tuple[int, ...]
    ours: Mapping[str, int] = field(default_factory=dict)
    fvcore: Mapping[str, int] = field(default_factory=dict)
    disagreements: tuple[Disagreement, ...] = ()
    set_aside: Mapping[str, int] = field(default_factory=dict)
    charged_beside: Mapping[str, int] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    reason: str = ""

    @property
    def agrees(self) -> bool:
        """Whether there are two counts, and they are at most 1 % apart everywhere."""
        return not self.reason and not self.disagreements


@dataclass(frozen=True, kw_only=True)
class CheckJob:
    """What is to be counted twice.

    Args:
        maker: "module:function"; called with the argument, it makes the network anew.
        argument: Picklable.
        shape: Of the image: (batch, channels, height, width).
    """

    maker: str
    argument: object
    shape: tuple[int, ...]


def crosscheck(
    maker: str,
    argument: object,
    shape: tuple[int, ...] = (1, 3, 64, 64),
    *,
    plugins: tuple[str, ...] = (),
    threads: int = 1,
) -> CrossCheck:
    """Count a network by us and by fvcore; nothing of it stays in this process.

    fvcore computes the network, with random weights, so that the image should be small.

    Args:
        maker: "module:function" that makes the network, such as `MIX`.
        argument: What it is called with, such as `mix.to_json()`; picklable.
        shape: Of the image: (batch, channels, height, width).
        plugins: Files that are loaded first.
        threads: CPU threads.
    """
    function = "ablate.profiling.crosscheck:check"
    payload = CheckJob(maker=maker, argument=argument, shape=shape)
    found = run_alone(function, payload, threads=threads, plugins=plugins)
    if isinstance(found, Failed):
        return CrossCheck(shape=shape, reason=found.reason)
    assert isinstance(found, CrossCheck)
    return found


def check(job: CheckJob, report: Reporter) -> CrossCheck:
    """Make a network and count it twice (a job for a fresh process)."""
    torch.backends.mha.set_fastpath_enabled(False)  # one operator, which fvcore does not know
    module, _, function = job.maker.partition(":")
    model = getattr(importlib.import_module(module), function)(job.argument)
    try:
        both = count_both(model, job.shape)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "fvcore":
            raise
        return CrossCheck(shape=job.shape, reason="fvcore is not installed (pip install fvcore)")
    return compare(both, job.shape)


def network_of_mix(text: str) -> nn.Module:
    """The network of a mix that `Mix.to_json` wrote, with random weights."""
    return build(mix_from_json(text).network)


def compare(both: Both, shape: tuple[int, ...]) -> CrossCheck:
    """Two counts side by side."""
    ours, theirs = (_whole(counted) for counted in (both.ours, both.theirs))
    apart = [kind for kind in KINDS if differ(ours[kind], theirs[kind])]
    return CrossCheck(
        shape=shape,
        ours=ours,
        fvcore=theirs,
        disagreements=tuple(
            Disagreement(kind=k, ours=ours[k], fvcore=theirs[k], modules=_innermost(both, k))
            for k in apart
        ),
        set_aside=both.set_aside,
        charged_beside=both.charged_beside,
        unseen=both.unseen,
    )


def differ(one: int, other: int) -> bool:
    """Whether two counts are more than 1 % of the larger one apart."""
    return abs(one - other) > TOLERANCE * max(one, other)


def _whole(counted: ByModule) -> dict[str, int]:
    return {kind: _of(counted, "", kind) for kind in KINDS}


def _of(counted: ByModule, path: str, kind: str) -> int:
    return counted[path][kind] if path in counted else 0


def _innermost(both: Both, kind: str) -> tuple[str, ...]:
    """Modules in which counts differ, though they do in none of the modules that lie inside."""
    paths = dict.fromkeys([*both.ours, *both.theirs])
    apart = [p for p in paths if differ(_of(both.ours, p, kind), _of(both.theirs, p, kind))]
    return tuple(path for path in apart if not any(_lies_in(other, path) for other in apart))


def _lies_in(path: str, outer: str) -> bool:
    return path != outer and (not outer or path.startswith(f"{outer}."))
