"""Blocks and other parts from outside: loaded only when named, or installed as an entry point."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path

GROUP = "ablate.plugins"


class PluginError(ValueError):
    """A plug-in that cannot be loaded; the message names the file and the reason."""

    kind = "environment"


def load_plugins(files: Iterable[str] = ()) -> tuple[str, ...]:
    """Import installed entry points of the group `ablate.plugins`, then the named files.

    Returns:
        The files, as absolute paths, for worker processes to load in turn.

    Raises:
        PluginError: A file is missing, or its import fails.
    """
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:
            raise PluginError(f"plug-in {entry.name} ({entry.value}): {error}") from error
    return load_files(files)


def load_files(files: Iterable[str]) -> tuple[str, ...]:
    """Import the named files alone: see `load_plugins`."""
    return tuple(_load(Path(file).resolve()) for file in files)


def _load(file: Path) -> str:
    """Import one file under its own name, which is also the name of the block in it."""
    name = f"ablate_plugins.{file.stem}"
    if name in sys.modules:
        return str(file)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise PluginError(f"plug-in {file}: no such Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise PluginError(f"plug-in {file}: {type(error).__name__}: {error}") from error
    return str(file)
