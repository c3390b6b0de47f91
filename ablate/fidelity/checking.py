"""Trains a few mixes of a run longer, in a run beside it, and keeps what came of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.events import Listener, silence
from ablate.fidelity.choosing import FEWEST, choose
from ablate.fidelity.derived import Part, longer, study_of
from ablate.folder import RunError, RunFolder
from ablate.identity.sources import Sources
from ablate.runs import running
from ablate.runs.context import SOURCES, TRAINING_CODE
from ablate.runs.preparing import prepare_data
from ablate.searches import Point
from ablate.study import Study
from ablate.tasks.data import DataError
from ablate.workplace import Workers
from reports.answering.answer import quality_metric
from reports.fidelity.longer import FACT, Kept, kept_text, scores
from reports.numbers.found import Found
from reports.numbers.results import read

SUFFIX = "-fidelity"  # of the folder beside the run's


@dataclass(frozen=True, kw_only=True)
class Check:
    """What is about to be done.

    Args:
        place: The run whose mixes are trained again.
        study: Those mixes, trained longer.
        keys: Of the mixes in the run, in the order of the study's points.
        times: How many times as long.
        metric: What mixes are ranked by.
        device: Where the run trained.
        seconds: Forecast of the training, with one trial at a time.
    """

    place: RunFolder
    study: Part
    keys: tuple[str, ...]
    times: float
    metric: str
    device: str
    seconds: float

    @property
    def trials(self) -> int:
        """How many there are in all."""
        return len(self.keys) * self.study.seeds


def prepare(
    run: Path,
    *,
    mixes: int = 6,
    times: float = 4.0,
    file: Path | None = None,
    plugins: Sequence[str] = (),
) -> Check:
    """Choose mixes of a run, and see that they can be trained as they were, but longer.

    Args:
        run: Its folder.
        mixes: How many.
        times: Factor of the steps, above 1.
        file: The study's file, where the text in the record does not do: its paths begin there.
        plugins: Files with blocks, loaded already.

    Raises:
        RunError: There is no such run, too little of it is finished, or something that its numbers
            depend on is another than it was.
        StudyError: Its study cannot be used any more.
    """
    if not 1.0 < times < math.inf:
        raise RunError(f"--times: expected a number above 1; got {times:g}")
    if mixes < FEWEST:
        raise RunError(f"--mixes: an order takes at least {FEWEST} mixes; got {mixes}")
    place = RunFolder(run)
    place.open().close()
    found = read(place.record)
    study = study_of(found.facts, file)
    _require_same(place, study, found.facts, file, plugins)
    keys = _chosen(place, found, mixes)
    points = [_point(place, study, found.label(key), key) for key in keys]
    return Check(
        place=place,
        study=longer(study, points, times),
        keys=tuple(keys),
        times=times,
        metric=quality_metric(found),
        device=found.facts.get("device", "auto"),
        seconds=_seconds(found, keys) * times * study.seeds,
    )


def carry_out(
    check: Check,
    *,
    workers: Workers = "auto",
    device: str = "auto",
    plugins: Sequence[str] = (),
    listener: Listener = silence,
    run: Callable[..., RunFolder] = running.run,
) -> RunFolder:
    """Train, in a run beside the first; keep in the first what came of it.

    Where that folder holds a check of another length, the one beside it is taken.

    Args:
        check: From `prepare`.
        workers: Processes that train at a time.
        device: cpu, cuda, or auto for that of the run.
        plugins: Files that workers load first.
        listener: Told how it goes on.
        run: What runs a study.

    Raises:
        RunError: Nothing was trained to its end, or the run is in use.
    """
    path = check.place.path
    place = run(
        check.study,
        path.with_name(f"{path.name}{SUFFIX}"),
        workers=workers,
        device=check.device if device == "auto" else device,
        plugins=plugins,
        listener=listener,
        new_run=True,
    )
    kept = _kept(check, place)
    with check.place.held():
        record = check.place.open(writable=True)
        try:
            record.set_fact(FACT, kept_text(record.facts(), place.path.name, kept))
        finally:
            record.close()
    return place


def _kept(check: Check, place: RunFolder) -> Kept:
    """What the longer training came to, under the keys of the run's own mixes."""
    table = scores(read(place.record), check.metric)
    values = {}
    for key, point in zip(check.keys, check.study.chosen, strict=True):
        longer_key = check.study.mix(point).key
        if longer_key in table.index:
            own = table.loc[[longer_key]].to_numpy(dtype=float)[0].tolist()
            pairs = zip(table.columns.tolist(), own, strict=True)
            values[key] = {int(seed): value for seed, value in pairs if not math.isnan(value)}
    if not any(values.values()):
        raise RunError(f"{place.path}: no mix was trained to its end; its report says why")
    steps = {check.study.mix(point).training.steps for point in check.study.chosen}
    return Kept(check.times, steps.pop() if len(steps) == 1 else 0, check.metric, values)


def _chosen(place: RunFolder, found: Found, mixes: int) -> list[str]:
    """Keys of the mixes to train again, the best first."""
    metric = quality_metric(found)
    table = found.ranked
    if metric in table:
        table = table[table[metric].notna()]
        higher = found.metrics[metric].better != "lower"
        table = table.sort_values(metric, ascending=not higher, kind="stable")
    if metric not in table or len(table) < FEWEST:
        raise RunError(
            f"{place.path}: an order takes at least {FEWEST} mixes trained to the end, and "
            f"this run has {len(table)} beside baselines; go on with it first: ablate run"
        )
    return choose([str(key) for key in table.index], found.letters, mixes)


def _point(place: RunFolder, study: Study, label: str, key: str) -> Point:
    """Where a mix lies in its study.

    Raises:
        RunError: It does not any more.
    """
    point = study.point_of(label)
    if point is None or study.mix(point).key != key:
        raise RunError(
            f"{place.path}: '{label}' is not what it was in this study; name the file that the run "
            "began with (--study FILE), or the version of ablate that made it"
        )
    return point


def _require_same(
    place: RunFolder,
    study: Study,
    facts: Mapping[str, str],
    file: Path | None,
    plugins: Sequence[str],
) -> None:
    """See that images and source are what they were: the length is to be all that differs.

    Raises:
        RunError: They are not.
    """
    try:
        digests = " ".join(dataset.digest for dataset in prepare_data(study).values())
    except DataError as error:
        hint = "" if file else "; paths begin at the study's file, name it: --study FILE"
        raise RunError(f"{place.path}: {error}{hint}") from error
    if digests != facts.get("data_digest", digests):
        raise RunError(f"{place.path}: the images are not those that this run began with")
    sources = Sources()
    changed = sources.changed(json.loads(facts.get(SOURCES, "{}")), plugins)
    if facts.get(TRAINING_CODE, sources.training()) != sources.training():
        changed.append("what trains")
    if changed:
        raise RunError(
            f"{place.path}: the source of {', '.join(changed)} is not what this run began with; "
            "put it back (plug-ins are named again: --plugin FILE), or longer trainings would "
            "differ in more than their length"
        )


def _seconds(found: Found, keys: Sequence[str]) -> float:
    """What one trial of each of these mixes took, in all."""
    done = found.trials[(found.trials["status"] == "done") & found.trials["mix"].isin(keys)]
    return float(done.groupby("mix", observed=True)["seconds"].mean().sum())
