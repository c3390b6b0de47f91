"""Runs of a tiny study whose trials are made up, for tests of all that is around the training."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablate.costs.counts import count_mix
from ablate.engines.job import Done, Event, Failed, Interrupted, Job, Kind, never
from ablate.events import Event as Heard
from ablate.folder import RunFolder
from ablate.identity import sources
from ablate.identity.sources import Sources
from ablate.runs.running import run
from ablate.study import load_study
from ablate.trials.trial import TrialResult
from tests.warm_runner import TINY

# Nothing is trained, and what fails for want of memory is tried again with half a batch.
TEXT = TINY.replace('validation = "others"\n', "").replace("validate = 2\n", "")
TEXT = TEXT.replace("batch = 1", "batch = 6")

MACHINE = {"cpu": "a processor", "torch": "2.13.0", "numpy": "2.3.0", "commit": "0123abcd"}

End = Callable[[Job], Event]

# The same mixes and files again and again: what is known of them is.
KNOWN = {
    "ablate.runs.runner.count_mix": functools.cache(count_mix),
    "ablate.identity.sources.parsed": functools.cache(sources.parsed),
    "ablate.identity.sources.running": functools.cache(sources.running),
}


def done(job: Job) -> Done:
    """A trial that came to numbers which follow from its key, and left weights."""
    number = int(job.payload.key, 16) % 1000 / 100
    weights = Path(job.payload.checkpoint)
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.write_bytes(job.payload.key.encode())
    scores = {"psnr": 20 + number, "ssim": 0.5, "input_psnr": 20.0, "input_ssim": 0.4}
    facts = {"weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    curve = (("loss", 1, 0.2), ("loss", 2, 0.1))
    result = TrialResult(
        status="done",
        reason="",
        seconds=1.5,
        values=scores,
        curve=curve,
        pictures=(),
        facts=facts,
    )
    return Done(job, result)


def failed(job: Job, kind: Kind, reason: str = "it broke") -> Failed:
    """A trial that did not end well."""
    return Failed(job, reason, "Traceback", kind)


@dataclass
class Engine:
    """Says at once how each job ends, and remembers what it was given."""

    end: End = done
    jobs: list[Job] = field(default_factory=list)

    def __call__(
        self, jobs: Iterable[Job], workers: int, *, stop: Callable[[], bool] = never
    ) -> Iterator[Event]:
        for job in jobs:
            if stop():
                yield Interrupted(job)
                continue
            self.jobs.append(job)
            yield self.end(job)

    def close(self) -> None:
        """Nothing is kept."""


@dataclass
class Started:
    """What a run did."""

    place: RunFolder
    engine: Engine
    heard: list[Heard]

    @property
    def trained(self) -> int:
        """How many jobs it had."""
        return len(self.engine.jobs)


def write_study(folder: Path, text: str) -> Path:
    """The file of a study, with two tiny pictures beside it."""
    study, photos = folder / "study.toml", folder / "photos"
    study.write_text(text, encoding="utf-8")
    photos.mkdir(exist_ok=True)
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
    return study


def start(
    folder: Path,
    text: str = TEXT,
    end: End = done,
    name: str = "run",
    heard: list[Heard] | None = None,
    **options: object,
) -> Started:
    """Run a study in `folder / name` with made-up trials on a made-up machine.

    Nothing is timed, and no report is written.
    """
    study = write_study(folder, text)
    engine, events = Engine(end), [] if heard is None else heard
    with pytest.MonkeyPatch.context() as patched:
        for place, known in KNOWN.items():
            patched.setattr(place, known)
        patched.setattr("ablate.runs.opening.describe", lambda: dict(MACHINE))
        patched.setattr(Sources, "training", lambda sources: "0123456789abcdef")
        patched.setattr("ablate.runs.runner.time_run", lambda *given: None)
        patched.setattr("ablate.runs.running._last_word", lambda context: "")
        patched.setattr("ablate.runs.running._report", lambda place: place.report)
        place = run(
            load_study(study),
            folder / name,
            workers=1,
            listener=events.append,
            engine=engine,
            **options,
        )
    return Started(place, engine, events)
