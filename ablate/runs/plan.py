"""What a study would do and take: counted where it can be, forecast from rehearsals where not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from ablate.composition.limits import Limits
from ablate.costs import energy_sitting, resident, stage_phase
from ablate.costs.counts import count_mix
from ablate.costs.footing_rows import footing_rows, footing_words
from ablate.latency_model.model import LatencyModel
from ablate.mix import Mix
from ablate.profiling.latency import forecast_seconds, modes_of, split
from ablate.runs.rehearsing import forward_seconds, spread, step_seconds, trial_seconds
from ablate.searches import Point, Space, all_in_all, design_words, propose, strategies
from ablate.searches.counting import different_mixes
from ablate.searches.weighing import weighed_words
from ablate.searches.words import least_steps, schedule_words, within_budget
from ablate.study import Study
from ablate.tasks.scale import task_scale

COUNTED = 24  # mixes that are counted one by one; of more, as many spread evenly
REHEARSED = 24  # mixes whose training step is tried out


@dataclass(frozen=True, kw_only=True)
class PlannedMix:
    """A mix and what it is expected to take; what is not known is None."""

    label: str
    key: str
    params: int | None
    macs: int | None
    peak_memory: int | None  # bytes, of an inference call
    training_memory: int | None  # bytes
    seconds: float | None  # of one trial, wall time
    latency: float | None = None  # seconds of one call, predicted by the study's latency model
    footing: float | None = None  # cost over what all are to have, less 1
    width: int | None = None  # channels at full resolution, where they are solved for
    depth: int | None = None  # blocks in all, where they are solved for


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study would do.

    Args:
        mixes: The first batch that the strategy proposes, or a sample of it.
        total: Mixes that are tried in all, at most: that batch, or for a search that learns its
            whole budget.
        size: Points of the whole space.
        seeds: Trials per mix.
        workers: Processes that train at a time.
        training_seconds: Forecast of the wall time of all trials.
        latency_seconds: Forecast of the wall time of the timing at the end, and of energy,
            stages and resident memory where the study asks for them; at most, where it may end
            sooner.
        memory: Bytes that the workers need together, at most.
        not_timed: Why the device lacks modes that the profile asks for, a line for each.
        constraints: What the study's constraints leave of it, in words; empty without any.
        footing: What all mixes cost alike and how nearly, in words; empty where that is not asked.
        different: How many different mixes all points describe; None where that is not known.
        design: What there is to say of the search, line by line: what it cannot tell apart, what
            it weighs, where mixes rest and when it ends.
        least_training_seconds: The same as `training_seconds`, where every rung leaves all the
            mixes behind that it may; None without rungs.
    """

    mixes: tuple[PlannedMix, ...]
    total: int
    size: int
    seeds: int
    workers: int
    training_seconds: float | None
    latency_seconds: float | None
    memory: int | None
    not_timed: tuple[str, ...] = ()
    constraints: str = ""
    footing: str = ""
    different: int | None = None
    design: tuple[str, ...] = ()
    least_training_seconds: float | None = None


def make_plan(
    study: Study,
    *,
    workers: int,
    device: str,
    plugins: Sequence[str] = (),
    report: Callable[[str, int, int], None] = lambda phase, done, total: None,
    limits: Limits | None = None,
    model: LatencyModel | None = None,
) -> Plan:
    """Count a study's mixes, and rehearse a few training steps of them on noise.

    Args:
        study: What is asked.
        workers: Processes that would train at a time.
        device: Where they would train.
        plugins: Files that workers load first.
        report: Told the phase, what is done of it and of how much.
        limits: The study's constraints, where it has any.
        model: Predicts latency, where the study has a model of this machine.
    """
    space: Space = limits.space() if limits else study
    points = propose(space, [], study.search)
    total = all_in_all(space, points, study.search)
    shown = spread(points, COUNTED)
    rehearsed = spread(shown, REHEARSED)
    steps = step_seconds([study.mix(p) for p in rehearsed], workers, device, plugins, report)
    mixes = []
    for done, point in enumerate(shown, 1):
        mixes.append(
            replace(
                _planned(study, point, device, steps), latency=_latency(model, study.mix(point))
            )
        )
        report("costs", done, len(shown))
    total = within_budget(study.stop, total, study.seeds)
    plan = _summed(study, mixes, total, workers, steps, device)
    footing = footing_words(study, [mix.footing for mix in mixes if mix.footing is not None])
    return replace(
        plan,
        constraints=limits.words if limits else "",
        footing=footing,
        different=None if study.footing else different_mixes(study, study.related_axes),
        design=(*_search_words(space, points, study, limits), *_schedule_words(study, plan.total)),
        least_training_seconds=_at_least(study, plan.training_seconds),
    )


