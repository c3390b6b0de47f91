"""A folder on a host where jobs of one run keep their files; it goes when the run is over."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RoomError(OSError):
    """No folder of ours can be made on this host; the message says where and why."""


@contextmanager
def room(run: str, base: Path | None = None) -> Iterator[Path]:
    """The folder of a run on this host, ours while the `with` lasts; shared by its jobs.

    Folders of runs that are over, however they ended, are removed: nobody holds them any more.

    Args:
        run: Names the run; letters, digits and hyphens.
        base: Where such folders lie; by default a private folder among the temporary files.

    Raises:
        RoomError: It cannot be made, or its place belongs to somebody else.
    """
    base = base or _private()
    handle = _held(base / run)
    try:
        sweep(base)
        yield base / run
    finally:
        os.close(handle)


def sweep(base: Path | None = None) -> list[str]:
    """Remove the folders that nobody holds; returns their names."""
    base = base or _private()
    removed = []
    for folder in sorted(path for path in base.iterdir() if path.is_dir()):
        handle = _open(folder)
        if handle is None:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder.name)
        except BlockingIOError:  # a run that goes on
            pass
        finally:
            os.close(handle)
    return removed


def _private() -> Path:
    """A folder among the temporary files that nobody else can have put in our way."""
    base = Path(tempfile.gettempdir()) / f"ablate-{os.getuid()}"
    try:
        base.mkdir(mode=0o700, exist_ok=True)
        facts = base.lstat()
    except OSError as error:
        raise RoomError(f"{base}: no place for a job's files ({error.strerror})") from error
    if facts.st_uid != os.getuid() or base.is_symlink() or facts.st_mode & 0o022:
        raise RoomError(f"{base}: is not ours alone; remove it, or set TMPDIR to another folder")
    return base


def _held(folder: Path) -> int:
    """A lock on a folder that others of the run may hold too; made again where it was swept."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _open(folder)
        if handle is None:
            continue
        fcntl.flock(handle, fcntl.LOCK_SH)
        try:
            if os.fstat(handle).st_ino == (folder / ".lock").stat().st_ino:
                return handle
        except FileNotFoundError:  # swept between making and holding it
            pass
        os.close(handle)


def _open(folder: Path) -> int | None:
    """The file that is locked for a folder; None where the folder has just gone."""
    try:
        return os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        return None
