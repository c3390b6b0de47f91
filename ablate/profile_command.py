"""`ablate profile`: what one network costs, of a study or of anyone's own."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import torch
from rich.console import Console

from ablate import price_words, profiled
from ablate.command_parts import listening, make_table, phases, say
from ablate.console import duration
from ablate.mix import Profile
from ablate.plugins import load_plugins
from ablate.price_json import as_json, timings_as_json, training_as_json
from ablate.price_timing import How, Timing, forecast_timing, time_alone
from ablate.price_words import Row
from ablate.pricing import Price, TrainingPrice, price, price_training
from ablate.profiled import Profiled, Shape
from ablate.running import require_device


def profile(options: argparse.Namespace, console: Console) -> None:
    """Count one network, forecast its memory and time it."""
    plugins = load_plugins(options.plugin)
    subject = profiled.find(options.network, options.mix)
    shape = profiled.image_shape(subject, options.size)
    subject = replace(subject, profile=_profile(subject.profile, options))
    device = _device(subject.profile, options.device)
    found = price(subject, shape, convention=options.convention, device=device)
    answer = as_json(found)
    if not options.json:
        _show(found, options, console)
    if options.training:
        step = price_training(subject, shape, device=device)
        answer["training_step"] = training_as_json(step)
        if not options.json:
            _show_training(step, console)
    if not options.no_latency:
        timings = _time(subject, shape, device, plugins, options, console)
        answer |= timings_as_json(timings)
    if options.json:
        say(console, json.dumps(answer, indent=2))


def _profile(profile: Profile, options: argparse.Namespace) -> Profile:
    numbers = {name: getattr(options, name) for name in ("rounds", "batch", "threads")}
    return profiled.asked_profile(profile, **numbers)


def _device(profile: Profile, asked: str) -> str:
    """The device that was asked for, else what the profile says, else CUDA where there is one."""
    device = profile.device if asked == "auto" else asked
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    require_device(device)
    return device


def _time(
    subject: Profiled,
    shape: Shape,
    device: str,
    plugins: tuple[str, ...],
    options: argparse.Namespace,
    console: Console,
) -> tuple[Timing, ...]:
    """Time the network; what it will take is said first."""
    how: How = {"profile": subject.profile, "device": device}
    if not options.json:
        seconds = duration(forecast_timing(subject.mix, shape, **how))
        mend = "--rounds N takes less, --no-latency nothing"
        say(console, f"timing it takes about {seconds} (forecast); {mend}")
    with listening(options, console) as listener:
        report = phases(listener)
        timing = time_alone(subject.mix, shape, **how, plugins=plugins, report=report)
    if not options.json:
        for line in price_words.timing_lines(timing):
            say(console, line)
    return (timing,)


def _show(found: Price, options: argparse.Namespace, console: Console) -> None:
    for line in price_words.heading(found):
        say(console, line)
    _table(price_words.table(found), console)
    headings, rows = price_words.parts(found, options.by, options.depth)
    if len(rows) > 1:
        _table((headings, rows), console)
    for line in price_words.remarks(found):
        say(console, line)


def _show_training(found: TrainingPrice, console: Console) -> None:
    heading, table, remarks = price_words.training(found)
    say(console, f"\n{heading}")
    if table[1]:
        _table(table, console)
    for line in remarks:
        say(console, line)


def _table(shown: tuple[Row, list[Row]], console: Console) -> None:
    headings, rows = shown
    table = make_table(*headings)
    for row in rows:
        table.add_row(*row)
    console.print(table)
