"""`ablate fidelity`: trains a few mixes of a run longer and says whether the order holds."""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from ablate.console.numbers import whole, workers_of
from ablate.console.speaking import listening, say
from ablate.console.words import duration, shown
from ablate.events import Ended, Event
from ablate.fidelity.checking import Check, carry_out, prepare
from ablate.folder import RunError, RunFolder
from ablate.plugins import load_plugins
from ablate.results import Run
from ablate.workplace import choose_device, worker_count
from reports.answering.answer import quality_metric, scale
from reports.fidelity.holding import heading, held, said
from reports.fidelity.longer import longer
from reports.numbers.results import read


def fidelity(options: argparse.Namespace, console: Console) -> None:
    """Train a few mixes of a run longer, in a run of their own beside it."""
    plugins = load_plugins(options.plugin)
    check = prepare(
        options.run,
        mixes=whole("mixes", options.mixes),
        times=_times(options.times),
        file=options.study,
        plugins=plugins,
    )
    asked = check.device if options.device == "auto" else options.device
    device = choose_device(check.study.profile, asked)
    workers = worker_count(workers_of(options.workers), device)
    if not (options.quiet or options.json):
        for line in _forecast(check, workers):
            say(console, line)
    if options.plan:
        return
    with listening(options, console) as listener:

        def told(event: Event) -> None:
            if options.json or not isinstance(event, Ended):  # the last word is that of the check
                listener(event)

        place = carry_out(check, workers=workers, device=device, plugins=plugins, listener=told)
    _last_word(options, console, check, place)


def _forecast(check: Check, workers: int) -> list[str]:
    """What will be done and how long it takes, before it begins."""
    labels = [check.study.label(point) for point in check.study.chosen]
    about = duration(check.seconds / max(min(workers, check.trials), 1))
    return [
        f"{len(labels)} mixes x {check.study.seeds} seeds = {check.trials} trials, "
        f"{check.times:g} times as long: about {about} of training with {workers} at a time "
        f"(forecast from {check.place.path})",
        *(f"  {label}" for label in labels),
        "Ctrl-C stops it, the same command goes on",
    ]


def _last_word(
    options: argparse.Namespace, console: Console, check: Check, place: RunFolder
) -> None:
    """What it says of the run, and the run's report, written again."""
    found = read(check.place.record)
    metric = scale(found, quality_metric(found))
    one = next((one for one in longer(found) if one.run == place.path.name), None)
    sentences = (f"{heading(one)}:", *said(one, held(one), metric)) if one else ()
    page = Run(check.place.path).report()
    if options.json:
        answer = {"sentences": sentences, "run": str(place.path), "report": str(page)}
        say(console, json.dumps({"event": "Fidelity", **answer}))
    elif not options.quiet:
        for line in (*sentences, f"report: {shown(page)}"):
            say(console, line)


def _times(text: str) -> float:
    """The factor that was asked for.

    Raises:
        RunError: It is no number.
    """
    try:
        return float(text)
    except ValueError as error:
        raise RunError(f"--times: expected a number above 1; got '{text}'") from error
