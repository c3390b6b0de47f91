"""Where the modules of a plug-in lie, and by which name a run knows them on every machine."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from ablate.identity.importing import Places, file_of


def modules_of(file: Path, module: str) -> Places:
    """The top-level module that a file from outside belongs to: what it imports of that is its own.

    Args:
        file: Where it lies.
        module: The name that it was imported under, mypkg.blocks; of a plug-in that was named as a
            file it says nothing of where that lies.
    """
    place = file.parent if file.name == "__init__.py" else file.with_name(file.stem)
    top, *inner = module.split(".")
    folder = place.parents[len(inner) - 1] if inner else place
    if top in ("ablate_plugins", "__main__") or folder.joinpath(*inner) != place:
        return loose(file)
    return ((top, folder),)


def loose(file: Path) -> Places:
    """The package that a file lies in; where there is none, the files that lie beside it."""
    package, folder = None, file.parent
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        package, folder = folder, folder.parent
    if package:
        return ((package.name, package),)
    return tuple((one.stem, one.with_name(one.stem)) for one in sorted(folder.glob("*.py")))


def name_of(file: Path, modules: Places) -> str:
    """The name of a file of these modules: mypkg/ops.py, wherever mypkg is installed."""
    for top, place in modules:
        if file == file_of(place):
            return f"{top}.py"
        if file.is_relative_to(place):
            return "/".join((top, *file.relative_to(place).parts))
    return file.name


def located(name: str, plugins: Iterable[str]) -> Path | None:
    """The file of that name: of the plug-ins that were named as files, or installed.

    Args:
        name: From `name_of`, perhaps on another machine.
        plugins: Files.
    """
    files = [Path(plugin).resolve() for plugin in plugins]
    top, _, inner = name.partition("/")
    top = top if inner else top.removesuffix(".py")
    places = [place for file in files for one, place in loose(file) if one == top]
    places += _installed(top)
    named = [file for file in files if file.name == name]
    named += [place / inner if inner else file_of(place) for place in places]
    return next((file for file in named if file.is_file()), None)


def _installed(top: str) -> list[Path]:
    """Where a top-level module would be imported from; nothing is run."""
    try:
        spec = importlib.util.find_spec(top) if top.isidentifier() else None
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(folder).resolve() for folder in spec.submodule_search_locations]
    return [Path(spec.origin).resolve().with_suffix("")] if spec.origin else []
