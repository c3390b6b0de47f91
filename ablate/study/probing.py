"""Finds what cannot work before anything is trained: builds networks without memory or data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from ablate.footing import FootingError
from ablate.mix import Choice, Mix, Network, Stage, Task
from ablate.network import scale_of
from ablate.searches import Point, check_search, propose, strategies
from ablate.study.lines import Path
from ablate.study.places import Problems
from ablate.study.rules import training_problems
from ablate.study.study import Study
from ablate.tasks.data import check_task
from ablate.tasks.degradations import check
from ablate.tasks.scale import task_scale
from ablate.topologies import Blocks, topologies
from blocks import make

Width = tuple[int, int]  # channels of a stage, and of the embedding that it is given

ALL = 64  # a study of at most this many mixes is probed in full


def probe(study: Study, problems: Problems) -> None:
    """Try the study's alternatives, and note which of them cannot work."""
    points = dict(_mixes(study, problems))
    mixes = list(points.values())
    networks = NetworkProbe(problems)
    for network, point in {mix.network: point for point, mix in points.items()}.items():
        networks.probe(network, study.fillers(point))
    for mix in _different(mixes, lambda mix: (mix.network.topology, mix.task)):
        _probe_scale(mix, networks, problems)
    for mix in _different(mixes, lambda mix: (mix.task, mix.training.crop)):
        _probe_crop(mix, study.evaluation.crop, problems)
    for mix in _different(mixes, lambda mix: mix.task):
        _probe_task(mix.task, problems)
    for mix in _different(mixes, lambda mix: mix.training):
        for key, text in training_problems(mix.training):
            problems.add(("training", key), text)
    _probe_search(study, problems)


def _mixes(study: Study, problems: Problems) -> Iterator[tuple[Point, Mix]]:
    """The mixes to probe; what cannot be brought to the cost that all are to have is a problem."""
    for point in probed(study):
        try:
            yield point, study.mix(point)
        except FootingError as error:
            problems.add(("network", "equal"), str(error))


def probed(study: Study) -> Iterator[Point]:
    """All points of a small study; else each alternative once, the others at their first."""
    if study.size <= ALL:
        yield from study.points()
        return
    base = [0] * len(study.axes)
    yield tuple(base)
    for axis, alternatives in enumerate(study.axes):
        for position in range(1, len(alternatives.labels)):
            yield (*base[:axis], position, *base[axis + 1 :])


def _different(mixes: Sequence[Mix], part: Callable[[Mix], object]) -> Iterator[Mix]:
    """One mix for each different value of a part."""
    return iter({part(mix): mix for mix in reversed(mixes)}.values())


