"""A whole run: from the study and its images over training and timing to the report."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch

from ablate.composition.finding import model_folders
from ablate.composition.limits import Limits, limits
from ablate.composition.rows import predicted_metrics
from ablate.costs.footing_rows import note_left_out
from ablate.engines.engine import Engine
from ablate.engines.local import LocalEngine
from ablate.events import Ended, Listener, Warned, phases, silence
from ablate.faults import fault
from ablate.folder import RunError, RunFolder
from ablate.identity.importing import ROOT
from ablate.identity.sources import Sources
from ablate.mix import Choice
from ablate.profiling.machine import commit
from ablate.runs.context import SAVE_EVERY, SOURCES, TRAINING_CODE, Context
from ablate.runs.interrupting import Stop
from ablate.runs.marks import marks_of
from ablate.runs.mending import mend
from ablate.runs.opening import beside, open_record
from ablate.runs.preparing import keep, prepare_data
from ablate.runs.reuse import Library
from ablate.runs.runner import Runner
from ablate.runs.sharing import Share, require_shareable
from ablate.study import Study
from ablate.tasks.data import Dataset
from ablate.watching.keeper import kept_status
from ablate.workplace import Workers, choose_device, worker_count
from reports.answering.answer import answer
from reports.build import write_report
from reports.numbers.results import read
from reports.record import Record

ENDING: Final = (
    "ending: trials in progress finish their step and keep their state; a second time ends at once"
)


def run(
    study: Study,
    folder: Path | str | None = None,
    *,
    workers: Workers = "auto",
    device: str = "auto",
    plugins: Sequence[str] = (),
    listener: Listener = silence,
    reuse: bool = True,
    new_run: bool = False,
    save_every: float = SAVE_EVERY,
    engine: Engine | None = None,
    share: Share | None = None,
) -> RunFolder:
    """Run a study, or go on with it: what is in its record is not done again.

    Args:
        study: What is asked.
        folder: Where the run lies; runs/NAME where it is not given.
        workers: Processes that train at a time; auto is one per core on a CPU, one on CUDA.
        device: Where to train and to profile: cpu, cuda, or auto for what the study says.
        plugins: Files that workers load first.
        listener: Told how the run goes on.
        reuse: Take over trials that runs beside this one finished.
        new_run: Where the folder holds what this study cannot go on with, begin beside it, in
            NAME-2 and so on, or go on there.
        save_every: Seconds between two states of a trial in progress; 0 keeps one only where the
            run is ended.
        engine: Runs the trials; none for one on this machine, closed afterwards.
        share: Train only this part of a design, in NAME-shard-I-of-N where no folder is given, and
            time nothing: `ablate merge` joins the parts.

    Returns:
        The folder, with the record, the weights and the report in it.

    Raises:
        RunError: The folder holds another study, is in use, or the device is not there.
        StudyStopped: Trials fail, and so would the others.
        ModelError: The study bounds latency and has no latency model of this machine, or nothing
            keeps to its constraints.
        DataError: The images cannot be used; nothing was trained.
    """
    place, chosen = _place(study, folder, share), choose_device(study.profile, device)
    bounds = _bounds(study, place, chosen, listener)
    datasets = prepare_data(study)
    digests = {choice: dataset.digest for choice, dataset in datasets.items()}
    marks = marks_of(study, chosen, list(digests.values()), plugins, bounds, place.path)
    sources = Sources()
    if new_run:
        place = beside(study, place, marks, plugins, sources)
    with (
        _held(place, listener, engine) as (told, warned, runs),
        contextlib.closing(open_record(study, place, marks, plugins, warned, sources)) as record,
    ):
        context = Context(
            study=study,
            place=place,
            record=record,
            device=chosen,
            data=digests,
            plugins=tuple(plugins),
            listener=told,
            limits=bounds,
            engine=runs,
            stop=Stop(lambda: warned(ENDING)),
            sources=sources,
            save_every=save_every,
            share=share,
        )
        _go(_identified(context, reuse), datasets, worker_count(workers, chosen))
    return place


def _place(study: Study, folder: Path | str | None, share: Share | None) -> RunFolder:
    """The folder that was given, else runs/NAME, each share in one of its own."""
    if share:
        require_shareable(study)
    name = f"{study.name}-{share.suffix}" if share else study.name
    return RunFolder(Path(folder or Path("runs") / name))


def _bounds(study: Study, place: RunFolder, device: str, listener: Listener) -> Limits | None:
    """What the study's constraints leave, which is something; None where it has none."""
    bounds = limits(study, model_folders(study, place.path), device, phases(listener))
    if bounds:
        bounds.require_some()
    return bounds


