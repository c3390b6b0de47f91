"""`ablate plan`: what a study would do and take."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from rich.console import Console

from ablate.composition.finding import model_folders, usable_model
from ablate.composition.limits import limits
from ablate.console.numbers import workers_of
from ablate.console.speaking import listening, say
from ablate.console.tables import too_narrow
from ablate.events import phases
from ablate.planning.words import plan_lines, plan_table
from ablate.plugins import load_plugins
from ablate.runs.plan import make_plan
from ablate.runs.preparing import prepare_data
from ablate.study import load_study
from ablate.workplace import choose_device, worker_count


def plan(options: argparse.Namespace, console: Console) -> None:
    """Show what a study would do and take."""
    plugins = load_plugins(options.plugin)
    study = load_study(options.study)
    device = choose_device(study.profile, options.device)
    workers = worker_count(workers_of(options.workers), device)
    prepare_data(study)
    with listening(options, console) as listener:
        report = phases(listener)
        folders = model_folders(study, options.out)
        bounds = limits(study, folders, device, report)
        if bounds:
            bounds.require_some()
        planned = make_plan(
            study,
            workers=workers,
            device=device,
            plugins=plugins,
            report=report,
            limits=bounds,
            model=usable_model(study, folders, device),
        )
    if options.json:
        say(console, json.dumps(asdict(planned), indent=2))
        return
    say(console, study.question)
    table, missing = plan_table(planned.mixes, console.width)
    console.print(table)
    if missing:
        say(console, too_narrow(missing))
    for line in plan_lines(planned):
        say(console, line)
