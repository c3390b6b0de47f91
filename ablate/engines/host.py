"""What happens on the host that does a job for another: files come, the job runs, files go back.

Nothing here knows how the two hosts speak; `ablate.engines.ray` does.
"""

from __future__ import annotations

import functools
import platform
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ablate.engines.engine import Engine
from ablate.engines.errand import Errand, News, Parcel, marks, write_whole
from ablate.engines.files import JobFile, at_places, belongs, files_of, parts
from ablate.engines.job import Done, Event, Failed, Job, Message
from ablate.engines.room import room, sweep

ASKING = 10.0  # seconds between two questions whether to end, at most: jobs have a grace to do so

Fetch = Callable[[Parcel], bytes | memoryview]
"""The contents of a file that was announced."""


def run_errand(
    errand: Errand,
    fetch: Fetch,
    stop: Callable[[], bool],
    *,
    base: Path | None = None,
    engine: Engine | None = None,
) -> Iterator[News]:
    """Do a job here, in a process of its own as always, and tell what happens.

    Of many messages in a short time only some are passed on, the first one always.

    Args:
        errand: The job and its needs.
        fetch: Gives the contents of what it reads.
        stop: Whether the run wants its jobs to end; asked now and then.
        base: Where files may be put; by default a private place among the temporary files.
        engine: What runs the job; by default one that this process keeps.
    """
    here = platform.node()
    yield News(kind="began", content=here)
    if reason := _differs(errand.marks, here):
        yield News(kind="failed", reason=reason, failure="environment")
        return
    try:
        with room(errand.run, base) as shared, tempfile.TemporaryDirectory(dir=shared) as own:
            job, named = _placed(errand, fetch, shared, Path(own))
            last = yield from _watched(
                job, engine or _engine(), seldom(stop, min(2 * errand.pause, ASKING)), errand.pause
            )
            left = _left(errand, named)
    except OSError as error:
        text = f"{here}: the job's files could not be kept ({error.strerror or error})"
        last, left = News(kind="failed", reason=text, failure="environment"), {}
    if last is not None:
        yield replace(last, files=left)


def clean(run: str, base: Path | None = None) -> None:
    """Remove what a run that is over left on this host, and what others left that died."""
    with room(run, base):  # so that there is a place to sweep
        pass
    sweep(base)


def seldom(ask: Callable[[], bool], seconds: float) -> Callable[[], bool]:
    """The same question, asked at most once in so many seconds; once yes, it stays yes."""
    asked, answer = float("-inf"), False

    def asking() -> bool:
        nonlocal asked, answer
        if not answer and time.monotonic() - asked >= seconds:
            answer, asked = ask(), time.monotonic()
        return answer

    return asking


def _differs(expected: Mapping[str, str], here: str) -> str:
    """Why jobs of the sender cannot be done here; empty where they can."""
    found = marks() if expected else {}
    for name, mark in expected.items():
        if found.get(name) != mark:
            return (
                f"{here}: {name} is another version ({found.get(name, 'none')}) than where the run "
                f"was started ({mark}); install the same on all hosts"
            )
    return ""


def _placed(
    errand: Errand, fetch: Fetch, shared: Path, own: Path
) -> tuple[Job, dict[Path, JobFile]]:
    """The job with its files at places of this host, and which of those it may leave."""
    job = errand.job
    at = {path: _at_hand(parcel, fetch, shared) for path, parcel in errand.parcels.items()}
    places, leaves = {}, {}
    for file in files_of(job.payload):
        place = at.get(str(file.path)) or own / file.field / file.path.name
        places[file.field] = place
        if file.use != "read":
            place.parent.mkdir()
            leaves[place] = file
    for place, file in leaves.items():
        for path, content in errand.states.items():
            if file.use == "both" and belongs(Path(path), file.path):
                (place.parent / Path(path).name).write_bytes(content)
    plugins = tuple(str(at[file]) for file in job.plugins)
    return replace(job, payload=at_places(job.payload, places), plugins=plugins), leaves


def _at_hand(parcel: Parcel, fetch: Fetch, shared: Path) -> Path:
    """Where a file lies on this host; it is fetched once for all jobs of the run."""
    if parcel.lies_here():
        return Path(parcel.path)
    place = shared / parcel.name / Path(parcel.path).name
    if not place.exists():
        write_whole(place, fetch(parcel))
    return place


def _watched(
    job: Job, engine: Engine, stop: Callable[[], bool], pause: float
) -> Generator[News, None, News | None]:
    """Messages while the job runs; returns how it ended, or nothing where it was not begun."""
    told = float("-inf")
    events = engine([job], 1, stop=stop)
    assert isinstance(events, Generator)
    with closing(events):
        for event in events:
            if not isinstance(event, Message):
                return _end(event)
            if time.monotonic() - told >= pause:
                told = time.monotonic()
                yield News(kind="message", content=event.content)
    return None


def _end(event: Event) -> News:
    if isinstance(event, Done):
        return News(kind="done", content=event.result)
    if isinstance(event, Failed):
        return News(
            kind="failed",
            reason=event.reason,
            evidence=event.evidence,
            failure=event.kind,
            seconds=event.seconds,
        )
    return News(kind="interrupted")


def _left(errand: Errand, leaves: Mapping[Path, JobFile]) -> dict[str, bytes | None]:
    """What the job left, by the sender's paths, and what it removed of the state it was given."""
    left: dict[str, bytes | None] = dict.fromkeys(errand.states)
    for place, file in leaves.items():
        for part in parts(place):
            left[str(file.path.parent / part.name)] = part.read_bytes()
    return left


@functools.cache
def _engine() -> Engine:
    """Kept for the life of this process: what it has loaded serves the next job too."""
    from ablate.engines.local import LocalEngine

    return LocalEngine()
