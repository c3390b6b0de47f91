"""`ablate run`: starts a study or goes on with it."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ablate.command_line._options import add_output, add_plugins, add_study, add_workers
from ablate.console.speaking import listening
from ablate.events import Listener, Warned

if TYPE_CHECKING:
    from ablate.engines.devices import Device
    from ablate.engines.engine import Engine

HELP = "run a study; after an interruption the same command goes on"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which study, how and where."""
    add_study(parser)
    add_workers(parser)
    add_plugins(parser)
    add_output(parser, events=True)
    parser.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME)")
    reuse = "train also what runs in the same folder have finished already"
    parser.add_argument("--no-reuse", action="store_true", help=reuse)
    beside = "where the folder holds another study, start or go on beside it: NAME-2, NAME-3 ..."
    parser.add_argument("--new-run", action="store_true", help=beside)
    every = "seconds between two saved states of a trial in progress (default: 60)"
    parser.add_argument("--save-every", default="60", metavar="SECONDS", help=every)
    _add_where(parser)
    parser.set_defaults(goes_on=True)


def _add_where(parser: argparse.ArgumentParser) -> None:
    devices = (
        "GPUs to train on, such as 0,1, or auto for all; trainings share one while its memory "
        "lasts (default: the first, one training at a time)"
    )
    parser.add_argument("--devices", default="", metavar="LIST", help=devices)
    engines = "where trials run: in processes on this machine, or on a Ray cluster"
    parser.add_argument("--engine", choices=["local", "ray"], default="local", help=engines)
    address = (
        "the Ray cluster, as `ray start` printed it, or auto for the one that this machine is in "
        "(default: start Ray on this machine alone)"
    )
    parser.add_argument("--address", metavar="HOST:PORT", help=address)
    gpus = "GPUs of a trial on a Ray cluster, such as 0.5 (default: 1 on CUDA, else 0)"
    parser.add_argument("--gpus", metavar="N", help=gpus)
    shard = (
        "train only one of n equal shares of a design, such as 2/8, and time nothing; "
        "then join them: ablate merge"
    )
    parser.add_argument("--shard", metavar="I/N", help=shard)


def carry_out(options: argparse.Namespace, console: Console) -> None:
    """Run a study or go on with it.

    Raises:
        RunError: An option cannot be, or does not go with another.
    """
    from ablate.console.numbers import whole
    from ablate.engines.devices import devices_for
    from ablate.folder import RunError
    from ablate.plugins import load_plugins
    from ablate.runs import running
    from ablate.runs.sharing import Share
    from ablate.study import load_study
    from ablate.workplace import choose_device

    plugins = load_plugins(options.plugin)
    study = load_study(options.study)
    devices = devices_for(options.devices)  # before anything looks at a GPU
    device = choose_device(study.profile, options.device)
    if devices and device != "cuda":
        raise RunError(f"--devices {options.devices}: this run is on the {device}, not on GPUs")
    share = Share.read(options.shard) if options.shard else None
    with (
        listening(options, console) as listener,
        _engine(options, device, devices, listener) as (engine, workers),
    ):
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
            engine=engine,
            share=share,
        )


@contextlib.contextmanager
def _engine(
    options: argparse.Namespace, device: str, devices: tuple[Device, ...], listener: Listener
) -> Iterator[tuple[Engine, int]]:
    """What runs the trials, and how many at a time."""
    from ablate.console.numbers import workers_of
    from ablate.engines.asked import engine_of, slots_of
    from ablate.workplace import worker_count

    engine = engine_of(options, device, devices, lambda text: listener(Warned(text)))
    with contextlib.closing(engine):
        workers = workers_of(options.workers)
        if workers == "auto":
            workers = slots_of(engine) or worker_count("auto", device, len(devices))
        yield engine, workers