def _schedule_words(study: Study, mixes: int) -> tuple[str, ...]:
    steps = study.mix(study.at(0)).training.steps
    return schedule_words(study.schedule, study.stop, mixes, study.seeds, steps)


def _at_least(study: Study, seconds: float | None) -> float | None:
    """Of training in full what is left where only `keep` goes on from every rung."""
    if seconds is None or not study.schedule.rungs:
        return None
    return seconds * least_steps(study.schedule, study.mix(study.at(0)).training.steps)


def _search_words(
    space: Space, points: Sequence[Point], study: Study, limits: Limits | None
) -> tuple[str, ...]:
    """What the strategy says of its design, and of a search that learns what it learns from."""
    words = design_words(space, points, study.search)
    if not strategies[study.search.name].facts.get("adaptive"):
        return words
    known = ["macs", *(["predicted_latency"] if limits and limits.models else [])]
    return (*words, f"{len(points)} mixes at a time; {weighed_words(space, known)}")


def _latency(model: LatencyModel | None, mix: Mix) -> float | None:
    """Seconds of one call; nothing where no model knows the mix."""
    return None if model is None or model.outside(mix) else model.predict(mix)


def _planned(study: Study, point: Point, device: str, steps: dict[str, float]) -> PlannedMix:
    mix = study.mix(point)
    rows, _ = count_mix(mix, study.profile, device)
    footing = {r.metric: r.value for r in footing_rows(study, mix.key, mix.network, rows)}
    first = {row.metric: int(row.value) for row in reversed(rows)}
    step = steps.get(mix.key)
    return PlannedMix(
        label=study.label(point),
        key=mix.key,
        params=first.get("params"),
        macs=first.get("macs"),
        peak_memory=first.get("peak_memory"),
        training_memory=first.get("training_memory"),
        seconds=None if step is None else trial_seconds(study, mix, step),
        footing=footing.get("footing"),
        width=_whole(footing.get("solved_width")),
        depth=_whole(footing.get("solved_depth")),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _summed(
    study: Study,
    mixes: list[PlannedMix],
    total: int,
    workers: int,
    steps: dict[str, float],
    device: str,
) -> Plan:
    known = [mix.seconds for mix in mixes if mix.seconds is not None]
    memory = [mix.training_memory for mix in mixes if mix.training_memory is not None]
    training = latency = None
    if known:
        training = sum(known) / len(known) * total * study.seeds / workers
        first = study.mix(study.at(0))
        step = sum(steps.values()) / len(steps)
        enlarged = task_scale(first.task) ** 2  # sizes are of the input
        calls = [
            forward_seconds(first, step, h * w * enlarged * study.profile.batch)
            for h, w in study.profile.size
        ]
        latency = sum(forecast_seconds(call, study.profile, total, device) for call in calls)
        latency += sum(
            stage_phase.forecast_seconds(call, study.profile, total, device) for call in calls
        )
        if study.profile.energy:
            each = energy_sitting.forecast_seconds(total, torch.device(device))
            latency += each * len(study.profile.size)
        if device == "cpu":
            latency += resident.forecast_seconds(total, study.profile)
    return Plan(
        mixes=tuple(mixes),
        total=total,
        size=study.size,
        seeds=study.seeds,
        workers=workers,
        training_seconds=training,
        latency_seconds=latency,
        memory=sum(sorted(memory)[-workers:]) if memory else None,
        not_timed=tuple(split(modes_of(study.profile), torch.device(device))[1].values()),
    )
