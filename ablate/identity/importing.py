"""Which source files a file imports, of ours and of its own plug-in, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("ablate", "blocks")
# Each file of these is a thing of its own; of any other package, one file needs all of them.
CATALOGUES: Final = (
    "ablate",
    "blocks",
    "ablate.engines",
    "ablate.profiling",
    "ablate.runs",
    "ablate.tasks",
    "ablate.tasks.degradations",
    "ablate.topologies",
    "ablate.training",
    "ablate.trials",
)
# What is compiled for a package and never imported. All else in its folder, such as what an editor
# leaves there, is no source.
_KERNELS: Final = (".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".metal", ".mm")
_BODIES: Final = ("body", "orelse", "finalbody", "handlers", "cases")

Places = tuple[tuple[str, Path], ...]  # top-level modules, each with its folder, or file less .py


def parsed(text: str) -> ast.Module | None:
    """The tree of a Python file; none where this Python cannot read it."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Every statement of a module, however deep; what is inside of expressions is no statement."""
    ahead = [tree]
    while ahead:
        node = ahead.pop()
        for name in _BODIES:
            inner = [one for one in getattr(node, name, ()) if isinstance(one, ast.AST)]
            yield from (one for one in inner if isinstance(one, ast.stmt))
            ahead += inner


def imported(tree: ast.Module, file: Path, outside: Places = ()) -> Iterator[Path]:
    """Files of ours, and of a plug-in's own, that a file imports anywhere, some perhaps twice.

    What a package's `__init__` hands on is followed to where it is defined, so that a block does
    not depend on all the others. A package of ours that is one thing (the selective scan) counts
    whole, kernels in other languages included; of a package from outside each file is a thing of
    its own, with the kernels in its folder.

    Args:
        tree: What is in the file.
        file: Where it lies.
        outside: Modules from outside that are followed too.
    """
    places = (*((package, ROOT / package) for package in PACKAGES), *outside)
    for node in statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module(alias.name, places)
        elif isinstance(node, ast.ImportFrom):
            start = _absolute(node, file, places)
            for alias in node.names:
                yield from _name(start, alias.name, places)
    if any(file.is_relative_to(place) for _, place in outside):
        yield from _sources(file.parent, _KERNELS)


def is_ours(file: Path) -> bool:
    """Whether a file lies in one of our packages."""
    return file.is_relative_to(ROOT) and file.relative_to(ROOT).parts[0] in PACKAGES


def file_of(place: Path) -> Path:
    """The file of a module that is no package."""
    return place.with_name(f"{place.name}.py")


def _absolute(node: ast.ImportFrom, file: Path, places: Places) -> str:
    """The module that `from . import x` means, written out; empty where none is followed."""
    if not node.level:
        return node.module or ""
    folder = file.parents[node.level - 1]
    for top, place in places:
        if folder.is_relative_to(place):
            inner = [node.module] if node.module else []
            return ".".join([top, *folder.relative_to(place).parts, *inner])
    return ""


def _name(module: str, name: str, places: Places) -> Iterator[Path]:
    """What `from module import name` brings: a module, or the file that defines the name."""
    place = _place(module, places)
    if place is None:
        return
    package = place / "__init__.py"
    if (place / name).is_dir() or file_of(place / name).is_file():
        yield from _module(f"{module}.{name}", places)
    elif not package.is_file() or not _is_catalogue(module):
        yield from _module(module, places)
    else:
        yield from _handed_on(package, module, name, places)


def _handed_on(package: Path, module: str, name: str, places: Places) -> Iterator[Path]:
    """Where the `__init__` of a catalogue has a name from, or that file where it is its own."""
    tree = parsed(package.read_text(encoding="utf-8", errors="replace"))
    for node in tree.body if tree else ():
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                start = _absolute(node, package, places)
                if (alias.asname or alias.name) == name and start != module:
                    yield from _name(start, alias.name, places)
                    return
    yield package  # its own, or compiled: no file of that name is in the package


def _module(module: str, places: Places) -> Iterator[Path]:
    """The file of a module; all files of a package of ours that is one thing."""
    place, package = _place(module, places), module
    if place is None:
        return
    if file_of(place).is_file():
        yield file_of(place)
        place, package = place.parent, module.rpartition(".")[0]
    elif not _is_ours(module) and (place / "__init__.py").is_file():
        yield place / "__init__.py"
    if not _is_catalogue(package) and place.is_dir():
        yield from _sources(place, (".py", *_KERNELS))


def _sources(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Files of these kinds in a folder, without hidden ones."""
    for file in folder.iterdir():
        if file.suffix in suffixes and not file.name.startswith(".") and file.is_file():
            yield file


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in PACKAGES


def _is_catalogue(package: str) -> bool:
    return package in CATALOGUES or not _is_ours(package)


def _place(module: str, places: Places) -> Path | None:
    """Where a module lies, or would; none for one that is not followed."""
    top, *inner = module.split(".")
    return next((place.joinpath(*inner) for name, place in places if name == top), None)
