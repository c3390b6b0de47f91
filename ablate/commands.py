"""What each command of the command line does."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from ablate import doctor as examiner
from ablate.applying import restore_files, score_images
from ablate.catalogue import Description, describe_block, list_blocks
from ablate.collection.command import merge as merge
from ablate.collection.command import prune as prune
from ablate.collection.command import runs as runs
from ablate.collection.indexing import index as index
from ablate.collection.sharing import Share
from ablate.command_parts import listening, make_table, phases, say, whole
from ablate.comparing import compare as compare
from ablate.composition.command import latency_model as latency_model
from ablate.composition.finding import model_folders, usable_model
from ablate.composition.limits import limits
from ablate.console import duration, shown
from ablate.crossover.command import crossover as crossover
from ablate.engines.asked import engine_of, slots_of
from ablate.engines.devices import devices_for
from ablate.events import Warned
from ablate.exporting.command import export as export
from ablate.fidelity.command import fidelity as fidelity
from ablate.folder import RunError
from ablate.plugins import load_plugins
from ablate.pricing.command import profile as profile
from ablate.results import Run
from ablate.runs import running
from ablate.runs.plan import Plan, PlannedMix, make_plan
from ablate.runs.running import Workers, choose_device, prepare_data, worker_count
from ablate.study import load_study, shipped_studies
from ablate.study.schema import schema as study_schema
from ablate.verifying import verify as verify
from ablate.watching.command import watch as watch
from reports.crossing.reading import keep_crossings


def new(options: argparse.Namespace, console: Console) -> None:
    """Write a copy of a shipped study."""
    studies = shipped_studies()
    if options.like not in studies:
        known = ", ".join(sorted(studies))
        raise RunError(f"--like: no shipped study is named '{options.like}' (studies: {known})")
    if options.file.exists():
        raise RunError(f"{options.file}: exists already; choose another name or remove it")
    if not options.file.parent.is_dir():
        raise RunError(f"{options.file}: the folder {options.file.parent} does not exist")
    options.file.write_text(studies[options.like].read_text(encoding="utf-8"), encoding="utf-8")
    say(console, f"{options.file}: edit it, then: ablate plan {options.file}")


def plan(options: argparse.Namespace, console: Console) -> None:
    """Show what a study would do and take."""
    plugins = load_plugins(options.plugin)
    study = load_study(options.study)
    device = choose_device(study.profile, options.device)
    workers = worker_count(_workers(options.workers), device)
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
    else:
        _show_plan(planned, study.question, console)


def run(options: argparse.Namespace, console: Console) -> None:
    """Run a study or go on with it."""
    plugins = load_plugins(options.plugin)
    study = load_study(options.study)
    devices = devices_for(options.devices)  # before anything looks at a GPU
    device = choose_device(study.profile, options.device)
    if devices and device != "cuda":
        raise RunError(f"--devices {options.devices}: this run is on the {device}, not on GPUs")
    share = Share.read(options.shard) if options.shard else None
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(listening(options, console))
        runs = engine_of(options, device, devices, lambda text: listener(Warned(text)))
        stack.enter_context(contextlib.closing(runs))
        workers = _workers(options.workers)
        if workers == "auto":
            workers = slots_of(runs) or worker_count("auto", device, len(devices))
        running.run(
            study,
            options.out,
            workers=workers,
            device=options.device,
            plugins=plugins,
            listener=listener,
            reuse=not options.no_reuse,
            new_run=options.new_run,
            save_every=whole("save-every", options.save_every),
            engine=runs,
            share=share,
        )


def report(options: argparse.Namespace, console: Console) -> None:
    """Write a run's report again from its record."""
    if options.crossover:
        keep_crossings(options.crossover, Run(options.run).folder.path)
    load_plugins(options.plugin)
    found = Run(options.run)
    written = {"report": found.report()}
    if options.paper:
        written["paper"] = found.paper(options.paper)
    if options.json:
        say(console, json.dumps({name: str(path) for name, path in written.items()}))
    elif not options.quiet:
        for name, path in written.items():
            say(console, f"{name}: {shown(path)}")


def blocks(options: argparse.Namespace, console: Console) -> None:
    """List what can fill a stage, or describe one block."""
    load_plugins(options.plugin)
    listed = [describe_block(options.name)] if options.name else list_blocks()
    if options.json:
        say(console, json.dumps([asdict(block) for block in listed], indent=2))
    elif options.name:
        _show_block(listed[0], console)
    else:
        console.print(_families(listed))
        say(console, f"{listed[0].at}; more on one of them: ablate blocks NAME")


def schema(options: argparse.Namespace, console: Console) -> None:
    """Print the JSON schema of study files."""
    load_plugins(options.plugin)
    say(console, json.dumps(study_schema(), indent=2))


def restore(options: argparse.Namespace, console: Console) -> None:
    """Restore pictures with a trained mix."""
    load_plugins(options.plugin)
    restored = restore_files(
        Run(options.run),
        options.mix,
        options.images,
        options.out,
        seed=options.seed,
        tile=options.tile,
        overlap=options.overlap,
        device=options.device,
    )
    for picture in restored:
        facts = {"source": str(picture.source), "target": str(picture.target)}
        if options.json:
            say(console, json.dumps({**facts, "seconds": picture.seconds}))
        elif not options.quiet:
            say(console, f"{picture.target}  ({duration(picture.seconds)})")


