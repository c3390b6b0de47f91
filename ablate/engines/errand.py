"""A job that another host does: what goes there with it, and what comes back."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ablate.engines.files import files_of, parts
from ablate.engines.job import Done, Event, Failed, Interrupted, Job, Kind, Message

PAUSE = 0.5  # seconds between two messages of a job that are passed on
_OURS = ("ablate", "blocks")  # packages whose source decides what a job does
_SOURCES = (".py", ".c", ".cu", ".cpp")


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A file that a job reads, announced: where it is for whoever sent the job, and which it is.

    Args:
        name: The same for the same file as it was when the job was sent.
        path: Its place there; the same file may lie at the same place here (a shared disk).
        size: In bytes.
        changed: When it was changed last, in nanoseconds.
    """

    name: str
    path: str
    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> Parcel:
        """Announce a file.

        Raises:
            OSError: It cannot be looked at.
        """
        facts = path.stat()
        text = f"{path} {facts.st_size} {facts.st_mtime_ns}"
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        return cls(name=name, path=str(path), size=facts.st_size, changed=facts.st_mtime_ns)

    def lies_here(self) -> bool:
        """Whether the very file is at its place on this host too."""
        try:
            facts = Path(self.path).stat()
        except OSError:
            return False
        return (facts.st_size, facts.st_mtime_ns) == (self.size, self.changed)


@dataclass(frozen=True, kw_only=True)
class Errand:
    """A job for another host, with all that it needs there.

    Args:
        job: As it was given, with the paths of whoever sent it.
        run: Names the run; jobs of one run share the files that they read.
        parcels: The files that it reads, by path.
        states: The contents of the files that it goes on from, by path.
        marks: What the host must have in common with the sender: see `marks`.
        pause: Seconds between two messages that are passed on; at most as often the host asks
            whether to end.
    """

    job: Job
    run: str
    parcels: Mapping[str, Parcel] = field(default_factory=dict)
    states: Mapping[str, bytes] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    pause: float = PAUSE


@dataclass(frozen=True, kw_only=True)
class News:
    """What a host tells of an errand: that it began, messages, and how it ended.

    Args:
        kind: began, or the event that it stands for.
        content: The host's name, a message, or the result.
        reason: Of a failure, in one line.
        evidence: Of a failure.
        failure: What sort of failure it is.
        seconds: That the job had worked when it failed.
        files: What the job left, by the sender's paths; None for a file that it removed.
    """

    kind: Literal["began", "message", "done", "failed", "interrupted"]
    content: object = None
    reason: str = ""
    evidence: str = ""
    failure: Kind = "error"
    seconds: float = 0.0
    files: Mapping[str, bytes | None] = field(default_factory=dict)

    def event(self, job: Job) -> Event | None:
        """The same as an event of the job as it was given; None for the beginning."""
        if self.kind == "message":
            return Message(job, self.content)
        if self.kind == "done":
            return Done(job, self.content)
        if self.kind == "failed":
            return Failed(job, self.reason, self.evidence, self.failure, self.seconds)
        return Interrupted(job) if self.kind == "interrupted" else None


def pack(job: Job, run: str, common: Mapping[str, str], pause: float = PAUSE) -> Errand:
    """A job with what it needs elsewhere, as its files are now.

    Args:
        job: Whose payload says which of its fields are files (`ablate.engines.files`).
        run: Names the run.
        common: What the host must have in common: `marks()` of here.
        pause: Seconds between two messages that are passed on.

    Raises:
        OSError: A file that it reads is missing.
    """
    named = files_of(job.payload)
    read = [*(Path(file) for file in job.plugins), *(f.path for f in named if f.use == "read")]
    begun = [part for f in named if f.use == "both" for part in parts(f.path)]
    return Errand(
        job=job,
        run=run,
        parcels={str(path): Parcel.of(path) for path in read},
        states={str(path): path.read_bytes() for path in begun},
        marks=common,
        pause=pause,
    )


def keep_files(files: Mapping[str, bytes | None]) -> None:
    """Put what a job left where it belongs: each file whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    for name, content in files.items():
        path = Path(name)
        if content is None:
            path.unlink(missing_ok=True)
        else:
            write_whole(path, content)


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file under another name, see it on the disk, and move it to its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def marks() -> dict[str, str]:
    """What must be the same on all hosts of a run, or their numbers would not mix."""
    made = hashlib.sha256()
    for package in _OURS:
        found = importlib.util.find_spec(package)
        assert found is not None and found.origin is not None
        folder = Path(found.origin).parent
        for file in sorted(p for p in folder.rglob("*") if p.suffix in _SOURCES):
            made.update(f"{package}/{file.relative_to(folder)}".encode())
            made.update(file.read_bytes())
    version = importlib.metadata.version("torch").partition("+")[0]
    return {"ablate": made.hexdigest()[:16], "torch": version}
