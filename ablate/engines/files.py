"""Which files a job reads and leaves, so that it can be done on another host than they lie on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, cast

Use = Literal["read", "write", "both"]

READ: Final[Mapping[str, Use]] = {"file": "read"}
"""Metadata of a payload's field that is the path of a file which the job reads."""

WRITE: Final[Mapping[str, Use]] = {"file": "write"}
"""The same of a file that the job leaves."""

BOTH: Final[Mapping[str, Use]] = {"file": "both"}
"""The same of a file that the job goes on from where there is one, and leaves or removes."""


@dataclass(frozen=True)
class JobFile:
    """One file that a payload names.

    Args:
        field: Of the payload.
        path: Where the file is, or is to be, for whoever made the job.
        use: What the job does with it.
    """

    field: str
    path: Path
    use: Use


def files_of(payload: object) -> tuple[JobFile, ...]:
    """The files that a payload names, by the metadata of its fields; an empty path names none."""
    if not is_dataclass(payload) or isinstance(payload, type):
        return ()
    named = [(field, getattr(payload, field.name)) for field in fields(payload)]
    return tuple(
        JobFile(field.name, Path(path), field.metadata["file"])
        for field, path in named
        if "file" in field.metadata and path
    )


def at_places(payload: object, places: Mapping[str, Path]) -> object:
    """The payload with other paths in the fields that are named."""
    if not places:
        return payload
    return replace(cast(Any, payload), **{field: str(path) for field, path in places.items()})


def parts(path: Path) -> Iterator[Path]:
    """A file and what belongs to it, where they exist: see `belongs`."""
    if path.parent.is_dir():
        yield from (file for file in sorted(path.parent.iterdir()) if belongs(file, path))


def belongs(file: Path, path: Path) -> bool:
    """Whether a file beside a path is of it: its own, or under its name and a further ending."""
    named = file.name == path.name or file.name.startswith(f"{path.name}.")
    return named and file.parent == path.parent and not file.name.endswith(".partial")
