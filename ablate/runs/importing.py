"""Which of our own files a source file imports, read from its text without running it."""

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
_BODIES: Final = ("body", "orelse", "finalbody", "handlers", "cases")


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


def imported(tree: ast.Module, file: Path) -> Iterator[Path]:
    """Files of ours that a file imports anywhere in it, some perhaps twice.

    What a package's `__init__` hands on is followed to where it is defined, so that a block does
    not depend on all the others. A package that is one thing (the selective scan) counts whole,
    kernels in other languages included.

    Args:
        tree: What is in the file.
        file: Where it lies.
    """
    for node in statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            start = _absolute(node, file)
            for alias in node.names:
                yield from _name(start, alias.name)


def is_ours(file: Path) -> bool:
    """Whether a file lies in one of our packages."""
    return file.is_relative_to(ROOT) and file.relative_to(ROOT).parts[0] in PACKAGES


def _absolute(node: ast.ImportFrom, file: Path) -> str:
    """The module that `from . import x` means, written out."""
    if not node.level or not is_ours(file):
        return "" if node.level else (node.module or "")
    folder = file.parents[node.level - 1].relative_to(ROOT).parts
    return ".".join([*folder, *([node.module] if node.module else [])])


def _name(module: str, name: str) -> Iterator[Path]:
    """What `from module import name` brings: a module, or the file that defines the name."""
    if module.partition(".")[0] not in PACKAGES:
        return
    inner = f"{module}.{name}"
    package = _place(module) / "__init__.py"
    if _place(inner).is_dir() or _place(inner).with_suffix(".py").is_file():
        yield from _module(inner)
    elif not package.is_file() or module not in CATALOGUES:
        yield from _module(module)
    else:
        yield from _handed_on(package, name)


def _handed_on(package: Path, name: str) -> Iterator[Path]:
    """Where the `__init__` of a catalogue has a name from, or that file where it is its own."""
    for node in ast.parse(package.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    yield from _name(_absolute(node, package), alias.name)
                    return
    yield package


def _module(module: str) -> Iterator[Path]:
    """The file of a module; all files of a package that is one thing."""
    if module.partition(".")[0] not in PACKAGES:
        return
    place = _place(module)
    if place.with_suffix(".py").is_file():
        yield place.with_suffix(".py")
        place = place.parent
    whole = ".".join(place.relative_to(ROOT).parts) not in CATALOGUES
    if whole and place.is_dir():
        yield from (file for file in place.iterdir() if file.is_file() and file.suffix != ".pyc")


def _place(module: str) -> Path:
    return ROOT.joinpath(*module.split("."))
