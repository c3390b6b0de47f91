"""What every part of a run needs: the study, the record, where and by what code trials train."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ablate.composition.limits import Limits
from ablate.engines.job import Event
from ablate.engines.local import run_jobs
from ablate.events import Listener, silence
from ablate.folder import RunFolder
from ablate.identity.keys import trial_key
from ablate.identity.sources import Sources
from ablate.mix import Choice, Mix
from ablate.runs.interrupting import Stop
from ablate.runs.reuse import Library
from ablate.runs.sharing import Share
from ablate.searches import Point, Space
from ablate.study import Study
from reports.record import Record

SAVE_EVERY = 60.0  # seconds between two states of a trial
SOURCES = "sources"  # the fact of a run with the digest of each file that its trials are made of
TRAINING_CODE = "training_code"  # the fact of a run, and of a trial, with the digest of what trains


@dataclass(frozen=True)
class Trial:
    """One mix with one seed, as the study names it.

    Args:
        key: The same for all steps that it rests at.
        mix: What is trained.
        label: Of the mix.
        seed: Of the initial weights, the crops and the degradation.
        until: The step that it rests at, its state kept; 0 for the whole training.
    """

    key: str
    mix: Mix
    label: str
    seed: int
    until: int = 0

    @property
    def row(self) -> str:
        """Key of what the record keeps of it: a trial has one for each step that it rested at."""
        return f"{self.key}@{self.until}" if self.until else self.key


@dataclass(frozen=True, kw_only=True)
class Context:
    """A run, as far as it is settled when its first trial starts.

    Args:
        study: What is asked.
        place: The folder of the run.
        record: Open for writing.
        device: Where to train and to profile: cpu or cuda.
        data: Digest of each data set.
        plugins: Files that workers load first.
        listener: Told how the run goes on.
        limits: The study's constraints, where it has any.
        engine: Runs trials.
        stop: Whether the run is to end.
        sources: The source files of mixes.
        coded: Whether keys of trials hold the source of their mixes; they do not in runs that
            began before that was kept.
        made: What every trial of this session is made with, for its row: torch, commit ...
        library: Finished trials of other runs; none takes none over.
        save_every: Seconds between two states of a trial in progress.
        share: The part of all trials that this run trains; none trains all.
    """

    study: Study
    place: RunFolder
    record: Record
    device: str
    data: Mapping[Choice, str]
    plugins: tuple[str, ...] = ()
    listener: Listener = silence
    limits: Limits | None = None
    engine: Callable[..., Iterator[Event]] = run_jobs
    stop: Stop = field(default_factory=Stop)
    sources: Sources = field(default_factory=Sources)
    coded: bool = True
    made: Mapping[str, str] = field(default_factory=dict)
    library: Library | None = None
    save_every: float = SAVE_EVERY
    share: Share | None = None

    @property
    def space(self) -> Space:
        """The study for a strategy, without what breaks a constraint."""
        return self.limits.space() if self.limits else self.study

    def trial(self, point: Point, seed: int, until: int = 0) -> Trial:
        """The trial of the mix at a point with a seed.

        Args:
            point: Of the study.
            seed: From 0.
            until: The step that it rests at; 0 for the whole training.
        """
        mix = self.study.mix(point)
        code = self.sources.code_digest(mix) if self.coded else ""
        key = trial_key(mix, seed, self.data[mix.task.data], self.study.evaluation, code)
        return Trial(key, mix, self.study.label(point), seed, until)
