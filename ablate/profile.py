"""How a study measures costs: at which sizes, on what, in which ways of running, how often."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

Run = Literal["eager", "compiled", "graph"]
Precision = Literal["float32", "tf32", "bfloat16", "float16"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Profile:
    """How costs are measured.

    Args:
        size: Height and width of the profiled image, or several such pairs.
        batch: Images in a call.
        device: auto (CUDA where there is one), cpu or cuda.
        rounds: Interleaved rounds over all mixes, in each process; at most.
        processes: Fresh processes that repeat the rounds.
        threads: CPU threads of a timed call.
        run: How a timed network is run, or several ways: eager, compiled (torch.compile), graph
            (a CUDA graph, replayed). Each way in each precision is a sitting of its own.
        precision: float32, tf32 (CUDA), bfloat16 or float16 (by autocast), or several; memory is
            forecast in the first.
        channels_last: Memory layout.
        flush: Empty the caches of the device before each timed call.
        interval: End a process' rounds once the 95 % interval of every network's share is at most
            so wide to each side, as a part of the share (0.01: 1 %); 0 does all rounds.
        budget: Seconds that the rounds of one sitting may take, over all its processes; 0 sets no
            limit. Starting, compiling and warming up come on top.
        energy: Also count the energy of an image, in the first way and precision, where the device
            has a counter; a few seconds for each network and size.
        resident: Also measure by how much a fresh process on the CPU grows, for an inference call
            at each size and for a training step; some seconds for each network.
        stages: Also time each stage by itself, on what it is given inside its network, and say
            what bounds it on this machine.
    """

    size: tuple[tuple[int, int], ...] = ((256, 256),)
    batch: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    rounds: int = 30
    processes: int = 3
    threads: int = 1
    run: tuple[Run, ...] = ("eager",)
    precision: tuple[Precision, ...] = ("float32",)
    channels_last: bool = True
    flush: bool = False
    interval: float = 0.0
    budget: float = 0.0
    energy: bool = False
    resident: bool = False
    stages: bool = False

    def __repr__(self) -> str:
        """The same text for the same way of measuring, from version to version.

        Runs and sittings are known by a hash of it, so what came later is in it only where it is
        not at its default, and a single precision stands there as it always did.
        """
        old = ("size", "batch", "device", "rounds", "processes", "threads", "precision")
        shown = {name: getattr(self, name) for name in (*old, "channels_last")}
        if len(self.precision) == 1:
            shown["precision"] = self.precision[0]
        for setting in fields(self):
            value = getattr(self, setting.name)
            if setting.name not in shown and value != setting.default:
                shown[setting.name] = value
        return f"Profile({', '.join(f'{name}={value!r}' for name, value in shown.items())})"
