"""What makes reports here, so that a report can say which code made it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTION = "ablate-restoration"
SOURCES = (".py", ".html", ".css", ".js")


@cache
def maker() -> str:
    """ablate, its version, and the beginning of a hash of the code that makes reports."""
    try:
        number = version(DISTRIBUTION)
    except PackageNotFoundError:  # sources that were never installed
        number = "without a version"
    return f"ablate {number}, reports {_hash(Path(__file__).parents[1])[:12]}"


def _hash(folder: Path) -> str:
    """Of all sources in a folder and below, names and content."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in SOURCES:
            found.update(f"{path.relative_to(folder).as_posix()}\0".encode())
            found.update(path.read_bytes())
    return found.hexdigest()