class NetworkProbe:
    """Builds topologies and blocks on the meta device, each once for each width."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._scales: dict[Choice, int] = {}
        self._widths: dict[tuple[Choice, tuple[str, ...]], dict[str, set[Width]]] = {}
        self._wrong: dict[tuple[Choice, int, Width], str] = {}

    def probe(self, network: Network, fillers: Mapping[str, str]) -> None:
        """Note what in a network cannot be built, in every stage of it.

        Args:
            network: To be built.
            fillers: The place of the file that fills each slot.
        """
        slots = tuple(stage.slot for stage in network.stages)
        frame = (network.topology, slots)
        if frame not in self._widths:
            self._widths[frame] = self._build_frame(*frame)
        for stage in network.stages:
            for width in sorted(self._widths[frame].get(stage.slot, ())):
                self._probe_stage(stage, width, fillers[stage.slot])

    def scale(self, topology: Choice) -> int | None:
        """How many times larger a topology returns its images; nothing if it cannot be built."""
        return self._scales.get(topology)

    def _build_frame(self, topology: Choice, slots: tuple[str, ...]) -> dict[str, set[Width]]:
        """Build a topology around empty stages; the widths at which it fills each of them."""
        widths: dict[str, set[Width]] = {}

        def fill(slot: str, channels: int, context: int = 0) -> nn.Module:
            widths.setdefault(slot, set()).add((channels, context))
            return Blocks()

        fills = {slot: partial(fill, slot) for slot in slots}
        entry = topologies[topology.name]

        def build() -> None:
            self._scales[topology] = scale_of(entry.make(fills, **topology.settings))

        wrong = _attempt(build)
        if wrong:
            self._problems.add(("network",), wrong)
        return widths

    def _probe_stage(self, stage: Stage, width: Width, filler: str) -> None:
        earlier: Counter[str] = Counter()
        for choice in stage.blocks:
            key = (choice, earlier[choice.name], width)
            if key not in self._wrong:
                self._wrong[key] = _attempt(partial(_make, *key))
            if self._wrong[key]:
                text = f"{choice.name}: {self._wrong[key]}"
                self._problems.add(_block_path(filler), text)
            earlier[choice.name] += 1


def _make(choice: Choice, index: int, width: Width) -> nn.Module:
    channels, context = width
    return make(choice.name, channels, index, context, **choice.settings)


def _attempt(build: Callable[[], object]) -> str:
    """What is wrong with building something, in one line; nothing where it can be built."""
    try:
        with torch.device("meta"):
            build()
    except ValueError as error:
        return str(error).partition("\n")[0]
    except (RuntimeError, TypeError, ArithmeticError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        return f"cannot be built: {type(error).__name__}: {reason}"
    return ""


def _block_path(slot: str) -> Path:
    """Where a slot's block is written: ("network", "stage", 1, "block") for stage2."""
    name = slot.rstrip("0123456789")
    number = slot[len(name) :]
    return ("network", name, int(number) - 1, "block") if number else ("network", name, "block")


def _probe_scale(mix: Mix, networks: NetworkProbe, problems: Problems) -> None:
    """The network must enlarge as much as the task shrinks."""
    topology = mix.network.topology
    network, task = networks.scale(topology), _scale(mix.task)
    if network is None or task is None or network == task:
        return
    has = topology.name
    if "scale" in topologies[has].knobs:
        mend = f"write scale = {task}"
    else:
        enlarging = [name for name in topologies if "scale" in topologies[name].knobs]
        mend = f"{has} returns images as large as they come; a scale has: {', '.join(enlarging)}"
    text = f"the network's scale must equal the task's, {task} ({_shrinks(mix.task)}); got"
    problems.add(("network", "scale"), f"{text} {network}; {mend}")


def _shrinks(task: Task) -> str:
    return f"data '{task.data.name}'" if task.degradation.name == "given" else task.degradation.name


def _probe_crop(mix: Mix, scored: int, problems: Problems) -> None:
    """Crops of the clean image must hold whole pixels of the smaller one."""
    scale = _scale(mix.task) or 1
    for table, crop in (("training", mix.training.crop), ("evaluation", scored)):
        if crop % scale:
            below = crop // scale * scale
            problems.add(
                (table, "crop"),
                f"crop, the side of a clean crop, must be a multiple of the task's scale {scale};"
                f" got {crop}; write {below} or {below + scale}",
            )


def _scale(task: Task) -> int | None:
    """The task's scale; nothing where it has none, which `_probe_task` says."""
    try:
        return task_scale(task)
    except ValueError:
        return None


def _probe_task(task: Task, problems: Problems) -> None:
    try:
        check_task(task)
        check(task.degradation)
    except ValueError as error:
        problems.add(("task", "degradation"), str(error))


def _probe_search(study: Study, problems: Problems) -> None:
    """A strategy checks its knobs itself, or is asked for a study of one mix."""
    settled = tuple(
        replace(question, answers=question.answers[:1], labels=question.labels[:1])
        for question in study.questions
    )
    try:
        check_search(study, study.search)
        if "check" not in strategies[study.search.name].facts:
            propose(replace(study, questions=settled, footing=None), [], study.search)
    except ValueError as error:
        problems.add(("search",), f"{study.search.name}: {error}")
