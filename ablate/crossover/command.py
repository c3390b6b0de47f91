"""`ablate crossover`: how blocks grow with resolution, width and batch, and where they cross."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from rich.console import Console

from ablate.console.numbers import whole
from ablate.console.speaking import beside, listening, say
from ablate.console.tables import fitted
from ablate.crossover.crossings import compare
from ablate.crossover.found import Comparison, Quantity
from ablate.crossover.grid import (
    Case,
    Contestant,
    CrossoverError,
    Grid,
    Point,
    cases_of,
    read_contestants,
    read_grid,
)
from ablate.crossover.refining import closer, forecast_refining
from ablate.crossover.timing import Rehearsed, forecast_seconds, rehearse, time_cases
from ablate.crossover.words import Row, begun, heading, laws, sentences, table
from ablate.events import phases, warnings
from ablate.plugins import load_plugins
from ablate.profile import Profile
from ablate.profiling.latency import protocol
from ablate.profiling.machine import describe
from ablate.profiling.modes import modes_of, unavailable
from ablate.profiling.samples import LatencySample
from ablate.turns import gpu_of, turn
from ablate.workplace import choose_device
from blocks.scan import backend_for

WHAT: Mapping[Quantity, str] = {
    "latency": "latency of one call, in ms",
    "memory": "peak memory, in MiB (forecast)",
}


def crossover(options: argparse.Namespace, console: Console) -> None:
    """Time blocks by themselves over a grid; say how each grows and which overtakes which."""
    plugins = load_plugins(options.plugin)
    contestants = read_contestants(options.block)
    grid = read_grid({"size": options.size, "width": options.width, "batch": options.batch})
    device = choose_device(Profile(), options.device)
    profile = _profile(options, device)
    facts = _facts(profile, grid.base.batch, device)
    if not options.json:
        for line in heading(contestants, grid, _how(facts)):
            say(console, line)
    timed = Sittings(contestants, profile, device, plugins)
    timed.time(grid.points, options, console, grid if options.refine else None)
    found = compare(contestants, grid, timed.rehearsed, timed.samples)
    if options.refine and (more := closer(found.duels)):
        grid = grid.with_more(more)
        timed.time(grid.points, options, console)
        found = compare(contestants, grid, timed.rehearsed, timed.samples)
    if options.json:
        beside = {**facts, "grid": asdict(grid), "base": asdict(grid.base)}
        who = [asdict(contestant) for contestant in contestants]
        said = {"sentences": sentences(found, _place(device)), "forecast_seconds": timed.seconds}
        answer = {"contestants": who, **beside, **said, **asdict(found)}
        say(console, json.dumps(answer, indent=2))
    else:
        _show(found, grid, device, console)


class Sittings:
    """Times contestants at points, and keeps what was found.

    Attributes:
        rehearsed: By key of the case, what one call took, or why it cannot be made.
        samples: Of each sitting.
        seconds: What all timing was forecast to take.

    Args:
        contestants: Who is timed.
        profile: How.
        device: Where.
        plugins: Files that workers load first.
    """

    def __init__(
        self,
        contestants: Sequence[Contestant],
        profile: Profile,
        device: str,
        plugins: tuple[str, ...],
    ) -> None:
        self._contestants, self._profile, self._device = contestants, profile, device
        self._how: dict[str, Any] = {"profile": profile, "device": device, "plugins": plugins}
        self.rehearsed: dict[str, Rehearsed] = {}
        self.samples: list[tuple[LatencySample, ...]] = []
        self.seconds = 0.0

    def time(
        self,
        points: Iterable[Point],
        options: argparse.Namespace,
        console: Console,
        refined: Grid | None = None,
    ) -> None:
        """Rehearse and time the points that were not timed yet; what it takes is said first.

        Args:
            points: Where.
            options: Of the command.
            console: Who is told; where it is to hear JSON, what it takes is said beside that.
            refined: The grid, where values around its cross-overs are to be timed after that.

        Raises:
            CrossoverError: Nothing can be run.
        """
        cases = [c for c in cases_of(self._contestants, points) if c.key not in self.rehearsed]
        with listening(options, console) as listener:
            self.rehearsed |= rehearse(cases, **self._how, report=phases(listener))
        able = [case for case in cases if not self.rehearsed[case.key].reason]
        if not able:
            key = cases[0].key
            raise CrossoverError(f"no block can be run; {key}: {self.rehearsed[key].reason}")
        say(beside(options, console), self._forecast(able, refined))
        with (
            listening(options, console) as listener,
            turn(gpu_of(self._device), warnings(listener)),
        ):
            self.samples.append(time_cases(able, **self._how, report=phases(listener)))

    def _forecast(self, able: Sequence[Case], refined: Grid | None) -> str:
        how = self._profile, self._device
        seconds = forecast_seconds([self.rehearsed[case.key] for case in able], *how)
        self.seconds += seconds
        if refined is None:
            return begun(len(able), seconds, None)
        more = forecast_refining(self._contestants, refined, self.rehearsed, *how)
        return begun(len(able), seconds, more)


def _show(found: Comparison, grid: Grid, device: str, console: Console) -> None:
    quantities: tuple[Quantity, ...] = ("latency", "memory")
    for axis in grid.axes:
        for quantity in quantities:
            _print(f"{WHAT[quantity]}, against {axis}", table(found, axis, quantity), console)
        over = " (1: in proportion to the pixels)" if axis == "size" else ""
        _print(f"fitted as a constant and a power{over}", laws(found, axis), console)
    for line in sentences(found, _place(device)):
        say(console, line)


def _print(title: str, found: tuple[Row, list[Row]], console: Console) -> None:
    say(console, title)
    headings, rows = found
    shown, _ = fitted(headings, rows, console.width, texts=headings)
    console.print(shown)


def _facts(profile: Profile, batch: int, device: str) -> dict[str, str]:
    machine = describe()
    return {
        "machine": machine.get("gpu" if device == "cuda" else "cpu", "unknown"),
        "torch": machine.get("torch", ""),
        "device": device,
        "scan_backend": backend_for(torch.device(device)),
        "protocol": protocol(replace(profile, batch=batch), torch.device(device)),
    }


def _how(facts: Mapping[str, str]) -> str:
    return (
        f"on {facts['machine']}, torch {facts['torch']}, scan back end {facts['scan_backend']}; "
        f"{facts['protocol']}"
    )


def _place(device: str) -> str:
    return "GPU" if device == "cuda" else "CPU"


def _profile(options: argparse.Namespace, device: str) -> Profile:
    profile = Profile(
        rounds=whole("rounds", options.rounds),
        processes=whole("processes", options.processes),
        threads=whole("threads", options.threads),
        run=(options.run,),
        precision=(options.precision,),
    )
    if reason := unavailable(modes_of(profile)[0], torch.device(device)):
        raise CrossoverError(reason)
    return profile
