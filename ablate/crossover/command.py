"""`ablate crossover`: how blocks grow with resolution, width and batch, and where they cross."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from rich.console import Console

from ablate.command_parts import listening, make_table, phases, say
from ablate.console import duration
from ablate.crossover.crossings import Comparison, Quantity, compare
from ablate.crossover.grid import CrossoverError, Grid, cases_of, read_contestants, read_grid
from ablate.crossover.timing import Rehearsed, forecast_seconds, rehearse, time_cases
from ablate.crossover.words import heading, sentences, table
from ablate.mix import Profile
from ablate.plugins import load_plugins
from ablate.profiling.latency import protocol
from ablate.profiling.machine import describe
from ablate.profiling.modes import modes_of, unavailable
from ablate.running import require_device
from blocks.scan import backend_for


def crossover(options: argparse.Namespace, console: Console) -> None:
    """Time blocks by themselves over a grid; say how each grows and which overtakes which."""
    plugins = load_plugins(options.plugin)
    contestants = read_contestants(options.block)
    grid = read_grid({"size": options.size, "width": options.width, "batch": options.batch})
    device = _device(options.device)
    profile = _profile(options, device)
    how: dict[str, Any] = {"profile": profile, "device": device, "plugins": plugins}
    facts = _facts(profile, grid.base.batch, device)
    if not options.json:
        for line in heading(contestants, grid, _how(facts)):
            say(console, line)
    cases = cases_of(contestants, grid.points)
    with listening(options, console) as listener:
        rehearsed = rehearse(cases, **how, report=phases(listener))
    able = [case for case in cases if not rehearsed[case.key].reason]
    seconds = _cost(rehearsed, profile, device)
    if not options.json:
        mend = "--rounds N or fewer sizes take less, Ctrl-C stops it"
        text = f"timing {len(able)} cases takes about {duration(seconds)} (forecast); {mend}"
        say(console, text)
    with listening(options, console) as listener:
        samples = time_cases(able, **how, report=phases(listener))
    found = compare(contestants, grid, rehearsed, samples)
    if options.json:
        beside = {**facts, "grid": asdict(grid), "base": asdict(grid.base)}
        who = [asdict(contestant) for contestant in contestants]
        answer = {"contestants": who, **beside, "forecast_seconds": seconds, **asdict(found)}
        say(console, json.dumps(answer, indent=2))
    else:
        _show(found, grid, device, console)


def _cost(rehearsed: Mapping[str, Rehearsed], profile: Profile, device: str) -> float:
    """Seconds that timing will take.

    Raises:
        CrossoverError: Nothing can be run.
    """
    able = [case for case in rehearsed.values() if not case.reason]
    if not able:
        key, case = next(iter(rehearsed.items()))
        raise CrossoverError(f"no block can be run; {key}: {case.reason}")
    return forecast_seconds(able, profile, device)


def _show(found: Comparison, grid: Grid, device: str, console: Console) -> None:
    quantities: tuple[Quantity, ...] = ("latency", "memory")
    for axis in grid.axes:
        for quantity in quantities:
            headings, rows = table(found, axis, quantity)
            shown = make_table(*headings)
            for row in rows:
                shown.add_row(*row)
            title = "latency of one call" if quantity == "latency" else "peak memory, forecast"
            say(console, f"{title}, against {axis}")
            console.print(shown)
    for line in sentences(found, _place(device)):
        say(console, line)


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


def _device(asked: str) -> str:
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    require_device(asked)
    return asked


def _profile(options: argparse.Namespace, device: str) -> Profile:
    profile = Profile(
        rounds=_number("rounds", options.rounds),
        processes=_number("processes", options.processes),
        threads=_number("threads", options.threads),
        run=(options.run,),
        precision=(options.precision,),
    )
    if reason := unavailable(modes_of(profile)[0], torch.device(device)):
        raise CrossoverError(reason)
    return profile


def _number(name: str, text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise CrossoverError(f"--{name}: expected a whole number from 1; got '{text}'")
    return int(text)