def evaluate(options: argparse.Namespace, console: Console) -> None:
    """Score a trained mix on other pictures."""
    load_plugins(options.plugin)
    pairs = tuple(options.pairs) if options.pairs else None
    scores = score_images(
        Run(options.run),
        options.mix,
        options.data,
        pairs=pairs,
        seed=options.seed,
        device=options.device,
    )
    if options.json:
        say(console, json.dumps([asdict(score) for score in scores], indent=2))
        return
    table = make_table("scored on", "images", "PSNR / dB", "gain / dB", "SSIM", "input SSIM")
    for score in scores:
        value = score.values
        gain = value["psnr"] - value["input_psnr"]
        numbers = (f"{value['psnr']:.2f}", f"{gain:+.2f}", f"{value['ssim']:.4f}")
        table.add_row(score.what, str(score.count), *numbers, f"{value['input_ssim']:.4f}")
    console.print(table)


def doctor(options: argparse.Namespace, console: Console) -> None:
    """Say what this installation can use and what would add the rest."""
    found = examiner.examine()
    if options.json:
        say(console, json.dumps(asdict(found), indent=2))
        return
    for line in examiner.lines(found):
        say(console, line)


def _workers(text: str) -> Workers:
    if text == "auto":
        return "auto"
    if text.isdigit() and int(text) > 0:
        return int(text)
    raise RunError(f"--workers: expected auto or a whole number from 1; got '{text}'")


def _show_plan(planned: Plan, question: str, console: Console) -> None:
    say(console, question)
    predicted = any(mix.latency is not None for mix in planned.mixes)
    level = any(mix.footing is not None for mix in planned.mixes)
    headings = ["mix", "parameters", "GMACs", "inference", "training", "one trial"]
    headings += ["latency"] * predicted + ["solved", "off"] * level
    table = make_table(*headings)
    for mix in planned.mixes:
        latency = "-" if mix.latency is None else f"{1e3 * mix.latency:.3g} ms"
        table.add_row(
            mix.label,
            _or_dash(mix.params, "{:,}"),
            _or_dash(mix.macs, "{:.3f}", 1e9),
            _or_dash(mix.peak_memory, "{:.0f} MiB", 2**20),
            _or_dash(mix.training_memory, "{:.0f} MiB", 2**20),
            "-" if mix.seconds is None else duration(mix.seconds),
            *([latency] if predicted else []),
            *(_footing_cells(mix) if level else []),
        )
    console.print(table)
    for line in _plan_lines(planned):
        say(console, line)


def _plan_lines(planned: Plan) -> list[str]:
    trials = planned.total * planned.seeds
    lines = [f"{planned.total} mixes x {planned.seeds} seeds = {trials} trials"]
    if len(planned.mixes) < planned.total:
        lines[0] += f" ({len(planned.mixes)} of the mixes are shown)"
    if planned.size > planned.total:
        lines.append(f"out of {planned.size:,} possible mixes")
    if planned.different not in (None, planned.size):
        lines.append(f"{planned.size:,} points describe {planned.different:,} different mixes")
    lines += planned.design
    lines += [words for words in (planned.constraints, planned.footing) if words]
    if planned.training_seconds is not None and planned.latency_seconds is not None:
        training, latency = planned.training_seconds, planned.latency_seconds
        least = planned.least_training_seconds
        spent, about = duration(training), "about"
        if least is not None:  # rungs leave mixes behind
            spent, about = f"{duration(least)} to {spent}", "at most"
        lines.append(
            f"{about} {duration(training + latency)} in all: training {spent} with "
            f"{planned.workers} at a time, timing {duration(latency)} (forecast)"
        )
    lines += [f"not timed: {reason}" for reason in planned.not_timed]
    if planned.memory is not None:
        lines.append(f"about {planned.memory / 2**20:,.0f} MiB of memory for training (forecast)")
    return lines


def _footing_cells(mix: PlannedMix) -> list[str]:
    """Width and depth solved for, and how far the cost is from what all mixes are to have."""
    solved = {"width": mix.width, "blocks": mix.depth}
    sizes = [f"{name} {value}" for name, value in solved.items() if value is not None]
    off = "-" if mix.footing is None else f"{100 * mix.footing:+.1f} %"
    return [", ".join(sizes) or "-", off]


def _or_dash(value: int | None, form: str, unit: float = 1) -> str:
    return "-" if value is None else form.format(value / unit if unit != 1 else value)


def _families(listed: Sequence[Description]) -> Table:
    """The blocks under the names of their families."""
    table = make_table("block", "parameters", "GMACs", "what it is")
    for family, members in itertools.groupby(listed, key=lambda block: block.family):
        table.add_section()
        table.add_row(family, style="bold")
        for block in members:
            macs = f"{block.macs / 1e9:.3f}"
            table.add_row(f"  {block.name}", f"{block.params:,}", macs, block.summary)
    return table


def _show_block(block: Description, console: Console) -> None:
    say(console, f"{block.name}: {block.summary}\n")
    say(console, block.text)
    say(console, f"\nfamily: {block.family}\nsource: {block.source}")
    say(console, f"{block.at}: {block.params:,} parameters, {block.macs / 1e9:.3f} GMACs\n")
    if block.knobs:
        table = make_table("knob", "type", "default", "what it is")
        for knob in block.knobs:
            table.add_row(knob.name, knob.type, knob.default, knob.text)
        console.print(table)