@contextlib.contextmanager
def _held(
    place: RunFolder, listener: Listener, engine: Engine | None
) -> Iterator[tuple[Listener, Callable[[str], None], Engine]]:
    """The folder for us alone: who is told meanwhile, also of a warning, and what runs trials."""
    with place.held(), kept_status(place.path, listener) as told, _lent(engine) as runs:
        fault("run.held")
        yield told, lambda text: told(Warned(text)), runs


@contextlib.contextmanager
def _lent(engine: Engine | None) -> Iterator[Engine]:
    """The engine of whoever calls, or one of our own."""
    if engine:
        yield engine
        return
    with contextlib.closing(LocalEngine()) as own:
        yield own


def _identified(context: Context, reuse: bool) -> Context:
    """With what its trials are made with, and with the trials of other runs."""
    made = {"device": context.device, "torch": torch.__version__}
    made[TRAINING_CODE] = context.sources.training()
    library = Library(context.place, made, lambda text: context.listener(Warned(text)))
    coded, here = SOURCES in context.record.facts(), commit(ROOT)
    return replace(
        context,
        made={**made, **({"commit": here} if here else {})},
        coded=coded,
        library=library if reuse and coded else None,
    )


def _go(context: Context, datasets: Mapping[Choice, Dataset], workers: int) -> None:
    """Train, time and report, now that the run is ours."""
    record, place, told = context.record, context.place, context.listener
    mend(record, place, lambda text: told(Warned(text)))
    for choice, dataset in datasets.items():
        keep(dataset, place.data(choice))
    fault("run.data_kept")
    if context.limits:
        record.define(predicted_metrics(context.limits))
        record.note("", "constraints", context.limits.words)
    runner = Runner(context)
    runner.search(workers)
    fault("run.trained")
    note_left_out(context.study, record, told)
    if not context.share:
        runner.time()
    fault("run.timed")
    _warn_of_failures(record, told)
    report = _report(place)
    fault("run.reported")
    told(Ended(place.path, report, _last_word(context)))


def _last_word(context: Context) -> str:
    """The answer to the study's question, or how a share goes into one."""
    if context.share:
        context.record.set_fact("shard", str(context.share))
        return (
            f"share {context.share} is trained; when all are: ablate merge RUN ... --out FOLDER, "
            "then ablate run STUDY --out FOLDER measures all mixes side by side"
        )
    return answer(read(context.place.record)).sentence


def _warn_of_failures(record: Record, listener: Listener) -> None:
    """The last word on what did not work, so that it is not overlooked among the lines before."""
    trials = record.trials()
    failed = int((trials["status"] == "failed").sum())
    if failed:
        text = f"{failed} of {len(trials)} trials failed; the same command tries them again"
        listener(Warned(text))


def _report(place: RunFolder) -> Path:
    """Write the report; whatever stands in its way, the measurements are safe.

    Raises:
        RunError: It cannot be written.
    """
    try:
        return write_report(place.record, place.path)["report.html"]
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise RunError(
            f"{place.path}: the report could not be written ({reason}); everything measured is in "
            f"record.sqlite; try again: ablate report {place.path}"
        ) from error
